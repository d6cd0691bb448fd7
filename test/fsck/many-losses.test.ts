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

it("a store that was not looked at is not called clean", async () => {
  const store = await storeWithBadBlocks();
  const host = await store.open();
  const report = await repairStore(store.access, undefined);
  await host.close();
  expect(report.failure?.code).toBe("ELOCKED");
  expect(repairLines(report).join()).toContain("not checked");
});
