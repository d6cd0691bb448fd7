/**
 * Whether a medium makes things durable so quickly, at present, that to wait for it in place costs
 * the event loop less than a way to another thread and back: half a millisecond on average. A slow
 * disk, or one that somebody else keeps busy, is not waited for, and neither is one that has not
 * shown its pace yet.
 */
const QUICK_MS = 0.5;
/** Where the average begins: so slow that it takes some 17 quick writes to be believed. */
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
