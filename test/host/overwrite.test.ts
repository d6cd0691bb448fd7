/**
 * Promise I4: nothing live is overwritten. Every write and discard on the data device is held
 * against what the store on disk said at that moment: the blocks that hold data for the newer or
 * the older checkpoint, and those that a journal record after the older one refers to. Such a block
 * is never discarded, and never written with anything but what its record says.
 */
import { describe, expect, it } from "vitest";
import { crc32 } from "../../src/base/checksum.ts";
import { isBlockspaceError } from "../../src/base/errors.ts";
import { readSuperblock } from "../../src/host/superblock-slots.ts";
import type { Host } from "../../src/host/host.ts";
import { JournalReader } from "../../src/journal/reader.ts";
import { extents } from "../../src/map/lookup.ts";
import { State } from "../../src/replay/state.ts";
import { geometryOf } from "../../src/space/geometry.ts";
import { seededNumbers } from "../device/scratch.ts";
import { MemoryStore, placeOf } from "../support/memory-store.ts";
import { blocks, expectBytes } from "./refusal.ts";

const B = 512;

/** A change of the data device, with the store as it was just before it. */
interface DataChange {
  kind: "write" | "discard";
  offset: number;
  length: number;
  before: MemoryStore;
}

/** By block: what may be written to it; nothing at all where a checkpoint has it. */
type Guarded = Map<number, Set<number>>;

async function guardedBlocks(store: MemoryStore): Promise<Guarded> {
  const superblock = await readSuperblock(store.directory);
  const geometry = geometryOf(superblock);
  const guarded: Guarded = new Map();
  const starts: { lsn: number; checksum: number }[] = [];
  for (const name of ["a", "b"] as const) {
    const environment = await store.environments.open(name);
    if (!environment.closing()) {
      starts.push({ lsn: 0, checksum: 0 });
      continue;
    }
    const state = new State(geometry, environment, 2 ** 20);
    const checksum = state.load();
    starts.push({ lsn: state.lsn, checksum });
    for (const { root, size } of state.catalogue.entries()) {
      for (const extent of extents(state.nodes, root, 0, Math.ceil(size / B))) {
        for (let i = 0; !extent.unwritten && i < extent.count; i++) {
          guarded.set(extent.pblock + i, new Set());
        }
      }
    }
  }
  const older = starts.toSorted((one, other) => one.lsn - other.lsn)[0]!;
  const identity = {
    storeId: superblock.uuid.subarray(0, 8),
    alignment: superblock.journalAlignment,
  };
  const reader = new JournalReader(store.directory.directory("journal"), identity, older);
  for await (const batch of reader.batches()) {
    for (const record of batch.commits.flatMap(({ records }) => records)) {
      if (record.type !== "remap" && record.type !== "convert") continue;
      record.checksums?.forEach((checksum, i) => {
        const allowed = guarded.get(record.pblock + i);
        if (allowed?.size === 0) return;
        guarded.set(record.pblock + i, (allowed ?? new Set()).add(checksum));
      });
    }
  }
  return guarded;
}

/** Records every change of the data device of a store. */
function watch(store: MemoryStore, changes: DataChange[]): void {
  store.onOperation = (operation) => {
    const { kind, offset = 0, length = 0 } = operation;
    if (placeOf(operation) !== "data" || (kind !== "write" && kind !== "discard")) return;
    changes.push({ kind, offset, length, before: store.killed() });
  };
}

/** The blocks that a change touched although they were guarded. */
async function violations(change: DataChange, after: MemoryStore): Promise<string[]> {
  const guarded = await guardedBlocks(change.before);
  const { dataOffset } = change.before.layout;
  const data = await after.data();
  const found: string[] = [];
  const block = new Uint8Array(B);
  for (let address = change.offset; address < change.offset + change.length; address += B) {
    const pblock = (address - dataOffset) / B;
    const allowed = guarded.get(pblock);
    if (!allowed) continue;
    await data.read(block, address);
    const sound = change.kind === "write" && allowed.has(crc32(block));
    if (!sound) found.push(`${change.kind} of block ${pblock}`);
  }
  return found;
}

async function step(host: Host, next: (limit: number) => number, i: number): Promise<void> {
  const disks = host.list().filter(({ readOnly }) => !readOnly);
  const disk = host.get(disks[next(disks.length)]!.name);
  const at = next(60) * B;
  switch (next(14)) {
    case 0:
      return disk.discard(at, next(20) * B);
    case 1:
      return disk.preallocate(at, next(8) * B);
    case 2:
      return void (await host.snapshot(disk.name, `s${i}`));
    case 3:
      return void (await host.clone(disk.name, `c${i}`));
    case 4:
    case 5: {
      const names = host.list().filter(({ name }) => name !== "disk");
      return names.length === 0 ? undefined : host.delete(names[next(names.length)]!.name);
    }
    case 6:
      return host.flush();
    case 7:
      return host.checkpoint();
    case 8:
      return void (await host.compact());
    case 9: {
      using cookie = await disk.reserve(4, B);
      const iomap = await disk.allocate(cookie, at, 4 * B);
      await disk.submit(iomap, blocks(`c${i} `, iomap.length / B));
      if (next(4) > 0) {
        const mode = iomap.type === "unwritten" ? "unwritten" : "cow";
        await disk.commit(cookie, at, iomap.length, mode);
      }
      return undefined;
    }
    default:
      return disk.write(at, blocks(`w${i} `, 1 + next(next(5) === 0 ? 40 : 6)));
  }
}

describe("I4", () => {
  it.each([1, 2, 3, 4, 5, 6])(
    "holds for every operation of a random load (seed %i)",
    async (seed) => {
      const next = seededNumbers(seed * 2_654_435_761);
      let store = MemoryStore.create({ capacityBlocks: 400 });
      const changes: DataChange[] = [];
      let host = await store.open();
      await host.create("disk", { size: 128 * B });
      watch(store, changes);
      const stores: { store: MemoryStore; from: number }[] = [{ store, from: 0 }];
      for (let i = 0; i < 150; i++) {
        await step(host, next, i).catch((error: unknown) => {
          if (!isBlockspaceError(error, "ENOSPC")) throw error;
        });
        if (next(40) !== 0) continue;
        store = next(2) === 0 ? store.killed() : store.crash(() => next(1000) / 1000);
        stores.push({ store, from: changes.length });
        watch(store, changes);
        host = await store.open();
        if (!host.list().some(({ name }) => name === "disk")) {
          await host.create("disk", { size: 128 * B });
        }
      }
      await host.close();
      store.onOperation = undefined;
      expect(changes.length).toBeGreaterThan(60);
      const found: string[] = [];
      for (const [i, change] of changes.entries()) {
        const later = changes[i + 1];
        const isLast = !later || stores.some(({ from }) => from === i + 1);
        const after = isLast ? lastOf(stores, i) : later.before;
        found.push(...(await violations(change, after)));
      }
      expect(found).toEqual([]);
    },
  );

  it("the checker finds a block that is written again, and one that is discarded", async () => {
    const store = MemoryStore.create();
    const host = await store.open();
    const disk = await host.create("disk", { size: 64 * B });
    await disk.write(0, blocks("x", 2));
    await host.checkpoint();
    await disk.write(4 * B, blocks("y"));
    await host.flush();
    const changes: DataChange[] = [];
    watch(store, changes);
    const data = await store.data();
    await data.write([blocks("z")], disk.map(0, B).addr!);
    await data.write([blocks("z")], disk.map(4 * B, B).addr!);
    await data.write([blocks("y")], disk.map(4 * B, B).addr!);
    await data.discard(disk.map(B, B).addr!, B);
    const found: string[][] = [];
    for (const [i, change] of changes.entries()) {
      found.push(await violations(change, changes[i + 1]?.before ?? store));
    }
    expect(found.map(({ length }) => length)).toEqual([1, 1, 0, 1]);
  });

  it("a discarded block is written again only after two checkpoints", async () => {
    const store = MemoryStore.create();
    const host = await store.open();
    const disk = await host.create("disk", { size: 64 * B });
    await disk.write(0, blocks("x", 2));
    await host.checkpoint();
    await disk.discard(0, 2 * B);
    expect(host.statistics().busy).toBe(2 * B);
    const crashed = await store.crash(() => 0).open();
    expectBytes(await crashed.get("disk").read(0, 2 * B), blocks("x", 2));
    await host.checkpoint();
    expect(host.statistics().busy).toBe(2 * B);
    await host.checkpoint();
    expect(host.statistics().busy).toBe(0);
    for (const each of [host, crashed]) await each.close();
  });

  it("what is busy stays busy after a reopen", async () => {
    const store = MemoryStore.create();
    const host = await store.open();
    const disk = await host.create("disk", { size: 64 * B });
    await disk.write(0, blocks("x", 2));
    await host.checkpoint();
    await disk.discard(0, 2 * B);
    await host.checkpoint();
    const after = await store.crash(() => 0).open();
    expect(after.statistics()).toMatchObject({ busy: 2 * B, allocated: 0 });
    await after.checkpoint();
    expect(after.statistics().busy).toBe(0);
    for (const each of [host, after]) await each.close();
  });

  it("a write that comes while holes are punched is not punched away", async () => {
    const store = MemoryStore.create({ capacityBlocks: 64 });
    const host = await store.open();
    const disk = await host.create("disk", { size: 256 * B });
    // Eight blocks of a segment of sixteen are leaving, the others are free.
    await disk.write(0, blocks("gone", 8));
    await host.checkpoint();
    await disk.discard(0, 8 * B);
    await host.checkpoint();
    const writes: Promise<void>[] = [];
    store.onOperation = (operation) => {
      if (operation.kind !== "discard" || writes.length > 0) return;
      writes.push(disk.write(100 * B, blocks("kept", 40)), store.engineOf(host).pending.writeOut());
    };
    await host.checkpoint();
    await Promise.all(writes);
    expect(writes.length).toBeGreaterThan(0);
    expect(host.statistics().pendingBytes).toBe(0);
    expectBytes(await disk.read(100 * B, 40 * B), blocks("kept", 40));
    await host.close();
  });
});

function lastOf(stores: { store: MemoryStore; from: number }[], change: number): MemoryStore {
  return stores.findLast(({ from }) => from <= change)!.store;
}
