/** What is known of blocks: the verbs that change it, what they refuse, and how it is stored. */
import { describe, expect, it } from "vitest";
import type { State } from "../../src/replay/state.ts";
import type { Segments } from "../../src/space/segments.ts";
import { emptyState } from "../support/states.ts";

const damage = expect.objectContaining({ code: "ECORRUPT" });

function stateOf(capacityBlocks = 60): Promise<State> {
  return emptyState({ nodeEntries: 4, segmentBlocks: 8, capacityBlocks });
}

async function segmentsOf(): Promise<Segments> {
  return (await stateOf()).segments;
}

function known(segments: Segments, pblock: number): unknown {
  const record = segments.record(Math.floor(pblock / 8));
  const i = pblock % 8;
  return {
    refs: record?.refs.get(i),
    written: record?.written[i],
    checksum: record?.checksums[i],
    family: record?.families.get(i),
    vblock: record?.vblocks.get(i),
  };
}

describe("Segments", () => {
  it("claim blocks for their first owner, over the border of a segment", async () => {
    const segments = await segmentsOf();
    segments.claim(6, 4, { family: 9, vblock: 100 }, Uint32Array.of(1, 2, 3, 4));
    expect(known(segments, 8)).toEqual({
      refs: 1,
      written: 1,
      checksum: 3,
      family: 9,
      vblock: 102,
    });
    expect(segments.live.slice(0, 3)).toEqual(Uint16Array.of(2, 2, 0));
    expect(segments.allocated).toBe(4);
  });

  it("count references, and make a block busy with the last", async () => {
    const segments = await segmentsOf();
    segments.claim(0, 2, { family: 1, vblock: 0 }, null);
    segments.retain(1, 1);
    segments.release(0, 2);
    expect([segments.references(0), segments.references(1)]).toEqual([0, 1]);
    expect([segments.busy.has(0, 0), segments.busy.has(0, 1)]).toEqual([true, false]);
    expect(segments.allocated).toBe(1);
  });

  it("note that unwritten blocks were written", async () => {
    const segments = await segmentsOf();
    segments.claim(3, 2, { family: 1, vblock: 7 }, null);
    expect(known(segments, 4)).toEqual({ refs: 1, written: 0, checksum: 0, family: 1, vblock: 8 });
    segments.write(4, Uint32Array.of(77));
    expect(known(segments, 4)).toEqual({ refs: 1, written: 1, checksum: 77, family: 1, vblock: 8 });
    expect(known(segments, 3)).toMatchObject({ written: 0 });
  });

  it("move all that is known of a block, and leave the old place busy", async () => {
    const segments = await segmentsOf();
    segments.claim(3, 1, { family: 5, vblock: 7 }, Uint32Array.of(8));
    segments.retain(3, 1);
    segments.move(3, 20);
    expect(known(segments, 20)).toEqual({ refs: 2, written: 1, checksum: 8, family: 5, vblock: 7 });
    expect(segments.references(3)).toBe(0);
    expect(segments.busy.has(0, 3)).toBe(true);
    expect(segments.allocated).toBe(1);
  });

  it("take an allocated block out of the busy ones", async () => {
    const segments = await segmentsOf();
    for (const place of [3, 4]) segments.claim(place, 1, { family: 1, vblock: 7 }, null);
    segments.release(3, 2);
    expect(segments.busy.count).toBe(2);
    segments.claim(3, 1, { family: 1, vblock: 7 }, null);
    segments.move(3, 4);
    expect([segments.busy.has(0, 3), segments.busy.has(0, 4)]).toEqual([true, false]);
    expect(segments.busy.count + segments.allocated).toBe(2);
  });

  it.each<[string, (segments: Segments) => void]>([
    [
      "an allocation of a live block",
      (blocks) => blocks.claim(0, 1, { family: 1, vblock: 0 }, null),
    ],
    [
      "an allocation beyond the capacity",
      (blocks) => blocks.claim(59, 2, { family: 1, vblock: 0 }, null),
    ],
    ["a reference to a free block", (blocks) => blocks.retain(1, 1)],
    ["a reference beyond the capacity", (blocks) => blocks.retain(60, 1)],
    ["a release of a free block", (blocks) => blocks.release(1, 1)],
    ["a write to a free block", (blocks) => blocks.write(1, Uint32Array.of(1))],
    ["a move onto a live block", (blocks) => blocks.move(0, 2)],
    ["a move beyond the capacity", (blocks) => blocks.move(0, 60)],
    ["a move of a free block", (blocks) => blocks.move(1, 3)],
  ])("refuse %s", async (_, act) => {
    const segments = await segmentsOf();
    segments.claim(0, 1, { family: 1, vblock: 0 }, null);
    segments.claim(2, 1, { family: 1, vblock: 0 }, null);
    expect(() => act(segments)).toThrow(damage);
  });
});
