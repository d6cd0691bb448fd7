/** Names and sharing: list, get, rename, delete, usage and diff. */
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Host } from "../../src/host/host.ts";
import type { Subvolume } from "../../src/host/subvolume.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { blocks, expectBytes, refusal, unawaited } from "./refusal.ts";

const B = 512;

async function start(): Promise<{ store: MemoryStore; host: Host; disk: Subvolume }> {
  const store = MemoryStore.create();
  const host = await store.open();
  const disk = await host.create("disk", { size: 64 * B });
  await disk.write(0, blocks("x", 10));
  return { store, host, disk };
}

describe("list and get", () => {
  it("tell what each subvolume is, in the order of their making", async () => {
    const began = Date.now();
    const { store, host } = await start();
    await host.snapshot("disk", "snap");
    await host.clone("snap", "clone");
    await host.create("z first", { size: 1 });
    await host.rename("clone", "a clone");
    const expected = [
      { name: "disk", size: 64 * B, readOnly: false, source: null },
      { name: "snap", size: 64 * B, readOnly: true, source: "disk" },
      { name: "a clone", size: 64 * B, readOnly: false, source: "snap" },
      { name: "z first", size: 1, readOnly: false, source: null },
    ];
    expect(host.list()).toMatchObject(expected);
    const ids = host.list().map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted((a, b) => a - b));
    await host.close();
    const again = await store.open();
    expect(again.list()).toMatchObject(expected);
    for (const { created } of again.list()) {
      expect(created.getTime()).toBeGreaterThanOrEqual(began);
      expect(created.getTime()).toBeLessThanOrEqual(Date.now());
    }
    await again.close();
  });

  it("a handle outlives a rename, a source that is gone is not told", async () => {
    const { host, disk } = await start();
    expect(host.get("disk")).toBe(disk);
    await host.snapshot("disk", "snap");
    await host.rename("disk", "new");
    expect(disk.name).toBe("new");
    expect(host.get("new")).toBe(disk);
    expect(await refusal(() => host.get("disk"))).toMatchObject({ code: "ENOENT" });
    await host.delete("new");
    expect(host.list()).toMatchObject([{ name: "snap", source: null }]);
    await host.close();
  });

  it("ids are never used again", async () => {
    const { store, host, disk } = await start();
    const second = await host.create("second", { size: 1 });
    await host.delete("second");
    await host.close();
    const again = await store.open();
    const third = await again.create("third", { size: 1 });
    expect(third.id).toBeGreaterThan(second.id);
    expect(second.id).toBeGreaterThan(disk.id);
    await again.close();
  });

  it("what was made and deleted before anybody looked is still what its maker gets", async () => {
    const { host } = await start();
    const made = host.create("brief", { size: 1 });
    const deleted = host.delete("brief");
    const brief = await made;
    await deleted;
    expect(await refusal(() => brief.name)).toMatchObject({ code: "ECLOSED" });
    await host.close();
  });

  it("names are free as soon as they are given up", async () => {
    const { host } = await start();
    unawaited(host.rename("disk", "old"));
    unawaited(host.create("disk", { size: 7 }));
    unawaited(host.delete("old"));
    const third = await host.create("old", { size: 9 });
    expect(third.size).toBe(9);
    expect(host.get("disk").size).toBe(7);
    await host.close();
  });
});

describe("usage", () => {
  it("tells what each refers to, and what would come free without it", async () => {
    const { host, disk } = await start();
    await host.snapshot("disk", "snap");
    await disk.write(0, blocks("y", 3));
    await disk.preallocate(20 * B, 4 * B);
    await host.clone("disk", "clone");
    expect(Object.fromEntries(host.usage())).toEqual({
      disk: { referencedBytes: 14 * B, exclusiveBytes: 0 },
      snap: { referencedBytes: 10 * B, exclusiveBytes: 3 * B },
      clone: { referencedBytes: 14 * B, exclusiveBytes: 0 },
    });
    await host.delete("clone");
    while (host.statistics().deadNodes > 0) await host.flush();
    const { allocated } = host.statistics();
    const { exclusiveBytes } = host.usage().get("snap")!;
    await host.delete("snap");
    while (host.statistics().deadNodes > 0) await host.flush();
    expect(allocated - host.statistics().allocated).toBe(exclusiveBytes);
    await host.close();
  });

  // It was one walk of all maps, and a server answered no client for as long as `list` took.
  it("can be counted in turns, of what there is at the last of them", async () => {
    const { host, disk } = await start();
    for (let i = 0; i < 64; i++) await disk.write(((i * 7) % 64) * B, blocks("x"));
    await host.snapshot("disk", "snap");
    let nowMs = 0;
    const clock = vi.spyOn(performance, "now").mockImplementation(() => (nowMs += 10));
    onTestFinished(() => clock.mockRestore());
    const turn = host.usageInTurns(5);
    expect(turn()).toBeUndefined();
    await host.clone("snap", "late");
    let usage: ReturnType<typeof turn>;
    for (let turns = 1; !(usage = turn()); turns++) expect(turns).toBeLessThan(100);
    expect(usage).toEqual(host.usage());
    expect([...usage.keys()]).toEqual(["disk", "snap", "late"]);
    await host.close();
    expect(turn).toThrow("ECLOSED");
  });
});

describe("diff", () => {
  it("gives the ranges that differ, in order, and none where nothing does", async () => {
    const { host, disk } = await start();
    await host.snapshot("disk", "snap");
    expect([...host.diff("disk", "snap")]).toEqual([]);
    await disk.write(2 * B + 5, Buffer.from("y"));
    await disk.write(5 * B, blocks("y", 2));
    await disk.discard(9 * B, 4 * B);
    await disk.preallocate(30 * B, 4 * B);
    const expected = [
      { offset: 2 * B, length: B },
      { offset: 5 * B, length: 2 * B },
      { offset: 9 * B, length: B },
    ];
    expect([...host.diff("disk", "snap")]).toEqual(expected);
    expect([...host.diff("snap", "disk")]).toEqual(expected);
    expect([...host.diff("disk", "disk")]).toEqual([]);
    await host.close();
  });

  it("ends with the longer of the two", async () => {
    const { host, disk } = await start();
    await host.snapshot("disk", "snap");
    await disk.resize(100 * B + 7);
    await disk.write(100 * B, Buffer.from("end"));
    expect([...host.diff("snap", "disk")]).toEqual([{ offset: 100 * B, length: 7 }]);
    await host.close();
  });

  it("goes on while the maps change under it", async () => {
    const store = MemoryStore.create({ capacityBlocks: 4096 });
    const host = await store.open();
    const disk = await host.create("disk", { size: 1024 * B });
    await host.snapshot("disk", "snap");
    for (let i = 0; i < 500; i++) await disk.write(2 * i * B, blocks("y"));
    const seen: number[] = [];
    for (const { offset } of host.diff("disk", "snap")) {
      seen.push(offset / B);
      if (seen.length === 3) {
        await disk.discard(100 * B, 800 * B);
        while (host.statistics().deadNodes > 0) await host.flush();
        await host.checkpoint();
      }
    }
    const expected = [...Array(500).keys()].map((i) => 2 * i).filter((i) => i < 100 || i >= 900);
    expect(seen).toEqual(expected);
    await host.close();
  });
});

describe("map and extents", () => {
  it("tell holes, data and preallocated blocks, clipped to the byte", async () => {
    const { host, disk } = await start();
    await disk.preallocate(20 * B, 2 * B);
    const shape = (from?: number, count?: number): unknown[] =>
      [...disk.extents(from, count)].map(({ type, offset, length }) => [type, offset, length]);
    expect(shape()).toEqual([
      ["mapped", 0, 10 * B],
      ["hole", 10 * B, 10 * B],
      ["unwritten", 20 * B, 2 * B],
      ["hole", 22 * B, 42 * B],
    ]);
    expect(shape(9 * B + 100, B)).toEqual([
      ["mapped", 9 * B + 100, B - 100],
      ["hole", 10 * B, 100],
    ]);
    const { addr } = disk.map(0);
    expect(disk.map(B + 7, 1)).toMatchObject({ addr: addr! + B + 7, offset: B + 7, length: 1 });
    expect(shape(64 * B, 0)).toEqual([]);
    await host.close();
  });

  it("flags tell what is shared and what is not durable yet", async () => {
    const { host, disk } = await start();
    expect(disk.map(0).flags).toEqual({ new: false, shared: false, dirty: true });
    await host.flush();
    expect(disk.map(0).flags.dirty).toBe(false);
    const snapshot = await host.snapshot("disk", "snap");
    expect(disk.map(0).flags.shared).toBe(true);
    await disk.write(0, blocks("y", 2));
    expect([...disk.extents(0, 10 * B)].map(({ flags }) => flags)).toEqual([
      { new: false, shared: false, dirty: true },
      { new: false, shared: true, dirty: true },
    ]);
    expect(snapshot.map(0, 2 * B).flags.shared).toBe(false);
    await host.close();
  });

  it("extents see what changes while they are iterated, a truncation too", async () => {
    const { host, disk } = await start();
    const seen: unknown[] = [];
    for (const { type, offset } of disk.extents()) {
      seen.push([type, offset / B]);
      if (seen.length === 1) await disk.write(12 * B, blocks("new"));
      if (seen.length === 3) await disk.resize(20 * B);
    }
    expect(seen).toEqual([
      ["mapped", 0],
      ["hole", 10],
      ["mapped", 12],
      ["hole", 13],
    ]);
    expectBytes(await disk.read(12 * B, B), blocks("new"));
    await host.close();
  });
});

describe("ids", () => {
  it("end with the last that a checkpoint can count behind; nothing is lost by it", async () => {
    const { store, host } = await start();
    store.engineOf(host).state.catalogue.next = 2 ** 32 - 2;
    expect((await host.snapshot("disk", "last")).id).toBe(2 ** 32 - 2);
    const makers = [
      () => host.snapshot("disk", "more"),
      () => host.create("more", { size: B }),
      () => host.transact((tx) => tx.clone("disk", "more")),
    ];
    for (const make of makers) expect(await refusal(make)).toMatchObject({ code: "ENOSPC" });
    await host.delete("last");
    await host.close();
    const again = await store.open();
    expect(await refusal(() => again.clone("disk", "more"))).toMatchObject({ code: "ENOSPC" });
    expectBytes(await again.get("disk").read(0, 10 * B), blocks("x", 10));
    await again.close();
  });
});
