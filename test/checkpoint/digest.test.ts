/**
 * The digest of a table does not depend on the order in which values came and went, and tells
 * tables apart that differ in one bit of one checksum, or in one key.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addDigest, digestOf, subtractDigest } from "../../src/checkpoint/digest.ts";

const values = fc.tuple(
  fc.integer({ min: 0, max: 255 }),
  fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
);

describe("the digest", () => {
  it("is what the format says", () => {
    expect(digestOf(3, 2 ** 40 + 5, 0xdeadbeef)).toBe(200_334_846_330_864);
  });

  it("is a whole number below 2^48", () => {
    fc.assert(
      fc.property(values, (value) => {
        const digest = digestOf(...value);
        expect(Number.isSafeInteger(digest) && digest >= 0 && digest < 2 ** 48).toBe(true);
      }),
    );
  });

  it("changes with every bit of key and checksum", () => {
    fc.assert(
      fc.property(values, fc.nat({ max: 87 }), ([kind, id, crc], bit) => {
        const other: [number, number, number] =
          bit < 8
            ? [kind ^ (1 << bit), id, crc]
            : bit < 56
              ? [kind, Number(BigInt(id) ^ (1n << BigInt(bit - 8))), crc]
              : [kind, id, (crc ^ (1 << (bit - 56))) >>> 0];
        expect(digestOf(...other)).not.toBe(digestOf(kind, id, crc));
      }),
      { numRuns: 2000 },
    );
  });

  it("of a sum comes back when what joined has left, in any order", () => {
    fc.assert(
      fc.property(fc.array(values), fc.array(values), (stay, pass) => {
        const add = (sum: number, value: [number, number, number]): number =>
          addDigest(sum, digestOf(...value));
        const start = stay.reduce(add, 0);
        const full = pass.toReversed().reduce(add, start);
        const end = pass.reduce((sum, value) => subtractDigest(sum, digestOf(...value)), full);
        expect(end).toBe(start);
        expect(stay.toReversed().reduce(add, 0)).toBe(start);
      }),
    );
  });
});
