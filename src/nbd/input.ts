/**
 * Bytes that arrive, side by side in one piece of memory, where they are taken from without another
 * copy. The stream is paused while nobody takes what has arrived, so that a client cannot fill the
 * memory.
 *
 * Bytes come from the events of a stream, or straight from the system (`direct-socket.ts`).
 */
import type { Duplex } from "node:stream";
import { KiB } from "../base/units.ts";

/**
 * While the stream is paused, at least so many bytes wait: what is not longer can be seen as a
 * whole, and nobody waits for the rest of it in vain.
 */
export const INPUT_BYTES: number = 256 * KiB;
/** With less room than this behind what waits, it is moved to the start. */
const LEAST_ROOM: number = 64 * KiB;
/** Events of a stream whose other side is not there any more. */
const GONE = ["error", "close"] as const;

export class Input {
  #stream: Duplex | undefined;
  #memory: Buffer = Buffer.allocUnsafeSlow(INPUT_BYTES + LEAST_ROOM);
  /** What has arrived and was not taken. */
  #start = 0;
  #end = 0;
  #isPaused = false;
  #ended = false;
  #isAbandoned = false;
  #wanted = 0;
  #wake: (() => void) | undefined;
  /** Called whenever bytes have arrived, and at the end of them. */
  onArrival: (() => void) | undefined;

  /** Takes what arrives on a stream. */
  static over(stream: Duplex): Input {
    const input = new Input();
    stream.on("data", input.#onData);
    input.endWith(stream);
    stream.resume();
    return input;
  }

  /** Ends with a stream, and pauses it when too much waits. */
  endWith(stream: Duplex): void {
    this.#stream = stream;
    stream.on("end", this.#onEnd);
    for (const event of GONE) stream.on(event, this.#onGone);
  }

  /** Bytes that can be taken at once. */
  get available(): number {
    return this.#end - this.#start;
  }

  /** Nothing more will arrive. */
  get ended(): boolean {
    return this.#ended;
  }

  /** The other side is gone, and hears of nothing any more. */
  get isAbandoned(): boolean {
    return this.#isAbandoned;
  }

  /** Lets go of the stream, whoever reads it next; bytes that are here are not given back. */
  detach(): void {
    const stream = this.#stream;
    stream?.pause();
    stream?.off("data", this.#onData);
    stream?.off("end", this.#onEnd);
    for (const event of GONE) stream?.off(event, this.#onGone);
  }

  /** Where the next bytes are to be put, up to so many; {@link arrived} tells that they were. */
  room(): Buffer {
    this.#makeRoom(LEAST_ROOM);
    return this.#memory.subarray(this.#end);
  }

  /** So many bytes were put into {@link room}; `false` when no more are to come for now. */
  arrived(count: number): boolean {
    this.#end += count;
    this.onArrival?.();
    if (this.#wake && this.available >= this.#wanted) this.#wakeUp();
    else if (!this.#wake && this.available >= INPUT_BYTES) this.#isPaused = true;
    return !this.#isPaused;
  }

  /** Resolves with true when `count` bytes are here, with false when they will never be. */
  async has(count: number): Promise<boolean> {
    while (this.available < count) {
      if (this.#ended) return false;
      await this.#more(count);
    }
    return true;
  }

  /** What `read` makes of the bytes that are here. */
  peek<T>(read: (bytes: Buffer, at: number) => T): T {
    return read(this.#memory, this.#start);
  }

  /** The bytes from the `at`th on, which must be here; they stay until they are passed. */
  view(at: number, count: number): Buffer {
    const start = this.#start + at;
    return this.#memory.subarray(start, start + count);
  }

  /** Goes on behind the next `count` bytes, which must be here. */
  pass(count: number): void {
    this.#start += count;
    if (this.#isPaused && this.available < INPUT_BYTES) this.#resume();
  }

  /** A copy of the next `count` bytes, which must be here. */
  take(count: number): Buffer {
    const bytes = Buffer.from(this.view(0, count));
    this.pass(count);
    return bytes;
  }

  /** Fills `target` with the next bytes as they come; false when the stream ends before. */
  async fill(target: Buffer): Promise<boolean> {
    return this.#each(target.length, (bytes, at) => target.set(bytes, at));
  }

  /** Passes over bytes; false when the stream ends before. */
  async skip(count: number): Promise<boolean> {
    return this.#each(count, () => undefined);
  }

  /** Takes `count` bytes in parts as they come. */
  async #each(count: number, take: (bytes: Buffer, at: number) => void): Promise<boolean> {
    for (let done = 0; ;) {
      const part = Math.min(count - done, this.available);
      take(this.view(0, part), done);
      this.pass(part);
      done += part;
      if (done === count) return true;
      if (this.#ended) return false;
      await this.#more(1);
    }
  }

  async #more(count: number): Promise<void> {
    this.#wanted = count;
    this.#resume();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  /** Room for `count` bytes behind what waits. */
  #makeRoom(count: number): void {
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
    }
    if (this.#memory.length - this.#end >= count) return;
    const { available } = this;
    const waiting = this.view(0, available);
    // A stream may hand in more at once than there is room for.
    const isTooSmall = this.#memory.length < available + count;
    if (isTooSmall) this.#memory = Buffer.allocUnsafeSlow(available + count);
    this.#memory.set(waiting, 0);
    this.#start = 0;
    this.#end = available;
  }

  #resume(): void {
    this.#isPaused = false;
    this.#stream?.resume();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#makeRoom(chunk.length);
    this.#memory.set(chunk, this.#end);
    if (!this.arrived(chunk.length)) this.#stream?.pause();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.onArrival?.();
    this.#wakeUp();
  };

  readonly #onGone = (): void => {
    this.#isAbandoned = true;
    this.#onEnd();
  };
}
