/**
 * The event loop's turns. A call that waits for nothing would resolve within the same turn, and a
 * caller who makes many, or several who each make a few, would keep all I/O waiting, flushes too.
 * So what is done in a turn is counted, and when it is enough everybody waits for the next one.
 */
import { KiB, MiB } from "../base/units.ts";

/** What a turn may take: some milliseconds of copying and of checksums. */
const BYTES_PER_TURN: number = 4 * MiB;
/** A call takes as long as so many bytes, whatever else it does. */
const BYTES_PER_CALL: number = 64 * KiB;

export class Turns {
  #done = 0;
  #beginning: Promise<void> | undefined;

  /** A call has moved so many bytes; who makes it need not wait. */
  count(bytes: number): void {
    this.#done += BYTES_PER_CALL + bytes;
  }

  /** As {@link count}, and then {@link next}. */
  after(bytes: number): Promise<void> | undefined {
    this.count(bytes);
    return this.next;
  }

  /** The promise of the next turn, where this one has had enough. */
  get next(): Promise<void> | undefined {
    if (this.#done < BYTES_PER_TURN) return undefined;
    this.#beginning ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#done = 0;
        this.#beginning = undefined;
        resolve();
      });
    });
    return this.#beginning;
  }
}
