/**
 * Wholly free segments whose space has not been given back to the file system. A write to one finds
 * the pages in the cache and the blocks allocated, and takes a third of the time of one to a hole,
 * and its flush need not wait for the file system's own journal. So the segment that came free last
 * is written next.
 */
export class WarmSegments {
  /** In the order in which they came free. */
  readonly #segments = new Set<number>();

  get size(): number {
    return this.#segments.size;
  }

  /** Keeps a segment that has come free. */
  add(segment: number): void {
    this.#segments.add(segment);
  }

  /** The one that came free last of those that are free still; the caller will use it. */
  take(isFree: (segment: number) => boolean): number | undefined {
    for (const segment of [...this.#segments].toReversed()) {
      this.#segments.delete(segment);
      if (isFree(segment)) return segment;
    }
    return undefined;
  }

  /** Keeps those that came free last, `most` of them, and returns the others. */
  shrinkTo(most: number): number[] {
    const others = [...this.#segments].slice(0, Math.max(0, this.#segments.size - most));
    for (const segment of others) this.#segments.delete(segment);
    return others;
  }
}
