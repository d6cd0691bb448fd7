/** The table of slots, against a plain map. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SlotTable } from "../../src/host/slot-table.ts";

/** Near the edges of groups, and as far away as a block may be. */
const pblocks = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.constantFrom(2 ** 32 - 200, 2 ** 31));
const steps = fc.array(
  fc.record({ pblock: pblocks, count: fc.integer({ min: 1, max: 150 }), adds: fc.boolean() }),
  { maxLength: 40 },
);

describe("SlotTable", () => {
  it("holds what was added and not taken out, in order", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const table = new SlotTable();
        const model = new Map<number, number>();
        let slot = 0;
        for (const { pblock, count, adds } of all) {
          const run = Array.from({ length: count }, (_, i) => pblock + i);
          if (adds && run.every((block) => !model.has(block))) {
            table.add(pblock, slot, count);
            for (const block of run) model.set(block, slot++);
          } else if (!adds) {
            for (const block of run) if (model.delete(block)) table.delete(block);
          }
        }
        const seen: [number, number][] = [];
        table.forEach((pblock, held) => seen.push([pblock, held]));
        expect(seen).toEqual([...model].toSorted(([one], [other]) => one - other));
        expect(table.size).toBe(model.size);
        for (const { pblock } of all) expect(table.get(pblock)).toBe(model.get(pblock));
      }),
    );
  });

  it("lets the visitor take out what he is shown", () => {
    const table = new SlotTable();
    table.add(60, 7, 10);
    const seen: number[] = [];
    table.forEach((pblock) => {
      seen.push(pblock);
      if (pblock % 2 === 0) table.delete(pblock);
    });
    expect(seen).toEqual([60, 61, 62, 63, 64, 65, 66, 67, 68, 69]);
    expect(table.size).toBe(5);
    expect([62, 63].map((pblock) => table.get(pblock))).toEqual([undefined, 10]);
  });
});
