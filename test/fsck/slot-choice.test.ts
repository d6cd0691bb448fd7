/**
 * Two slots of the superblock that are both sound and differ: the rest of the store tells which one
 * is its own, whatever their sequences say.
 */
import { describe, expect, it } from "vitest";
import {
  decodeSuperblock,
  encodeSuperblock,
  type Superblock,
  SUPERBLOCK_SLOT_SIZE,
} from "../../src/format/superblock.ts";
import { examine } from "../../src/fsck/check.ts";
import { repairStore } from "../../src/fsck/repair.ts";
import { pictureOf } from "./support/contents.ts";
import type { FsckStore } from "./support/fsck-store.ts";
import { sampleStore } from "./support/sample-store.ts";

/** A sample store with one slot changed. */
async function withSlot(slot: number, change: Partial<Superblock>): Promise<FsckStore> {
  const store = await sampleStore(3);
  const bytes = await store.read("superblock");
  const at = slot * SUPERBLOCK_SLOT_SIZE;
  const superblock = decodeSuperblock(bytes.slice(at, at + SUPERBLOCK_SLOT_SIZE));
  bytes.set(encodeSuperblock({ ...superblock, ...change }), at);
  await store.write("superblock", bytes);
  return store;
}

const foreign = new Uint8Array(16).fill(0x5c);
const cases: readonly [what: string, change: Partial<Superblock>][] = [
  ["another uuid", { uuid: foreign }],
  ["another uuid and a greater sequence", { uuid: foreign, sequence: 99 }],
  ["a larger capacity", { capacityBlocks: 512, sequence: 99 }],
  ["a smaller capacity", { capacityBlocks: 128, sequence: 99 }],
  ["other segments", { segmentBlocks: 16, sequence: 99 }],
  ["smaller map nodes", { nodeSize: 60, sequence: 99 }],
  ["other blocks", { blockSize: 1024, sequence: 99 }],
  ["data elsewhere", { dataOffset: 8192, sequence: 99 }],
  ["features that nobody knows", { readOnlyFeatures: 2 }],
  ["another alignment of the journal", { journalAlignment: 4096, sequence: 99 }],
];

/** A sample store that was being made larger when one slot was durable: this one. */
async function growing(slot: number): Promise<FsckStore> {
  const store = await sampleStore(3);
  const bytes = await store.read("superblock");
  const superblock = decodeSuperblock(bytes.slice(0, SUPERBLOCK_SLOT_SIZE));
  const { sequence, capacityBlocks, blockSize } = superblock;
  const larger = { sequence: sequence + 1, capacityBlocks: 5000 };
  bytes.set(encodeSuperblock({ ...superblock, ...larger }), slot * SUPERBLOCK_SLOT_SIZE);
  await store.write("superblock", bytes);
  const data = await store.read("data");
  const more = (larger.capacityBlocks - capacityBlocks) * blockSize;
  await store.write("data", Buffer.concat([data, new Uint8Array(more)]));
  return store;
}

describe.each([0, 1])("a store that was being made larger when slot %i was durable", (slot) => {
  it("has one finding, a leak, and a repair completes it", async () => {
    const before = await pictureOf(await sampleStore(3));
    const store = await growing(slot);
    const { report } = await examine(store.access, { data: true });
    expect(report).toMatchObject({ exitCode: 2, findings: [{ id: "S009", severity: "leak" }] });
    expect(report.findings[0]!.message).toContain("2.4 MiB");
    const repaired = await repairStore(store.access, undefined);
    expect(repaired).toMatchObject({ exitCode: 1, losses: [] });
    expect((await examine(store.access, { data: true })).report.findings).toEqual([]);
    expect(await pictureOf(store)).toEqual(before);
  });

  it("is completed by opening it, too", async () => {
    const before = await pictureOf(await sampleStore(3));
    const store = await growing(slot);
    const host = await store.open();
    expect(host.statistics().capacity).toBe(5000 * 512);
    await host.close();
    expect((await examine(store.access, { data: true })).report.findings).toEqual([]);
    expect(await pictureOf(store)).toEqual(before);
  });

  it("and whose data device is no longer than before, is not taken for one", async () => {
    const store = await growing(slot);
    await store.write("data", (await store.read("data")).slice(0, 4096 + 256 * 512));
    const { report } = await examine(store.access, { data: true });
    expect(report.findings.map(({ id }) => id)).toEqual(["S003"]);
  });
});

describe.each([0, 1])("slot %i with", (slot) => {
  it.each(cases)("%s is not taken for the store's", async (_, change) => {
    const before = await pictureOf(await sampleStore(3));
    const store = await withSlot(slot, change);
    const { report } = await examine(store.access, { data: true });
    expect(report.findings.map(({ id }) => id)).toEqual(["S003"]);
    expect(report.findings[0]!.message).toContain(
      `slot ${1 - slot} fits the rest of the store, and for the other`,
    );
    const repaired = await repairStore(store.access, undefined);
    expect(repaired).toMatchObject({ exitCode: 1, losses: [] });
    expect(await pictureOf(store)).toEqual(before);
    expect((await examine(store.access, { data: true })).report.exitCode).toBe(0);
  });

  it("another uuid is not taken for the store's where only the checkpoints tell", async () => {
    const store = await withSlot(slot, { uuid: foreign, sequence: 99 });
    await store.write("data", (await store.read("data")).fill(0, 0, 512));
    const journal = store.directory.directory("journal");
    for (const name of await journal.list()) await store.remove(`journal/${name}`);
    const { report } = await examine(store.access);
    expect(report.findings.find(({ id }) => id === "S003")!.message).toContain(
      `slot ${1 - slot} fits the rest of the store, and for the other a checkpoint is another`,
    );
  });

  it("a larger capacity is seen for what it is next to a checkpoint of another store", async () => {
    const store = await withSlot(slot, { capacityBlocks: 512, sequence: 99 });
    store.images.a = (await sampleStore(4)).images.a!;
    const { report, evidence } = await examine(store.access);
    expect(report.findings.map(({ id }) => id)).toEqual(["S003", "C015"]);
    expect(evidence!.superblock.capacityBlocks).toBe(store.layout.capacityBlocks);
  });

  it("a greater sequence counts where nothing else tells", async () => {
    const store = await withSlot(slot, { compatibleFeatures: 4, sequence: 99 });
    const { report, evidence } = await examine(store.access);
    expect(report.findings.map(({ id }) => id)).toEqual(["S003"]);
    expect(report.findings[0]!.message).toContain(`slot ${slot} is taken by its sequence`);
    expect(evidence!.superblock.compatibleFeatures).toBe(4);
  });
});
