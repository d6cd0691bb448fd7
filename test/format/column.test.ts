/** A column holds what is put into it, however wide it began, and gives the same back as an array. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Column } from "../../src/format/column.ts";

const LENGTH = 20;
const value = fc.oneof(
  fc.nat(255),
  fc.nat(2 ** 16),
  fc.nat(2 ** 32),
  fc.nat(2 ** 48 - 1),
  fc.constantFrom(0, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 48 - 1),
);
const sets = fc.array(fc.tuple(fc.nat(LENGTH - 1), value), { maxLength: 30 });
const begin = fc.constantFrom(
  () => new Uint8Array(LENGTH),
  () => new Uint16Array(LENGTH),
  () => new Uint32Array(LENGTH),
  () => new Float64Array(LENGTH),
);

describe("a column", () => {
  it("is an array of numbers, to whom width is nothing", () => {
    fc.assert(
      fc.property(begin, begin, sets, sets, (one, other, first, second) => {
        const column = new Column(one());
        const model = Array.from({ length: LENGTH }, () => 0);
        const copy = new Column(other());
        copy.set(3, 2 ** 20);
        for (const [index, number] of first) column.set(index, (model[index] = number));
        expect([...column]).toEqual(model);
        copy.copy(column);
        for (const [index, number] of second) column.set(index, number);
        expect([...copy]).toEqual(model);
        expect(model.map((_, i) => copy.get(i))).toEqual(model);
        expect([copy.length, copy.get(-1), copy.get(LENGTH)]).toEqual([LENGTH, 0, 0]);
      }),
    );
  });
});
