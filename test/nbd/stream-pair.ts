/** Two ends of a connection in memory: what is written to one is read from the other. */
import { Duplex } from "node:stream";

/** Bytes on their way in each direction before a writer has to wait. */
const CAPACITY = 64 * 1024;

class End extends Duplex {
  peer!: End;
  #taken: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: CAPACITY, allowHalfOpen: true });
  }

  override _read(): void {
    this.peer.#release();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // What is done with the bytes here must not be seen over there.
    if (this.peer.push(Buffer.from(chunk))) done();
    else this.#taken = done;
  }

  override _final(done: () => void): void {
    this.peer.push(null);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#release();
    this.peer.#release();
    if (!this.peer.destroyed && !this.peer.readableEnded) this.peer.push(null);
    done(error);
    if (!this.peer.destroyed) setImmediate(() => this.peer.destroy());
  }

  #release(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    taken?.();
  }
}

export function streamPair(): [Duplex, Duplex] {
  const [a, b] = [new End(), new End()];
  a.peer = b;
  b.peer = a;
  return [a, b];
}
