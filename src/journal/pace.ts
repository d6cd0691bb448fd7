/**
 * Whether a medium makes things durable so quickly, at present, that to wait for it in place is
 * worth what it costs the event loop: a millisecond on average. A slow disk, or one that somebody
 * else keeps busy, is not waited for, and neither is one that has not shown its pace yet.
 *
 * Another thread measures its own way there and back as well, up to 0.2 ms on a machine that sleeps
 * meanwhile. With half a millisecond as the limit, a disk that takes 0.4 ms in place never came to
 * be waited for.
 */
const QUICK_MS = 1;
/** Where the average begins: so slow that it takes eleven quick writes to be believed. */
const UNKNOWN_MS = 4;
/** The weight of the newest write. */
const NEWEST = 1 / 8;

export class Pace {
  #meanMs = UNKNOWN_MS;

  get isQuick(): boolean {
    return this.#meanMs < QUICK_MS;
  }

  /** One write has been made durable, in so many milliseconds. */
  note(tookMs: number): void {
    this.#meanMs += (tookMs - this.#meanMs) * NEWEST;
  }
}
