/**
 * A set of vblocks as sorted, disjoint ranges: where in a map the owners of some blocks are to be
 * found.
 */
import { upperBound } from "./tree.ts";

/** Collects vblocks in any order, then answers where the next one is. */
export class VblockSet {
  readonly #vblocks: number[] = [];
  /** Of each range its first vblock, and the one behind its last. */
  #starts = new Float64Array();
  #ends = new Float64Array();
  #ready = false;

  add(vblock: number): void {
    this.#vblocks.push(vblock);
    this.#ready = false;
  }

  /** The first vblock of the set at or after `from`, or `Infinity`. */
  next(from: number): number {
    if (!this.#ready) this.#sort();
    const i = upperBound(this.#ends, this.#ends.length, from);
    return i < this.#ends.length ? Math.max(from, this.#starts[i]!) : Infinity;
  }

  #sort(): void {
    const sorted = this.#vblocks.toSorted((a, b) => a - b);
    const starts: number[] = [];
    const ends: number[] = [];
    for (const vblock of sorted) {
      if (starts.length > 0 && vblock <= ends.at(-1)!) ends[ends.length - 1] = vblock + 1;
      else {
        starts.push(vblock);
        ends.push(vblock + 1);
      }
    }
    this.#starts = Float64Array.from(starts);
    this.#ends = Float64Array.from(ends);
    this.#ready = true;
  }
}
