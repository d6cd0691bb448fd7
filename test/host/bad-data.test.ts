/** Promise I6: bad data is never returned, and damage is confined to the blocks it is in. */
import { open } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { BlockspaceError } from "../../src/base/errors.ts";
import { kinds } from "../../src/format/checkpoint-values.ts";
import { encodeSuperblock } from "../../src/format/superblock.ts";
import { readSuperblock } from "../../src/host/superblock-slots.ts";
import { Host } from "../../src/host/host.ts";
import type { Subvolume } from "../../src/host/subvolume.ts";
import { scratchDirectory } from "../device/scratch.ts";
import { FsckStore } from "../fsck/support/fsck-store.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { blocks, expectBytes, expectConserved, refusal } from "./refusal.ts";

const B = 512;
const scratch = scratchDirectory();

/** A subvolume of 20 written blocks that are home, and a snapshot of it. */
async function start(): Promise<{ store: MemoryStore; host: Host; disk: Subvolume }> {
  const store = MemoryStore.create();
  const host = await store.open();
  const disk = await host.create("disk", { size: 64 * B });
  await disk.write(0, blocks("x", 20));
  await host.snapshot("disk", "snap");
  await host.checkpoint();
  return { store, host, disk };
}

async function flipBit(store: MemoryStore, address: number): Promise<void> {
  const data = await store.data();
  const byte = new Uint8Array(1);
  await data.read(byte, address);
  await data.write([Uint8Array.of(byte[0]! ^ 0x10)], address);
}

/** The same with a bit flipped in block 7, which lies at `addr`. */
async function startDamaged(): Promise<{ host: Host; disk: Subvolume; addr: number }> {
  const { store, host, disk } = await start();
  const { addr } = disk.map(7 * B, B);
  await flipBit(store, addr! + 100);
  return { host, disk, addr: addr! };
}

/** Offset and length of ranges that reach into that block: all of it, a byte, much more. */
const overDamage = [
  [7 * B, B],
  [7 * B + 200, 1],
  [0, 20 * B],
] as const;

describe("I6", () => {
  it("a flipped bit is EBADSUM with its place; every other block can be read", async () => {
    const { host, disk, addr } = await startDamaged();
    for (const [offset, length] of overDamage) {
      const error = await refusal(() => disk.read(offset, length));
      expect(error).toMatchObject({
        code: "EBADSUM",
        subvolume: "disk",
        offset: 7 * B,
        length: B,
        address: addr,
      });
      expect(error.message).toContain(`${7 * B}`);
      expect(error.message).toContain(String(addr));
    }
    const snapshot = host.get("snap");
    expect(await refusal(() => snapshot.read(7 * B, B))).toMatchObject({
      code: "EBADSUM",
      subvolume: "snap",
    });
    for (let i = 0; i < 20; i++) {
      if (i === 7) continue;
      expectBytes(await disk.read(i * B, B), blocks("x", 20).subarray(i * B, (i + 1) * B));
    }
    await host.close();
  });

  it("is found by a read into memory of the caller's, which goes a way of its own", async () => {
    const { host, disk, addr } = await startDamaged();
    for (const [offset, length] of overDamage) {
      const error = await refusal(() => disk.readInto(Buffer.alloc(length), offset));
      expect(error).toMatchObject({ code: "EBADSUM", offset: 7 * B, address: addr });
    }
    await host.close();
  });

  const canReadNow = process.platform === "linux" && ["x64", "arm64"].includes(process.arch);

  it.skipIf(!canReadNow)("is found in the page cache, at once", async () => {
    const path = join(scratch(), "store");
    const host = await Host.open(path, { create: true, capacity: 64 * 4096 });
    const disk = await host.create("disk", { size: 3 * 4096 });
    await disk.write(0, Buffer.alloc(3 * 4096, "x"));
    await host.checkpoint();
    const { addr } = disk.map(4096, 4096);
    const data = await open(join(path, "data"), "r+");
    await data.write(Buffer.from("y"), 0, 1, addr! + 100);
    await data.close();
    const target = Buffer.alloc(4096);
    expect(disk.readNow(target, 0)).toBe(true);
    const rotten = await refusal(async () => disk.readNow(target, 4096));
    expect(rotten).toMatchObject({ code: "EBADSUM", offset: 4096, address: addr });
    expect(disk.readNow(target, 2 * 4096)).toBe(true);
    await host.close();
  });

  it("is found after a reopen, and by a host that was opened read-only", async () => {
    const { store, host, disk } = await start();
    const { addr } = disk.map(0, B);
    await host.close();
    await flipBit(store, addr!);
    for (const readOnly of [true, false]) {
      const again = await store.open({ readOnly });
      expect(await refusal(() => again.get("disk").read(0, 1))).toMatchObject({ code: "EBADSUM" });
      expectBytes(await again.get("disk").read(B, B), blocks("x", 2).subarray(B));
      await again.close();
    }
  });

  it("a write within the block is refused, a write of the whole block mends it", async () => {
    const { store, host, disk } = await start();
    await flipBit(store, disk.map(7 * B, B).addr!);
    const { lastLsn } = host.statistics();
    expect(await refusal(() => disk.write(7 * B + 5, Buffer.from("part")))).toMatchObject({
      code: "EBADSUM",
      offset: 7 * B,
    });
    expect(await refusal(() => disk.discard(7 * B + 5, 10))).toMatchObject({ code: "EBADSUM" });
    expect(host.statistics().lastLsn).toBe(lastLsn);
    await disk.write(7 * B, blocks("y"));
    expectBytes(await disk.read(7 * B, B), blocks("y"));
    await disk.discard(8 * B, B);
    await host.flush();
    await host.close();
  });

  it.each(["zeroes", "another block's bytes", "its own old bytes"])(
    "%s in place of a block are not believed",
    async (what) => {
      const { store, host, disk } = await start();
      const { addr } = disk.map(3 * B, B);
      const data = await store.data();
      const wrong = new Uint8Array(B);
      if (what === "another block's bytes") await data.read(wrong, disk.map(4 * B, B).addr!);
      if (what === "its own old bytes") wrong.set(blocks("old"));
      await data.write([wrong], addr!);
      expect(await refusal(() => disk.read(3 * B, B))).toMatchObject({
        code: "EBADSUM",
        address: addr,
      });
      await host.close();
    },
  );

  it("holes and unwritten blocks read as zeroes, whatever is on the device", async () => {
    const { store, host, disk } = await start();
    await disk.preallocate(30 * B, 2 * B);
    const { addr } = disk.map(30 * B, 2 * B);
    await (await store.data()).write([blocks("rubbish", 2)], addr!);
    expectBytes(await disk.read(28 * B, 6 * B), Buffer.alloc(6 * B));
    await disk.write(30 * B + 5, Buffer.from("z"));
    const expected = Buffer.alloc(B);
    expected.write("z", 5);
    expectBytes(await disk.read(30 * B, B), expected);
    await host.close();
  });

  it("the cleaner leaves a bad block where it is, says so, and moves the others", async () => {
    const { store, host, disk } = await start();
    await host.delete("snap");
    await disk.discard(0, 2 * B);
    await disk.discard(10 * B, 3 * B);
    await host.checkpoint();
    const { addr } = disk.map(7 * B, B);
    await flipBit(store, addr!);
    const report = await host.compact();
    expect(report.problems.join()).toContain(String(addr));
    expect(disk.map(7 * B, B).addr).toBe(addr);
    expect(report.bytesMoved).toBeGreaterThan(0);
    expectBytes(await disk.read(13 * B, 7 * B), blocks("x", 20).subarray(13 * B));
    expect(await refusal(() => disk.read(7 * B, B))).toMatchObject({ code: "EBADSUM" });
    expectConserved(host);
    await disk.write(40 * B, blocks("alive"));
    await host.flush();
    await host.close();
  });

  it("so it does with what it cannot read", async () => {
    const { store, host, disk } = await start();
    await host.delete("snap");
    await disk.discard(0, 5 * B);
    await host.checkpoint();
    store.onOperation = ({ kind, path }) => {
      if (kind === "read" && path.endsWith("/data")) throw new Error("unreadable");
    };
    const report = await host.compact();
    store.onOperation = undefined;
    expect(report.problems.length).toBeGreaterThan(0);
    expect(report.bytesMoved).toBe(0);
    await disk.write(40 * B, blocks("alive"));
    expectBytes(await disk.read(5 * B, 15 * B), blocks("x", 20).subarray(5 * B));
    await host.close();
  });

  it("blocks whose segment has no record any more are refused, and no others", async () => {
    const store = new FsckStore();
    const host = await store.open();
    const { segmentBlocks } = store.layout;
    const disk = await host.create("disk", { size: 4 * segmentBlocks * B });
    const data = blocks("x", 2 * segmentBlocks);
    await disk.write(0, data);
    const gone = Math.floor((disk.map(0, B).addr! - store.layout.dataOffset) / B / segmentBlocks);
    await host.close();
    for (const image of Object.values(store.images)) image?.delete(kinds.segment, gone);
    const again = await store.open({ readOnly: true });
    const { message, code } = await refusal(() => again.get("disk").read(0, B));
    expect([code, message]).toEqual([
      "ECORRUPT",
      expect.stringContaining(`the record of segment ${gone} is missing`),
    ]);
    expectBytes(
      await again.get("disk").read(segmentBlocks * B, B),
      data.subarray(segmentBlocks * B, (segmentBlocks + 1) * B),
    );
    await again.close();
  });

  it("a damaged superblock slot is made anew, two damaged ones are ECORRUPT", async () => {
    const { store, host } = await start();
    await host.close();
    const file = await store.directory.open("superblock", "write");
    await file.write([new Uint8Array(100)], 0);
    await (await store.open()).close();
    for (const slot of [4096, 0]) {
      await (await store.open({ readOnly: true })).close();
      await file.write([new Uint8Array(100)], slot);
    }
    const error = await refusal(() => store.open());
    expect(error.code).toBe("ECORRUPT");
    expect(error.message).toContain("superblock");
    expect(await refusal(() => store.open({ readOnly: true }))).toMatchObject({ code: "ECORRUPT" });
  });

  it.each([
    ["readOnlyFeatures", "open"],
    ["requiredFeatures", "ENOTSUP"],
  ] as const)(
    "unknown %s: a writer is refused (ENOTSUP), a reader gets: %s",
    async (field, reader) => {
      const { store, host } = await start();
      await host.close();
      const { directory } = store;
      const superblock = await readSuperblock(directory);
      const slot = encodeSuperblock({ ...superblock, [field]: 4 });
      await (await directory.open("superblock", "write")).write([slot, slot], 0);
      const error = await refusal(() => store.open());
      expect(error.code).toBe("ENOTSUP");
      expect(error.message).toContain("0x4");
      const said = await store.open({ readOnly: true }).then(
        async (opened) => {
          await opened.close();
          return "open";
        },
        (refused: BlockspaceError) => refused.code,
      );
      expect(said).toBe(reader);
    },
  );

  it("the data device of another store is refused: ECORRUPT", async () => {
    const one = await start();
    const other = await start();
    for (const each of [one, other]) await each.host.close();
    const label = new Uint8Array(B);
    await (await other.store.data()).read(label, 0);
    await (await one.store.data()).write([label], 0);
    const error = await refusal(() => one.store.open());
    expect(error.code).toBe("ECORRUPT");
    expect(error.message).toContain("not the data device");
  });

  it("a data device that was cut is refused: ECORRUPT with the sizes", async () => {
    const { store, host } = await start();
    await host.close();
    const label = new Uint8Array(B);
    await (await store.data()).read(label, 0);
    const short = await store.directory.create("data", { size: 100 * B, layout: "sparse" });
    await short.write([label], 0);
    const error = await refusal(() => store.open());
    expect(error.code).toBe("ECORRUPT");
    expect(error.message).toContain(String(100 * B));
  });

  it("a damaged newest checkpoint costs a longer replay and no data", async () => {
    const { store, host, disk } = await start();
    await disk.write(0, blocks("second", 3));
    await host.checkpoint();
    await disk.write(B, blocks("third"));
    await host.flush();
    const after = store.crash(() => 0);
    const { newest, lsn } = await damageNewest(after);
    const again = await after.open();
    expect(again.recovery.checkpointLsn).toBeLessThan(lsn);
    expect(again.recovery.damagedCheckpoint).toContain(newest);
    const expected = blocks("second", 3);
    blocks("third").copy(expected, B);
    expectBytes(await again.get("disk").read(0, 3 * B), expected);
    await again.checkpoint();
    await again.close();
    const healed = await after.open();
    expect(healed.recovery).not.toHaveProperty("damagedCheckpoint");
    expectBytes(await healed.get("disk").read(0, 3 * B), expected);
    for (const each of [host, healed]) await each.close();
  });
});

/** Takes a value away from the newest checkpoint, behind its back. */
async function damageNewest(store: MemoryStore): Promise<{ newest: "a" | "b"; lsn: number }> {
  const [a, b] = [await store.environments.open("a"), await store.environments.open("b")];
  const newest = (a.closing()?.epoch ?? 0) > (b.closing()?.epoch ?? 0) ? "a" : "b";
  const environment = newest === "a" ? a : b;
  const { epoch, lsn } = environment.closing()!;
  const state = { epoch, lsn, reset: true };
  await environment.commit([], state);
  return { newest, lsn };
}
