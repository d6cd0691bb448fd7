/**
 * A store whose superblock has the name of an unfinished creation: a loss of power took back the
 * rename that ends one. All of it is there, so a repair has to give the name only.
 */
import { describe, expect, it } from "vitest";
import { examine } from "../../src/fsck/check.ts";
import { repairStore } from "../../src/fsck/repair.ts";
import { pictureOf } from "./support/contents.ts";
import { FsckStore } from "./support/fsck-store.ts";
import { sampleStore } from "./support/sample-store.ts";

async function withoutName(store: FsckStore): Promise<FsckStore> {
  await store.directory.rename("superblock", "superblock.new");
  await store.directory.sync();
  return store;
}

async function idsOf(store: FsckStore): Promise<string[]> {
  const { report } = await examine(store.access, { data: true });
  expect(report.failure).toBeUndefined();
  return report.findings.map(({ id }) => id);
}

describe("a store whose superblock is still called superblock.new", () => {
  it("is found, and its data is checked", async () => {
    const store = await withoutName(await sampleStore(3));
    const { report } = await examine(store.access, { data: true });
    expect(report.findings.map(({ id, severity }) => [id, severity])).toEqual([["I006", "damage"]]);
    expect(report.phases.map(({ phase }) => phase)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(report.exitCode).toBe(4);
  });

  it.each(["in place", "into a new store"])(
    "is repaired %s, with all that it held",
    async (how) => {
      const before = await pictureOf(await sampleStore(3));
      const store = await withoutName(await sampleStore(3));
      const target = how === "in place" ? undefined : new FsckStore();
      const repaired = await repairStore(store.access, target?.access, { only: "safe" });
      expect(repaired).toMatchObject({ exitCode: 1, losses: [] });
      expect(await pictureOf(target ?? store)).toEqual(before);
      expect(await idsOf(target ?? store)).toEqual([]);
      expect(await idsOf(store)).toEqual(target ? ["I006"] : []);
    },
  );

  it("is repaired in place wherever the repair is killed, and the power goes", async () => {
    const before = await pictureOf(await sampleStore(3));
    for (let changes = 0, isDone = false; !isDone; changes++) {
      const store = await withoutName(await sampleStore(3));
      let left = changes;
      const dying = store.copy(({ kind }) => {
        if (kind !== "read" && left-- <= 0) throw new Error("killed");
      });
      await repairStore(dying.access, undefined);
      isDone = left >= 0;
      const after = new FsckStore(
        store.layout,
        dying.directory.crash(() => 0),
        dying.images,
      );
      await repairStore(after.access, undefined);
      expect(await pictureOf(after)).toEqual(before);
      expect(await idsOf(after)).toEqual([]);
    }
  });

  it("counts only where the store was finished: with a checkpoint", async () => {
    const store = await withoutName(await sampleStore(3));
    store.images.a = undefined;
    store.images.b = undefined;
    expect(await idsOf(store)).toEqual(["I001"]);
    const report = await repairStore(store.access, undefined);
    expect(report.exitCode).toBe(4);
    // It was told only that the superblock is missing, as if a store were lost.
    expect(report.before.findings[0]!.message).toMatch(/not made to its end, .*"blockspace init"/);
  });

  it("counts only with a sound slot", async () => {
    const store = await withoutName(await sampleStore(3));
    await store.write("superblock.new", new Uint8Array(8192));
    expect(await idsOf(store)).toEqual(["I001"]);
  });

  it("is a store with a damaged slot where one slot is left", async () => {
    const store = await withoutName(await sampleStore(3));
    const bytes = await store.read("superblock.new");
    bytes[20]! ^= 1;
    await store.write("superblock.new", bytes);
    expect(await idsOf(store)).toEqual(["I006", "S001"]);
    expect((await repairStore(store.access, undefined)).exitCode).toBe(1);
    expect(await idsOf(store)).toEqual([]);
  });
});
