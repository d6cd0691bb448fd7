/**
 * Bytes that arrive, taken where they lie: what stands whole in one chunk of the stream is handed
 * out without a copy. The stream is paused while nobody takes what has arrived, so that a client
 * cannot fill the memory.
 */
import type { Duplex } from "node:stream";

/** Bytes that may wait before the stream is paused. */
const MOST_WAITING = 256 * 1024;
/** Chunks that may wait; each costs memory beyond its bytes, and a client may send single ones. */
const MOST_CHUNKS = 1024;

export class Input {
  readonly #stream: Duplex;
  readonly #chunks: Buffer[] = [];
  /** Where the first chunk goes on; to move this costs a tenth of making the chunk shorter. */
  #at = 0;
  #available = 0;
  #wanted = 0;
  #wake: (() => void) | undefined;
  #ended = false;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.on("data", this.#onData);
    for (const event of ["end", "error", "close"]) stream.on(event, this.#onEnd);
  }

  /** Bytes that can be taken at once. */
  get available(): number {
    return this.#available;
  }

  /** Lets go of the stream, whoever reads it next; bytes that are here are not given back. */
  detach(): void {
    this.#stream.pause();
    this.#stream.off("data", this.#onData);
    for (const event of ["end", "error", "close"]) this.#stream.off(event, this.#onEnd);
  }

  /** Resolves with true when `count` bytes are here, with false when they will never be. */
  async has(count: number): Promise<boolean> {
    while (this.#available < count) {
      if (this.#ended) return false;
      await this.#more(count);
    }
    return true;
  }

  /** The next `count` bytes, which must be here. */
  take(count: number): Buffer {
    return this.parse(count, (bytes, at) => bytes.subarray(at, at + count));
  }

  /** What `read` makes of the next `count` bytes, which must be here, without a view of its own. */
  parse<T>(count: number, read: (bytes: Buffer, at: number) => T): T {
    const first = this.#chunks[0];
    if (first && first.length - this.#at >= count) {
      const result = read(first, this.#at);
      this.#pass(first, count);
      return result;
    }
    const bytes = Buffer.allocUnsafeSlow(count);
    this.#moveTo(bytes, 0);
    return read(bytes, 0);
  }

  /** Fills `target` with the next bytes as they come; false when the stream ends before. */
  async fill(target: Buffer): Promise<boolean> {
    let filled = this.fillAtOnce(target);
    while (filled < target.length) {
      if (this.#ended) return false;
      await this.#more(1);
      filled += this.#moveTo(target, filled);
    }
    return true;
  }

  /** Fills `target` as far as the bytes that are here go; returns how far. */
  fillAtOnce(target: Buffer): number {
    return this.#moveTo(target, 0);
  }

  /** Passes over bytes; false when the stream ends before. */
  async skip(count: number): Promise<boolean> {
    let left = count;
    for (;;) {
      const part = Math.min(left, this.#available);
      if (part > 0) this.#drop(part);
      left -= part;
      if (left === 0) return true;
      if (this.#ended) return false;
      await this.#more(1);
    }
  }

  async #more(count: number): Promise<void> {
    this.#wanted = count;
    this.#stream.resume();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
  }

  #moveTo(target: Buffer, from: number): number {
    let at = from;
    while (at < target.length && this.#chunks.length > 0) {
      const first = this.#chunks[0]!;
      const copied = first.copy(target, at, this.#at);
      at += copied;
      this.#pass(first, copied);
    }
    return at - from;
  }

  #drop(count: number): void {
    let left = count;
    while (left > 0) {
      const first = this.#chunks[0]!;
      const part = Math.min(left, first.length - this.#at);
      left -= part;
      this.#pass(first, part);
    }
  }

  /** Goes on behind `count` bytes of the first chunk. */
  #pass(first: Buffer, count: number): void {
    this.#at += count;
    this.#available -= count;
    if (this.#at < first.length) return;
    this.#chunks.shift();
    this.#at = 0;
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#available += chunk.length;
    if (this.#wake && this.#available >= this.#wanted) this.#wakeUp();
    else if (this.#isFull()) this.#stream.pause();
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wakeUp();
  };

  /** Nobody takes what has arrived. */
  #isFull(): boolean {
    if (this.#wake) return false;
    return this.#available >= MOST_WAITING || this.#chunks.length >= MOST_CHUNKS;
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
