/**
 * More bad blocks than findings are kept: both repairs look for every one of them in the journal,
 * count them all, and say of each whose it is.
 */
import { expect, it } from "vitest";
import { repairLines } from "../../src/cli/commands/repair.ts";
import { repairStore } from "../../src/fsck/repair.ts";
import { FsckStore, smallLayout } from "./support/fsck-store.ts";

const BLOCKS = 1500;
/** Written last, one by one: the journal still carries them. */
const CARRIED = 20;
const BLOCK = 512;

async function storeWithBadBlocks(): Promise<FsckStore> {
  const store = new FsckStore({ ...smallLayout, segmentBlocks: 64, capacityBlocks: 4096 });
  const host = await store.open();
  const disk = await host.create("disk", { size: BLOCKS * BLOCK });
  await disk.write(0, Buffer.alloc(BLOCKS * BLOCK, "data"));
  await host.checkpoint();
  await host.checkpoint();
  for (let i = 0; i < CARRIED; i++) {
    await disk.write((BLOCKS - 1 - i) * BLOCK, Buffer.alloc(BLOCK, "last"));
    await disk.flush();
  }
  await host.close();
  const bytes = await store.read("data");
  await store.write("data", bytes.fill(0x55, 4096));
  return store;
}

it("are all told of, by both repairs", async () => {
  const store = await storeWithBadBlocks();
  const target = new FsckStore(store.layout);
  const copied = await repairStore(store.access, target.access, { data: true });
  const inPlace = await repairStore(store.access, undefined, { data: true });
  const lost = BLOCKS - CARRIED;
  for (const report of [copied, inPlace]) {
    const { losses, uncorrected, exitCode } = report;
    expect({ failure: report.failure, uncorrected }).toEqual({ uncorrected: lost });
    expect(exitCode & 4).toBe(4);
    const offsets = losses.map(({ kind, subvolume, offset, length }) => {
      expect({ kind, subvolume, length }).toEqual({
        kind: "unreadable",
        subvolume: "disk",
        length: BLOCK,
      });
      return offset! / BLOCK;
    });
    expect(offsets.toSorted((a, b) => a - b)).toEqual(Array.from({ length: lost }, (_, i) => i));
    const lines = repairLines(report);
    expect(lines).toContain(`and ${lost - 1000} more losses; --json has them all`);
    expect(lines.at(-1)).toContain(`sound, but ${lost} of its blocks cannot be read`);
  }
});

it("that several subvolumes share are told of all of them", async () => {
  const store = new FsckStore({ ...smallLayout, segmentBlocks: 64, capacityBlocks: 4096 });
  const host = await store.open();
  // Each write is too much for the journal, from which it could be brought back.
  const disk = await host.create("disk", { size: 1000 * BLOCK });
  await disk.write(0, Buffer.alloc(1000 * BLOCK, "data"));
  await host.snapshot("disk", "disk@1");
  await host.clone("disk@1", "lab");
  await disk.write(0, Buffer.alloc(400 * BLOCK, "new"));
  await host.checkpoint();
  await host.checkpoint();
  await host.close();
  const bytes = await store.read("data");
  await store.write("data", bytes.fill(0x55, 4096));
  const target = new FsckStore(store.layout);
  const copied = await repairStore(store.access, target.access, { data: true });
  const inPlace = await repairStore(store.access, undefined, { data: true });
  for (const { losses } of [copied, inPlace]) {
    const owners = new Map<string, number>();
    for (const { subvolume, alsoIn = [] } of losses) {
      const names = [subvolume, ...alsoIn].join();
      owners.set(names, (owners.get(names) ?? 0) + 1);
    }
    expect(Object.fromEntries(owners)).toEqual({
      "disk,disk@1,lab": 600,
      "disk@1,lab": 400,
      disk: 400,
    });
  }
  const lines = repairLines(copied).join("\n");
  expect(lines).toMatch(/^D001 .* \[replayed, subvolume "disk", also in "disk@1", "lab", /m);
  expect(lines).toMatch(/^unreadable: subvolume "disk", also in "disk@1", "lab" at \d/m);
});

it("a store that was not looked at is not called clean", async () => {
  const store = await storeWithBadBlocks();
  const host = await store.open();
  const report = await repairStore(store.access, undefined);
  await host.close();
  expect(report.failure?.code).toBe("ELOCKED");
  expect(repairLines(report).join()).toContain("not checked");
});
