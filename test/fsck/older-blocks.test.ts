/**
 * Promise I4, seen from the disk: the blocks of both checkpoints hold what they held, also those
 * that the state has given up, so that a store whose newer checkpoint and journal are lost still
 * has the older one.
 */
import { describe, expect, it } from "vitest";
import { examine } from "../../src/fsck/check.ts";
import { repairStore } from "../../src/fsck/repair.ts";
import type { Host } from "../../src/host/host.ts";
import { FsckStore } from "./support/fsck-store.ts";
import { stamp } from "./support/sample-store.ts";

const B = 512;

/** A store whose first checkpoint has blocks that the second one has not. */
async function storeOfTwoAges(): Promise<FsckStore> {
  const store = new FsckStore();
  const host: Host = await store.open();
  const disk = await host.create("disk", { size: 32 * B });
  await disk.write(0, stamp(1, 4));
  await host.checkpoint();
  await disk.write(0, stamp(2, 4));
  await host.checkpoint();
  await host.flush();
  const left = store.copy();
  await host.close();
  return left;
}

/** Where on the data device a block lies, found by what it says. */
async function addressOfBlock(store: FsckStore, text: string): Promise<number> {
  const at = Buffer.from(await store.read("data")).indexOf(text);
  expect(at).toBeGreaterThan(0);
  return at;
}

async function overwrite(store: FsckStore, address: number): Promise<void> {
  const bytes = await store.read("data");
  bytes.fill(7, address, address + B);
  await store.write("data", bytes);
}

async function found(store: FsckStore, dataFrom = 0): Promise<string[]> {
  const { report } = await examine(store.access, { data: true, dataFrom });
  expect(report.failure).toBeUndefined();
  return report.findings.map(({ id, where }) => `${id} ${where.state} ${where.blocks?.address}`);
}

describe("a block that only the older checkpoint refers to", () => {
  it("is read, and nothing is found where nothing is wrong", async () => {
    const store = await storeOfTwoAges();
    const { report } = await examine(store.access, { data: true });
    expect(report).toMatchObject({ exitCode: 0, data: { bytes: 8 * B } });
  });

  it("I4: is told of by the checkpoint's name when it was written over", async () => {
    const store = await storeOfTwoAges();
    const address = await addressOfBlock(store, "write 1, block 2;");
    await overwrite(store, address);
    expect(await found(store)).toEqual([`D003 a ${address}`]);
    const { report } = await examine(store.access);
    expect(report.exitCode).toBe(0);
  });

  it("is passed over by a scrub that begins behind it", async () => {
    const store = await storeOfTwoAges();
    const address = await addressOfBlock(store, "write 1, block 2;");
    await overwrite(store, address);
    expect(await found(store, address)).toHaveLength(1);
    expect(await found(store, address + B)).toEqual([]);
  });

  it.each([true, false])(
    "P5: is of no importance any more after a repair, in place: %s",
    async (isInPlace) => {
      const store = await storeOfTwoAges();
      await overwrite(store, await addressOfBlock(store, "write 1, block 2;"));
      const target = isInPlace ? store : new FsckStore();
      const report = await repairStore(store.access, isInPlace ? undefined : target.access, {
        data: true,
      });
      expect(report).toMatchObject({ exitCode: 1, corrected: 1, uncorrected: 0, losses: [] });
      expect(await found(target)).toEqual([]);
      const host = await target.open();
      expect(Buffer.from(await host.get("disk").read(0, 4 * B))).toEqual(stamp(2, 4));
      await host.close();
    },
  );

  it("is told of as the state's when the state has it, too", async () => {
    const store = await storeOfTwoAges();
    const address = await addressOfBlock(store, "write 2, block 1;");
    await overwrite(store, address);
    expect(await found(store)).toEqual([`D001 replayed ${address}`]);
  });
});

describe("a scrub in parts", () => {
  it("begins within a run of blocks where it was told to", async () => {
    const store = await storeOfTwoAges();
    const address = await addressOfBlock(store, "write 2, block 3;");
    await overwrite(store, address);
    expect(await found(store, address)).toEqual([`D001 replayed ${address}`]);
  });
});
