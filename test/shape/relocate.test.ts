/** How many maps the move of a run of blocks asks, in a host with many subvolumes. */
import { expect, it, vi } from "vitest";
import { MemoryStore } from "../support/memory-store.ts";

const B = 512;
const SUBVOLUMES = 300;

// Each record looked at every subvolume that there is; with 10,000 that took a millisecond.
it("a relocation looks at the maps of one family, and at one that many share once", async () => {
  const store = MemoryStore.create({ capacityBlocks: 16_384 });
  const host = await store.open({ cacheSize: 2 ** 22, maxDirty: 2 ** 22, journalSize: 2 ** 22 });
  const disk = await host.create("disk", { size: 64 * B });
  for (let i = 0; i < 8; i++) await disk.write(2 * i * B, Buffer.alloc(B, "x"));
  for (let i = 0; i < SUBVOLUMES; i++) {
    const other = await host.create(`other ${i}`, { size: 64 * B });
    await other.write(0, Buffer.alloc(B, "y"));
    await host.snapshot("disk", `snapshot ${i}`);
  }
  const { state, allocator } = store.engineOf(host);
  const { catalogue, nodes } = state;
  const { root, family } = catalogue.named("disk")!;
  expect([...catalogue.rootsOf(family)]).toEqual([root]);
  const target = allocator.takeWhole(8)!;
  const before = [...Array(8)].map((_, i) => disk.map(2 * i * B, B).addr! / B);
  const all = vi.spyOn(catalogue, "entries");
  const looks = vi.spyOn(nodes, "get");
  const from = Math.min(...before) - state.geometry.dataOffset / B;
  store.engineOf(host).commitNow({
    changes: [{ type: "record", record: { type: "relocate", from, to: target.pblock, count: 8 } }],
  });
  expect(all).not.toHaveBeenCalled();
  expect(looks.mock.calls.filter(([id]) => id === root)).toHaveLength(1);
  vi.restoreAllMocks();
  expect(disk.map(0, B).addr).not.toBe(before[0]! * B);
  for (let i = 0; i < 8; i++)
    expect(host.get("snapshot 7").map(2 * i * B, B).flags.shared).toBe(true);
  await host.rollback("disk", "snapshot 7");
  await host.delete("snapshot 7");
  await disk.write(0, Buffer.alloc(B, "z"));
  const roots = new Set(
    [...catalogue.entries()].filter((one) => one.family === family).map((one) => one.root),
  );
  expect(new Set(catalogue.rootsOf(family))).toEqual(roots);
  expect(roots.size).toBe(2);
  await host.close();
});
