/**
 * What came last to each block, where it came to ranges of blocks: found in as many steps as the
 * numbers have bits, however many ranges there are and however long they be. A range is cut into
 * the aligned runs of a power of two of blocks that it is made of, at most two of each length.
 */

/** Lengths are powers of two up to this one: no number is greater. */
const LEVELS = 53;

export class RangeIndex {
  /** By level, by number of the run: the last value that was given to the run as a whole. */
  readonly #whole = new Map<number, Map<number, number>>();
  /** By level: runs in which something shorter was given a value. */
  readonly #partly = new Map<number, Set<number>>();

  /** Gives a value, greater than all before, to a range of blocks. */
  add(first: number, count: number, value: number): void {
    for (const { level, run } of runsOf(first, count)) {
      let values = this.#whole.get(level);
      if (!values) this.#whole.set(level, (values = new Map()));
      values.set(run, value);
      this.#markAbove(level, run);
    }
  }

  /** The last value that was given to a block, or -1. */
  at(block: number): number {
    let last = -1;
    for (const [level, values] of this.#whole) {
      last = Math.max(last, values.get(Math.floor(block / 2 ** level)) ?? -1);
    }
    return last;
  }

  /** A value was given to some of these blocks. */
  meets(first: number, count: number): boolean {
    for (const { level, run } of runsOf(first, count)) {
      if (this.#partly.get(level)?.has(run) === true) return true;
      for (const [above, values] of this.#whole) {
        if (above >= level && values.has(Math.floor(run / 2 ** (above - level)))) return true;
      }
    }
    return false;
  }

  #markAbove(level: number, run: number): void {
    let number = run;
    for (let above = level + 1; above < LEVELS; above++) {
      number = Math.floor(number / 2);
      let runs = this.#partly.get(above);
      if (!runs) this.#partly.set(above, (runs = new Set()));
      // What is above a marked run is marked as well.
      if (runs.has(number)) return;
      runs.add(number);
    }
  }
}

/** The aligned runs that a range is made of: run `n` of level `l` begins at block `n * 2 ** l`. */
function* runsOf(first: number, count: number): Generator<{ level: number; run: number }> {
  const end = first + count;
  for (let at = first; at < end;) {
    let level = 0;
    while (at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= end) level++;
    yield { level, run: at / 2 ** level };
    at += 2 ** level;
  }
}
