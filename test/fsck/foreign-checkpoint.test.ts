/**
 * Checkpoints of another store in the place of ours: fsck tells of them by a finding of their own,
 * and takes nothing from them, whatever their LSN. A repair once wrote the other store's state over
 * ours, and called it sound.
 */
import { describe, expect, it } from "vitest";
import { storeIdOf } from "../../src/format/superblock.ts";
import { type CheckReport, examine } from "../../src/fsck/check.ts";
import { repairStore, undoRepair } from "../../src/fsck/repair.ts";
import { readSuperblock } from "../../src/host/superblock-slots.ts";
import { randomFrom } from "../../tools/damage/random.ts";
import { pictureOf } from "./support/contents.ts";
import { FsckStore } from "./support/fsck-store.ts";
import { sampleStore, work } from "./support/sample-store.ts";

type Name = "a" | "b";

async function checked(store: FsckStore): Promise<CheckReport> {
  return (await examine(store.access, { data: true })).report;
}

/** Of each finding its id, and the checkpoint that it was made in. */
function told({ findings }: CheckReport): string[] {
  return findings.map(({ id, where }) => `${id} ${where.state ?? ""}`.trimEnd());
}

/** Another store, whose checkpoints lie beyond all that ours has. */
async function otherStore(): Promise<FsckStore> {
  const store = new FsckStore();
  const host = await store.open();
  for (let round = 0; round < 4; round++) {
    await work(host, randomFrom(round), 30);
    await host.checkpoint();
  }
  await host.close();
  return store;
}

/** A store whose journal still holds everything since its creation. */
async function youngStore(): Promise<FsckStore> {
  const store = new FsckStore();
  const host = await store.open();
  for (let round = 0; round < 2; round++) {
    await work(host, randomFrom(round), 4);
    await host.checkpoint();
  }
  const left = store.copy();
  await host.close();
  return left;
}

/** A store of ours, and the same with checkpoints of the other one. */
async function mixedUp(
  whole: FsckStore,
  ...places: Name[]
): Promise<{ whole: FsckStore; store: FsckStore }> {
  const other = await otherStore();
  const [ours, theirs] = [await checked(whole), await checked(other)];
  expect(theirs.state!.lsn).toBeGreaterThan(ours.state!.lsn);
  const store = whole.copy();
  for (const name of places) store.images[name] = other.images[name]!.clone();
  return { whole, store };
}

describe.each<[Name]>([["a"], ["b"]])("in the place of %s, one of another store", (name) => {
  it("I6: is found, and the check goes on with the other one", async () => {
    const { whole, store } = await mixedUp(await sampleStore(3), name);
    const report = await checked(store);
    expect(told(report)).toEqual([`C015 ${name}`]);
    expect(report.exitCode).toBe(4);
    expect(report.state?.lsn).toBe((await checked(whole)).state!.lsn);
    expect(await pictureOf(store)).toEqual(await pictureOf(whole));
  });

  it("is written anew by a repair in place, which can be undone", async () => {
    const { whole, store } = await mixedUp(await sampleStore(3), name);
    const repaired = await repairStore(store.access, undefined);
    expect(repaired).toMatchObject({ exitCode: 1, corrected: 1, uncorrected: 0, losses: [] });
    expect((await checked(store)).exitCode).toBe(0);
    expect(await pictureOf(store)).toEqual(await pictureOf(whole));
    await undoRepair(store.access);
    expect(told(await checked(store))).toEqual([`C015 ${name}`]);
  });

  it("does not come into a repaired store, whose checkpoints bear its own new id", async () => {
    const { whole, store } = await mixedUp(await sampleStore(3), name);
    const target = new FsckStore();
    const repaired = await repairStore(store.access, target.access);
    expect(repaired).toMatchObject({ exitCode: 1, uncorrected: 0, losses: [] });
    expect(await pictureOf(target)).toEqual(await pictureOf(whole));
    const [own, former] = [
      await readSuperblock(target.directory),
      await readSuperblock(store.directory),
    ];
    expect(storeIdOf(own)).not.toEqual(storeIdOf(former));
    for (const image of [target.images.a, target.images.b]) {
      expect(image!.owner).toEqual(storeIdOf(own));
    }
  });

  it("is no witness either where the journal is lost: as if it were not there", async () => {
    const { store } = await mixedUp(await sampleStore(3), name);
    for (const file of await store.directory.directory("journal").list()) {
      await store.remove(`journal/${file}`);
    }
    const without = store.copy();
    without.images[name] = undefined;
    for (const each of [store, without]) {
      expect((await repairStore(each.access, undefined)).exitCode).toBe(1);
    }
    expect(await pictureOf(store)).toEqual(await pictureOf(without));
  });
});

describe("both checkpoints of another store", () => {
  it("leave the journal, which is whole since creation", async () => {
    const { whole, store } = await mixedUp(await youngStore(), "a", "b");
    expect(told(await checked(store))).toEqual(["C015 a", "C015 b"]);
    expect((await repairStore(store.access, undefined)).exitCode).toBe(1);
    expect(await pictureOf(store)).toEqual(await pictureOf(whole));
    expect((await checked(store)).exitCode).toBe(0);
  });

  it("leave nothing where the journal is lost, too: nothing is written", async () => {
    const { store } = await mixedUp(await sampleStore(3), "a", "b");
    for (const file of await store.directory.directory("journal").list()) {
      await store.remove(`journal/${file}`);
    }
    const { a, b } = store.images;
    expect(told(await checked(store))).toContain("R003");
    expect((await repairStore(store.access, undefined)).exitCode).toBe(4);
    expect(store.images).toEqual({ a, b });
  });
});
