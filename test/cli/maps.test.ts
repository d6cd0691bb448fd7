/** The commands that show maps: map and diff. */
import { describe, expect, it } from "vitest";
import { type Host, MiB } from "../../src/index.ts";
import { mapEntries } from "../../src/cli/commands/map.ts";
import { blockspace, blockspaceJson, failure, inspect, makeStore, scratch } from "./blockspace.ts";

const at = scratch();

/** Hole, two shared blocks, hole, preallocated blocks, one block of its own, hole. */
async function patchwork(host: Host): Promise<void> {
  const disk = await host.create("disk", { size: MiB + 1 });
  await disk.write(4096, Buffer.alloc(8192, "a"));
  await host.snapshot("disk", "snap");
  await disk.preallocate(5 * 4096, 8192);
  await disk.write(7 * 4096, Buffer.alloc(4096, "b"));
}

describe("map", () => {
  it("is one array with the names of qemu-img, and two of its own", async () => {
    await makeStore(at("s"), patchwork);
    const iomaps = await inspect(at("s"), (host) => [...host.get("disk").extents()]);
    const offsets = iomaps.filter(({ addr }) => addr !== null).map(({ addr }) => addr);
    const hole = { data: false, zero: true, shared: false, type: "hole" };
    const unwritten = { data: false, zero: true, shared: false, type: "unwritten" };
    const mapped = { data: true, zero: false, type: "mapped" };
    expect(await blockspaceJson("map", at("s"), "disk")).toEqual([
      { start: 0, length: 4096, ...hole },
      { start: 4096, length: 8192, ...mapped, shared: true, offset: offsets[0] },
      { start: 12288, length: 8192, ...hole },
      { start: 20480, length: 8192, ...unwritten, offset: offsets[1] },
      { start: 28672, length: 4096, ...mapped, shared: false, offset: offsets[2] },
      { start: 32768, length: MiB + 1 - 32768, ...hole },
    ]);
  });

  it("shows exact sizes in columns", async () => {
    await makeStore(at("s"), patchwork);
    const lines = (await blockspace("map", at("s"), "disk")).trimEnd().split("\n");
    expect(lines[0]).toMatch(/^ +START {8}LENGTH {10}OFFSET {2}TYPE {7}SHARED$/);
    expect(lines[1]).toMatch(/^ {11}0 B {9}4 KiB {15}- {2}hole$/);
    expect(lines[2]).toMatch(/^ {9}4 KiB {9}8 KiB +\d+ KiB {2}mapped {5}shared$/);
    expect(lines[4]).toMatch(/^ {8}20 KiB {9}8 KiB +\d+ KiB {2}unwritten$/);
    expect(lines[6]).toMatch(/^ {8}32 KiB {5}1015809 B {15}- {2}hole$/);
  });

  it("joins what goes on in the same way, and nothing else", async () => {
    const flags = { new: false, shared: false, dirty: false };
    const iomaps = [
      { offset: 0, length: 10, addr: 100, type: "mapped", flags },
      { offset: 10, length: 10, addr: 110, type: "mapped", flags },
      { offset: 20, length: 10, addr: 120, type: "mapped", flags: { ...flags, shared: true } },
      { offset: 30, length: 10, addr: 200, type: "mapped", flags: { ...flags, shared: true } },
      { offset: 40, length: 10, addr: 210, type: "unwritten", flags },
      { offset: 50, length: 10, addr: null, type: "hole", flags },
      { offset: 60, length: 10, addr: null, type: "hole", flags },
    ] as const;
    const places: (number | undefined)[][] = [];
    for await (const { start, length, offset } of mapEntries(iomaps)) {
      places.push([start, length, offset]);
    }
    expect(places).toEqual([
      [0, 20, 100],
      [20, 10, 120],
      [30, 10, 200],
      [40, 10, 210],
      [50, 20, undefined],
    ]);
  });
});

describe("diff", () => {
  it("tells the ranges that may differ", async () => {
    await makeStore(at("s"), patchwork);
    expect(await blockspaceJson("diff", at("s"), "snap", "disk")).toEqual([
      { offset: 28672, length: 4096 },
    ]);
    expect(await blockspace("diff", at("s"), "disk", "snap")).toBe(
      "        OFFSET        LENGTH\n        28 KiB         4 KiB\n",
    );
    expect(await blockspaceJson("diff", at("s"), "snap", "snap")).toEqual([]);
  });

  it("tells a long range as one, though the library finds it in pieces", async () => {
    const BLOCKS = 5000;
    await makeStore(at("s"), async (host) => {
      const disk = await host.create("disk", { size: BLOCKS * 4096 });
      await host.snapshot("disk", "empty");
      const block = Buffer.alloc(4096, "x");
      for (let i = BLOCKS - 1; i >= 0; i--) await disk.write(i * 4096, block);
      expect([...host.diff("empty", "disk")].length).toBeGreaterThan(1);
    });
    expect(await blockspaceJson("diff", at("s"), "empty", "disk")).toEqual([
      { offset: 0, length: BLOCKS * 4096 },
    ]);
  });

  it("fails for names that are not there", async () => {
    await makeStore(at("s"), patchwork);
    expect(await failure("diff", at("s"), "disk", "nobody")).toEqual({
      code: 1,
      says: 'blockspace: ENOENT: there is no subvolume "nobody"\n',
    });
  });
});
