/**
 * Memory for the data of small writes. A host keeps what it is handed until it is at its place, so
 * the data of many writes share one allocation: to make one for each block of 4 KiB, and fill it,
 * takes 1.7 times as long.
 *
 * Only data that is kept goes here, whole blocks; or one of them would keep a whole slab alive.
 */
import { KiB } from "../base/units.ts";

const SLAB_BYTES: number = 128 * KiB;
/** The longest data that shares a slab. */
const MOST_SHARED: number = 32 * KiB;

export class Payloads {
  #slab: Buffer = Buffer.allocUnsafeSlow(0);
  #used = 0;

  /** Memory for `count` bytes, to be filled by the caller. */
  take(count: number): Buffer {
    if (count > MOST_SHARED) return Buffer.allocUnsafeSlow(count);
    if (this.#used + count > this.#slab.length) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#used = 0;
    }
    const from = this.#used;
    this.#used += count;
    return this.#slab.subarray(from, this.#used);
  }
}
