/** What came last to each block, beside a plain list of what came to it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RangeIndex } from "../../src/host/range-index.ts";

describe("RangeIndex", () => {
  it("knows the last value of each block, and whether any of a range has one", () => {
    const range = fc.record({ first: fc.nat(70), count: fc.integer({ min: 1, max: 40 }) });
    fc.assert(
      fc.property(fc.array(range, { maxLength: 20 }), range, (ranges, asked) => {
        const index = new RangeIndex();
        const last = Array.from({ length: 120 }, () => -1);
        ranges.forEach(({ first, count }, value) => {
          index.add(first, count, value);
          last.fill(value, first, first + count);
        });
        expect(last.map((_, block) => index.at(block))).toEqual(last);
        const expected = last.slice(asked.first, asked.first + asked.count).some((one) => one >= 0);
        expect(index.meets(asked.first, asked.count)).toBe(expected);
      }),
    );
  });

  it("takes ranges of any length, far out", () => {
    const index = new RangeIndex();
    index.add(2 ** 48 - 5, 2 ** 50, 0);
    expect([index.at(2 ** 48 - 6), index.at(2 ** 49), index.meets(0, 2 ** 48)]).toEqual([
      -1,
      0,
      true,
    ]);
    expect(index.meets(0, 2 ** 48 - 5)).toBe(false);
  });
});
