/**
 * Memory that its owner transfers or resizes while a call waits. The call is refused, and nothing
 * has changed.
 *
 * Once it was not. A write that waited for space planned with one length and was carried out with
 * another: its record was applied and could not be encoded, so the host went on with a state that
 * its journal did not have, acknowledged what followed, and could not be opened again. A write that
 * waited its turn stored nothing and said that it had.
 */
import { describe, expect, it } from "vitest";
import type { Host } from "../../src/host/host.ts";
import type { Subvolume } from "../../src/host/subvolume.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { B, blocks, expectBytes, refusal } from "./refusal.ts";

/** As long as its memory, which can be resized. */
function resizable(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(bytes, { maxByteLength: 2 * bytes })).fill(9);
}

function transferred(bytes: Uint8Array<ArrayBuffer>): void {
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
}

const changes: [string, (bytes: Uint8Array<ArrayBuffer>) => void][] = [
  ["transferred", transferred],
  ["made shorter", ({ buffer }) => buffer.resize(buffer.byteLength / 2)],
  ["made a little shorter", ({ buffer }) => buffer.resize(buffer.byteLength - 100)],
  ["made longer", ({ buffer }) => buffer.resize(2 * buffer.byteLength)],
];

/** A host whose space is busy: the next write waits for a checkpoint. */
async function startFull(): Promise<{ store: MemoryStore; host: Host; disk: Subvolume }> {
  const store = MemoryStore.create({ capacityBlocks: 64 });
  const host = await store.open();
  const disk = await host.create("disk", { size: 256 * B });
  for (let i = 0; i < 50; i++) await disk.write(i * B, blocks(`x${i}`));
  await disk.discard(0, 40 * B);
  return { store, host, disk };
}

describe("data whose memory is", () => {
  it.each(changes)("%s while a write waits for space: EINVAL", async (_how, take) => {
    const { store, host, disk } = await startFull();
    const { lastLsn } = host.statistics();
    const data = resizable(40 * B);
    const write = refusal(() => disk.write(0, data));
    await Promise.resolve();
    take(data);
    expect(await write).toMatchObject({ code: "EINVAL" });
    expect(host.statistics().lastLsn).toBe(lastLsn);
    await disk.write(200 * B, blocks("y"));
    await disk.flush();
    const after = await store.killed().open();
    expectBytes(await after.get("disk").read(0, 40 * B), Buffer.alloc(40 * B));
    expectBytes(await after.get("disk").read(200 * B, B), blocks("y"));
    for (const each of [host, after]) await each.close();
  });

  it.each(changes)("%s while a write waits its turn: EINVAL", async (_how, take) => {
    for (const offset of [0, 7]) {
      const store = MemoryStore.create();
      const host = await store.open();
      const disk = await host.create("disk", { size: 64 * B });
      const first = disk.write(8 * B + 3, Buffer.from("keeps the queue busy"));
      const data = resizable(4 * B);
      const second = refusal(() => disk.write(offset, data));
      take(data);
      await first;
      expect(await second).toMatchObject({ code: "EINVAL" });
      expectBytes(await disk.read(0, 8 * B), Buffer.alloc(8 * B));
      await host.close();
    }
  });

  it.each(changes)("%s while a write reads the blocks it ends in: EINVAL", async (_how, take) => {
    const store = MemoryStore.create();
    const host = await store.open();
    const disk = await host.create("disk", { size: 64 * B });
    await disk.write(0, blocks("old", 8));
    await host.checkpoint();
    const data = resizable(2 * B);
    const write = refusal(() => disk.write(7, data));
    take(data);
    expect(await write).toMatchObject({ code: "EINVAL" });
    expectBytes(await disk.read(0, 8 * B), blocks("old", 8));
    await host.close();
  });

  it.each(changes)("%s while it is submitted behind another: EINVAL", async (_how, take) => {
    const store = MemoryStore.create();
    const host = await store.open();
    const disk = await host.create("disk", { size: 64 * B });
    const cookie = await disk.reserve(4, B);
    const iomap = await disk.allocate(cookie, 0, 4 * B);
    const first = disk.submit(iomap, blocks("first", 4));
    const data = resizable(4 * B);
    const second = refusal(() => disk.submit(iomap, data));
    take(data);
    await first;
    expect(await second).toMatchObject({ code: "EINVAL" });
    await disk.submit(iomap, blocks("third", 4));
    await disk.commit(cookie, 0, 4 * B, "cow");
    expectBytes(await disk.read(0, 4 * B), blocks("third", 4));
    cookie.put();
    await host.close();
  });
});

describe("the target of a read whose memory is", () => {
  it.each(changes)("%s while it waits: EINVAL, and not EBADSUM", async (_how, take) => {
    const store = MemoryStore.create();
    const host = await store.open();
    const disk = await host.create("disk", { size: 64 * B });
    await disk.write(0, blocks("x", 8));
    await host.checkpoint();
    for (const offset of [0, 7]) {
      const target = resizable(4 * B);
      const read = refusal(() => disk.readInto(target, offset));
      take(target);
      expect(await read).toMatchObject({ code: "EINVAL" });
    }
    await host.close();
  });
});

// Reads of a block share larger pieces of memory, and a transfer took all of one along: the buffers
// of others were empty at once, and a write that merged a block into one of them was a TypeError.
it("what read returns of a block cannot be transferred", async () => {
  const store = MemoryStore.create();
  const host = await store.open();
  const disk = await host.create("disk", { size: 64 * B });
  const [mine, theirs] = [await disk.read(0, B), await disk.read(B, B)];
  // Older versions of Node copy what cannot be transferred, newer ones throw.
  await Promise.resolve(theirs as Uint8Array<ArrayBuffer>)
    .then(transferred)
    .catch(() => undefined);
  expect([mine.length, theirs.length]).toEqual([B, B]);
  await host.close();
});
