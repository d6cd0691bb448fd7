/** Segments that are written next since they came free last. */
import { describe, expect, it } from "vitest";
import { WarmSegments } from "../../src/space/warm-segments.ts";

function warmed(...segments: number[]): WarmSegments {
  const warm = new WarmSegments();
  for (const segment of segments) warm.add(segment);
  return warm;
}

const always = (): boolean => true;

describe("WarmSegments", () => {
  it("give the one that came free last, once", () => {
    const warm = warmed(4, 9, 2);
    expect([1, 2, 3, 4].map(() => warm.take(always))).toEqual([2, 9, 4, undefined]);
  });

  it("forget those that are free no longer", () => {
    const warm = warmed(4, 9, 2);
    expect(warm.take((segment) => segment === 4)).toBe(4);
    expect(warm.take(always)).toBeUndefined();
  });

  it("hand out the oldest when they are too many", () => {
    const warm = warmed(4, 9, 2);
    expect(warm.shrinkTo(5)).toEqual([]);
    expect(warm.shrinkTo(1)).toEqual([4, 9]);
    expect(warm.shrinkTo(0)).toEqual([2]);
    expect(warm.take(always)).toBeUndefined();
  });
});
