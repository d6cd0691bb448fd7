/** The segments with the most room, found many at a time. */
import { describe, expect, it } from "vitest";
import { EmptiestSegments } from "../../src/space/emptiest-segments.ts";

const SEGMENT_BLOCKS = 8;

/** Segments by their used blocks, and how often one was looked at. */
class Used {
  looks = 0;
  readonly emptiest: EmptiestSegments;
  readonly blocks: number[];

  constructor(blocks: number[]) {
    this.blocks = blocks;
    const geometry = {
      blockSize: 512,
      segmentBlocks: SEGMENT_BLOCKS,
      capacityBlocks: blocks.length * SEGMENT_BLOCKS,
      segments: blocks.length,
      dataOffset: 0,
      nodeSize: 512,
    };
    this.emptiest = new EmptiestSegments(geometry, (segment) => {
      this.looks++;
      return this.blocks[segment]!;
    });
  }

  /** Takes the next one and fills it. */
  fill(): number | undefined {
    const segment = this.emptiest.take();
    if (segment !== undefined) this.blocks[segment] = SEGMENT_BLOCKS;
    return segment;
  }
}

describe("EmptiestSegments", () => {
  it("give the one with the most room, the first of those that are alike, and none that is full", () => {
    const used = new Used([7, 8, 3, 6, 3, 8]);
    expect([1, 2, 3, 4, 5].map(() => used.fill())).toEqual([2, 4, 3, 0, undefined]);
  });

  it("forget those that have been filled meanwhile, and find what has room again", () => {
    const used = new Used([1, 2, 3]);
    expect(used.fill()).toBe(0);
    used.blocks[1] = SEGMENT_BLOCKS;
    expect(used.fill()).toBe(2);
    expect(used.fill()).toBeUndefined();
    used.blocks[1] = 7;
    expect(used.fill()).toBe(1);
  });

  it("find every one of many, and look at each a few times in all", () => {
    const count = 10_000;
    const used = new Used(Array.from({ length: count }, (_, i) => (i % 3 === 0 ? 7 : i % 8)));
    const filled = new Set<number>();
    for (let segment = used.fill(); segment !== undefined; segment = used.fill()) {
      filled.add(segment);
    }
    expect(filled.size).toBe(count);
    // Two looks at all of them for each 256, and one at each that is taken.
    expect(used.looks / count).toBeLessThan(2 * Math.ceil(count / 256) + 5);
  });

  // A look at all segments of 16 TiB kept the event loop for 0.1 s, for each 256 that were filled.
  it("look at one part of a large store at a time, and at each in its turn", () => {
    const PART = 65_536;
    const used = new Used(Array.from({ length: 3 * PART + 5 }, () => SEGMENT_BLOCKS - 1));
    const parts: number[] = [];
    for (let taken = 0; taken < 4 * 256; taken++) {
      used.looks = 0;
      const part = Math.floor(used.fill()! / PART);
      expect(used.looks).toBeLessThanOrEqual(2 * PART + 2);
      if (parts.at(-1) !== part) parts.push(part);
    }
    expect(parts).toEqual([0, 1, 2, 3, 0]);
  });

  it("find the last segment with room of a large store, wherever it is", () => {
    const PART = 65_536;
    const used = new Used(Array.from({ length: 3 * PART }, () => SEGMENT_BLOCKS));
    for (const segment of [PART, 5, 3 * PART - 1, PART - 1]) {
      used.blocks[segment] = 2;
      expect(used.fill()).toBe(segment);
    }
    expect(used.fill()).toBeUndefined();
  });
});
