/**
 * The segments with the most room, for a log that finds none that is wholly free. To look at all of
 * them for each one that is filled (a store of 16 TiB has four million) costs more than the writing
 * where each has little room. So one look finds many, which are used one after the other; what gets
 * more room meanwhile is found by the next look. And it looks at one part of a large store, the
 * next look at the next: somebody waits for it, and so does the event loop.
 */
import { blocksIn, type Geometry } from "./geometry.ts";

/** Segments that one look finds. */
const FOUND_AT_ONCE = 256;
/** Segments that one look is at: a millisecond, and all of them in most stores. */
const PART = 65_536;

export class EmptiestSegments {
  readonly #geometry: Geometry;
  readonly #used: (segment: number) => number;
  /** The emptiest is last. */
  #found: { segment: number; room: number }[] = [];
  /** Where the next part begins. */
  #part = 0;

  /** `used` says how many blocks of a segment are not free. */
  constructor(geometry: Geometry, used: (segment: number) => number) {
    this.#geometry = geometry;
    this.#used = used;
  }

  /** One with room, which the caller will use; `undefined` when there is none. */
  take(): number | undefined {
    let segment = this.#next();
    if (segment === undefined) {
      this.#look();
      segment = this.#next();
    }
    return segment;
  }

  #next(): number | undefined {
    for (let next = this.#found.pop(); next; next = this.#found.pop()) {
      if (this.#roomIn(next.segment) > 0) return next.segment;
    }
    return undefined;
  }

  #look(): void {
    const { segments } = this.#geometry;
    for (let looked = 0; looked < segments && this.#found.length === 0; looked += PART) {
      const from = this.#part;
      const to = Math.min(segments, from + PART);
      this.#lookAt(from, to);
      this.#part = to === segments ? 0 : to;
    }
  }

  #lookAt(from: number, to: number): void {
    const { least, more } = this.#leastRoom(from, to);
    let withLeast = FOUND_AT_ONCE - more;
    for (let segment = from; segment < to; segment++) {
      const room = this.#roomIn(segment);
      const isFound = room > least || (room === least && withLeast-- > 0);
      if (isFound) this.#found.push({ segment, room });
    }
    this.#found.sort((a, b) => a.room - b.room || b.segment - a.segment);
  }

  /** The least room of those to be found, 1 at least, and how many segments have more than it. */
  #leastRoom(from: number, to: number): { least: number; more: number } {
    const { segmentBlocks } = this.#geometry;
    const withRoom = new Uint32Array(segmentBlocks + 1);
    for (let segment = from; segment < to; segment++) withRoom[this.#roomIn(segment)]!++;
    let least = segmentBlocks;
    let more = 0;
    while (least > 1 && more + withRoom[least]! < FOUND_AT_ONCE) more += withRoom[least--]!;
    return { least, more };
  }

  #roomIn(segment: number): number {
    return blocksIn(this.#geometry, segment) - this.#used(segment);
  }
}
