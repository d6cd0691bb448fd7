/**
 * Data that is not at its place on the data device yet: blocks of the open batch, and blocks that
 * went into the journal with theirs. Reads are served from here until the write to their place has
 * resolved.
 *
 * Which blocks a write-out takes is decided at the moment it is called, never later: a checkpoint
 * relies on having every block that its state refers to. A block that no map refers to at that
 * moment is dropped; every state that a crash could still lead back to finds it in the journal.
 */
import type { Device } from "../device/device.ts";
import { addressOf, type Geometry } from "../space/geometry.ts";

/** Blocks in one write at most: what a vectored write takes. */
const MOST_BLOCKS = 256;

interface PendingRun {
  pblock: number;
  chunks: Uint8Array[];
}

export class PendingData {
  readonly #device: Device;
  readonly #geometry: Geometry;
  readonly #isLive: (pblock: number) => boolean;
  readonly #blocks = new Map<number, Uint8Array>();
  /** Blocks whose write has been issued and has not resolved. */
  readonly #writing = new Set<Uint8Array>();
  #inFlight: Promise<void> = Promise.resolve();
  #flushing: Promise<void> = Promise.resolve();

  constructor(device: Device, geometry: Geometry, isLive: (pblock: number) => boolean) {
    this.#device = device;
    this.#geometry = geometry;
    this.#isLive = isLive;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#blocks.size * this.#geometry.blockSize;
  }

  /** Those of them whose write has not been issued. */
  get unwrittenBytes(): number {
    return (this.#blocks.size - this.#writing.size) * this.#geometry.blockSize;
  }

  put(pblock: number, block: Uint8Array): void {
    this.#blocks.set(pblock, block);
  }

  get(pblock: number): Uint8Array | undefined {
    return this.#blocks.get(pblock);
  }

  /**
   * Writes every block held at this moment to its place; resolves when these and all that were
   * issued before are written (not flushed).
   */
  async writeOut(): Promise<void> {
    const runs = this.#collect();
    const before = this.#inFlight;
    const mine = this.#writeRuns(runs);
    const both = Promise.all([before, mine]).then(() => undefined);
    this.#inFlight = both;
    both.catch(() => undefined);
    return both;
  }

  /**
   * Makes what has been written durable. Flushes go one at a time, and after one that failed there
   * is no other (promise I7): the system tells of a failure once, so a second flush would pass
   * although the data of the first is lost.
   */
  async flush(): Promise<void> {
    const flushed = this.#flushing.then(() => this.#device.flush());
    this.#flushing = flushed;
    flushed.catch(() => undefined);
    return flushed;
  }

  #collect(): PendingRun[] {
    const pblocks = [...this.#blocks.keys()].toSorted((a, b) => a - b);
    const runs: PendingRun[] = [];
    for (const pblock of pblocks) {
      const block = this.#blocks.get(pblock)!;
      if (this.#writing.has(block)) continue;
      if (!this.#isLive(pblock)) {
        this.#blocks.delete(pblock);
        continue;
      }
      this.#writing.add(block);
      const last = runs.at(-1);
      const continues =
        last && last.pblock + last.chunks.length === pblock && last.chunks.length < MOST_BLOCKS;
      if (continues) last.chunks.push(block);
      else runs.push({ pblock, chunks: [block] });
    }
    return runs;
  }

  async #writeRuns(runs: readonly PendingRun[]): Promise<void> {
    for (const { pblock, chunks } of runs) {
      await this.#device.write(chunks, addressOf(this.#geometry, pblock));
      chunks.forEach((block, i) => {
        this.#writing.delete(block);
        if (this.#blocks.get(pblock + i) === block) this.#blocks.delete(pblock + i);
      });
    }
  }
}
