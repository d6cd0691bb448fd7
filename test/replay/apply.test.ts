/**
 * What each record means where random work does not look closely, and that a record which cannot
 * have been written by a sound host is damage.
 */
import { describe, expect, it } from "vitest";
import type { JournalRecord } from "../../src/format/records.ts";
import { applyCommit, produceCommit } from "../../src/replay/apply.ts";
import type { State } from "../../src/replay/state.ts";
import { audit } from "../../src/testing-store/audit.ts";
import { pictureOf } from "../support/state-digest.ts";
import { emptyState } from "../support/states.ts";
import { stateText } from "../support/store-model.ts";

const BLOCK = 512;
const damage = expect.objectContaining({ code: "ECORRUPT" });

async function stateAfter(...records: JournalRecord[]): Promise<State> {
  const state = await emptyState({ nodeEntries: 4, segmentBlocks: 8, capacityBlocks: 60 });
  applyCommit(state, { lsn: 1, records });
  audit(state);
  return state;
}

function create(subvolume: number, blocks: number): JournalRecord {
  const name = `volume ${subvolume}`;
  return { type: "create", subvolume, name, size: blocks * BLOCK, created: 0 };
}

function remap(subvolume: number, vblock: number, pblock: number, count: number): JournalRecord {
  const checksums = Uint32Array.from({ length: count }, (_, i) => pblock + i + 1000);
  return { type: "remap", subvolume, vblock, pblock, count, checksums };
}

function allocate(subvolume: number, vblock: number, pblock: number, count: number): JournalRecord {
  return { type: "remap", subvolume, vblock, pblock, count, checksums: null };
}

function share(type: "snapshot" | "clone", source: number, subvolume: number): JournalRecord {
  return { type, source, subvolume, name: `${type} ${subvolume}`, created: 3 };
}

describe("a record of more blocks than a segment has", () => {
  it("P3: is refused before its blocks are looked at, one by one, in records made for them", async () => {
    const state = await emptyState({
      nodeEntries: 4,
      segmentBlocks: 16_384,
      capacityBlocks: 2 ** 32,
    });
    applyCommit(state, { lsn: 1, records: [create(1, 2 ** 32)] });
    const records = [allocate(1, 0, 0, 2 ** 32 - 1)];
    expect(() => applyCommit(state, { lsn: 2, records })).toThrow(damage);
    expect(state.segments.allocated).toBe(0);
  });
});

describe("a commit", () => {
  it("is applied only as the next one", async () => {
    const state = await stateAfter(create(1, 8));
    for (const lsn of [0, 1, 3]) {
      const failure = expect.objectContaining({ code: "ECORRUPT", lsn });
      expect(() => applyCommit(state, { lsn, records: [] })).toThrow(failure);
    }
    applyCommit(state, { lsn: 2, records: [] });
    expect(state.lsn).toBe(2);
  });

  it("that is produced is the one that replay applies", async () => {
    const live = await stateAfter(create(1, 20));
    const records = produceCommit(live, (emit) => {
      emit(remap(1, 0, 0, 8));
      emit(share("snapshot", 1, live.catalogue.next));
      emit(remap(1, 3, 9, 1));
    });
    const replayed = await stateAfter(create(1, 20));
    applyCommit(replayed, { lsn: 2, records });
    expect(pictureOf(replayed)).toEqual(pictureOf(live));
  });
});

describe("the catalogue", () => {
  it("keeps subvolumes by id and by name, through a swap of names in one commit", async () => {
    const rename = (subvolume: number, name: string): JournalRecord => ({
      type: "rename",
      subvolume,
      name,
    });
    const { catalogue } = await stateAfter(
      create(1, 8),
      create(2, 8),
      rename(1, "between"),
      rename(2, "volume 1"),
      rename(1, "volume 2"),
    );
    expect(catalogue.named("volume 1")?.id).toBe(2);
    expect(catalogue.named("volume 2")?.id).toBe(1);
    expect(catalogue.named("between")).toBeUndefined();
    expect(Array.from(catalogue.entries(), ({ id }) => id)).toEqual([1, 2]);
  });

  it("gives the name of a deleted subvolume again, but not its id", async () => {
    const again = { ...create(2, 8), name: "volume 1" } as JournalRecord;
    const { catalogue } = await stateAfter(create(1, 8), { type: "delete", subvolume: 1 }, again);
    expect(catalogue.named("volume 1")?.id).toBe(2);
    expect([catalogue.size, catalogue.next]).toEqual([1, 3]);
  });

  it("says of a snapshot and a clone where they come from", async () => {
    const { catalogue } = await stateAfter(
      create(1, 8),
      share("snapshot", 1, 2),
      share("clone", 2, 5),
    );
    const facts = { family: 1, size: 8 * BLOCK, created: 3, root: 0 };
    expect(catalogue.get(2)).toMatchObject({ ...facts, readOnly: true, source: 1 });
    expect(catalogue.get(5)).toMatchObject({ ...facts, readOnly: false, source: 2 });
    expect(catalogue.next).toBe(6);
  });
});

describe("a rollback", () => {
  it("across families hands the subvolume over, so that the cleaner finds its blocks", async () => {
    const state = await stateAfter(
      create(1, 8),
      create(2, 16),
      remap(2, 3, 8, 4),
      { type: "rollback", subvolume: 1, source: 2 },
      { type: "delete", subvolume: 2 },
      { type: "relocate", from: 8, to: 16, count: 4 },
    );
    expect(state.catalogue.get(1)).toMatchObject({ family: 2, size: 16 * BLOCK });
    expect(stateText(state)[0]?.blocks).toEqual([
      "3: 16 1008",
      "4: 17 1009",
      "5: 18 1010",
      "6: 19 1011",
    ]);
    audit(state, { leaks: true });
  });

  it("to itself changes nothing", async () => {
    const records = [create(1, 8), remap(1, 3, 8, 4)];
    const state = await stateAfter(...records, { type: "rollback", subvolume: 1, source: 1 });
    expect(pictureOf(state)).toEqual(pictureOf(await stateAfter(...records)));
  });
});

describe("a resize", () => {
  it("keeps the block that the new end lies in, and unmaps what is behind", async () => {
    const state = await stateAfter(create(1, 8), remap(1, 0, 0, 8), {
      type: "resize",
      subvolume: 1,
      size: 2 * BLOCK + 1,
    });
    expect(stateText(state)[0]?.blocks).toHaveLength(3);
    expect(state.catalogue.get(1)?.size).toBe(2 * BLOCK + 1);
    expect(state.segments.busy.count).toBe(5);
  });
});

describe("a relocation", () => {
  it("moves what all sharers map, and no reference is left at the old place", async () => {
    const state = await stateAfter(
      create(1, 40),
      remap(1, 0, 0, 8),
      share("snapshot", 1, 2),
      share("clone", 2, 3),
      remap(1, 2, 8, 1),
      { type: "unmap", subvolume: 3, vblock: 5, count: 2 },
      { type: "relocate", from: 0, to: 24, count: 8 },
    );
    const places = stateText(state).map(({ blocks }) => blocks.map((block) => block.split(" ")[1]));
    expect(places).toEqual([
      ["24", "25", "8", "27", "28", "29", "30", "31"],
      ["24", "25", "26", "27", "28", "29", "30", "31"],
      ["24", "25", "26", "27", "28", "31"],
    ]);
    expect(state.segments.live[0]).toBe(0);
    audit(state, { leaks: true });
  });
});

describe("a record that no sound host writes is damage:", () => {
  const mapped = [create(1, 20), remap(1, 0, 0, 8), allocate(1, 8, 8, 4)];
  const two = [...mapped, create(2, 20)];

  it.each<[string, JournalRecord[], JournalRecord]>([
    ["a write to an unknown subvolume", mapped, remap(7, 0, 16, 1)],
    ["a write of no blocks", mapped, remap(1, 0, 16, 0)],
    ["a write beyond the subvolume", mapped, remap(1, 19, 16, 2)],
    ["a write to live blocks", mapped, remap(1, 12, 7, 1)],
    ["a write beyond the capacity", mapped, remap(1, 12, 58, 3)],
    ["an extent across segments", mapped, remap(1, 12, 22, 3)],
    [
      "a conversion of free blocks",
      mapped,
      { ...remap(1, 8, 16, 1), type: "convert", checksums: Uint32Array.of(1) } as JournalRecord,
    ],
    [
      "a discard in an unknown subvolume",
      mapped,
      { type: "unmap", subvolume: 7, vblock: 0, count: 1 },
    ],
    ["a second subvolume of an id", mapped, create(1, 8)],
    ["a subvolume behind the last id", mapped, create(2 ** 32 - 1, 8)],
    [
      "a second subvolume of a name",
      mapped,
      { ...create(2, 8), name: "volume 1" } as JournalRecord,
    ],
    ["a name that is taken", two, { type: "rename", subvolume: 1, name: "volume 2" }],
    ["a snapshot of nothing", mapped, share("snapshot", 7, 8)],
    ["a clone of an id that was used", mapped, share("clone", 1, 1)],
    ["a rollback to nothing", mapped, { type: "rollback", subvolume: 1, source: 7 }],
    ["a deletion of nothing", mapped, { type: "delete", subvolume: 7 }],
    ["a resize of nothing", mapped, { type: "resize", subvolume: 7, size: 1 }],
    [
      "a relocation beside dead nodes",
      [...two, { type: "delete", subvolume: 1 }],
      { type: "relocate", from: 0, to: 16, count: 8 },
    ],
    ["a relocation across segments", mapped, { type: "relocate", from: 0, to: 20, count: 8 }],
    [
      "a relocation of a part of an extent",
      mapped,
      { type: "relocate", from: 1, to: 16, count: 7 },
    ],
    ["a relocation onto live blocks", mapped, { type: "relocate", from: 0, to: 8, count: 8 }],
    ["a relocation beyond the capacity", mapped, { type: "relocate", from: 0, to: 56, count: 8 }],
  ])("%s", async (_, before, record) => {
    const state = await stateAfter(...before);
    expect(() => applyCommit(state, { lsn: 2, records: [record] })).toThrow(damage);
    expect(state.lsn).toBe(1);
  });
});
