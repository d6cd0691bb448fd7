/** Decided points 8 and 9 of the public surface: sizes and ranges to the byte, and submissions. */
import { describe, expect, it } from "vitest";
import type { Host } from "../../src/host/host.ts";
import type { Subvolume } from "../../src/host/subvolume.ts";
import { seededNumbers } from "../device/scratch.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { blocks, expectBytes, expectConserved, picture, refusal } from "./refusal.ts";

const B = 512;

async function start(size: number): Promise<{ store: MemoryStore; host: Host; disk: Subvolume }> {
  const store = MemoryStore.create();
  const host = await store.open();
  return { store, host, disk: await host.create("disk", { size }) };
}

/** What a subvolume should hold: the plainest thing that reads and writes bytes. */
function filled(size: number): Buffer {
  return Buffer.from(Uint8Array.from({ length: size }, (_, i) => 1 + (i % 251)));
}

describe("point 8: sizes", () => {
  it.each([1, 2, 511, 512, 513, 1000, 1024, 65_537])("a size of %i bytes works", async (size) => {
    const { store, host, disk } = await start(size);
    expect(disk.size).toBe(size);
    expectBytes(await disk.read(0, size), Buffer.alloc(size));
    await disk.write(0, filled(size));
    expectBytes(await disk.read(0, size), filled(size));
    await disk.write(size - 1, Buffer.from("z"));
    expectBytes(await disk.read(size - 1, 1), Buffer.from("z"));
    await host.flush();
    const after = await store.crash(() => 0).open();
    const expected = filled(size);
    expected.write("z", size - 1);
    expectBytes(await after.get("disk").read(0, size), expected);
    for (const each of [host, after]) await each.close();
  });

  it("the largest size there is can be made, written at its end and read", async () => {
    const size = Number.MAX_SAFE_INTEGER;
    const { store, host, disk } = await start(size);
    await disk.write(size - 3, Buffer.from("end"));
    await host.flush();
    const after = await store.crash(() => 0).open();
    expect((await after.get("disk").read(size - 3, 3)).toString()).toBe("end");
    expect([...after.get("disk").extents()].map(({ type }) => type)).toEqual(["hole", "mapped"]);
    for (const each of [host, after]) await each.close();
  });

  it.each<[string, (disk: Subvolume) => unknown]>([
    ["a read that begins inside and ends beyond", (disk) => disk.read(990, 11)],
    ["a read that begins beyond", (disk) => disk.read(1001, 0)],
    ["a write that ends beyond", (disk) => disk.write(999, Buffer.from("ab"))],
    [
      "a write within the last block, beyond the size",
      (disk) => disk.write(1001, Buffer.from("a")),
    ],
    ["a discard that ends beyond", (disk) => disk.discard(0, 1001)],
    ["writeZeroes that end beyond", (disk) => disk.writeZeroes(500, 501)],
    ["preallocate that ends beyond", (disk) => disk.preallocate(0, 1024)],
    ["a map that ends beyond", (disk) => disk.map(0, 1001)],
    ["a map that begins at the end", (disk) => disk.map(1000)],
    ["a map that begins beyond", (disk) => disk.map(2000)],
    ["extents that end beyond", (disk) => disk.extents(0, 1001)],
    ["extents that begin beyond", (disk) => disk.extents(1001)],
    ["an end that no number can hold", (disk) => disk.read(1000, Number.MAX_SAFE_INTEGER)],
  ])("%s: ERANGE, and nothing changes", async (_name, call) => {
    const { host, disk } = await start(1000);
    await disk.write(0, filled(1000));
    const before = await picture(host);
    const error = await refusal(() => call(disk));
    expect(error).toMatchObject({ code: "ERANGE", subvolume: "disk" });
    expect(error.message).toContain("1000 bytes");
    expect(await picture(host)).toEqual(before);
    await host.close();
  });

  it("a read of nothing is empty, also at the end", async () => {
    const { host, disk } = await start(1000);
    expectBytes(await disk.read(1000, 0), Buffer.alloc(0));
    expectBytes(await disk.read(0, 0), Buffer.alloc(0));
    await host.close();
  });

  it("a write, discard or preallocation of nothing makes no commit", async () => {
    const { host, disk } = await start(1000);
    const { lastLsn } = host.statistics();
    await disk.write(1000, new Uint8Array(0));
    await disk.discard(1000, 0);
    await disk.writeZeroes(3, 0);
    await disk.preallocate(1000, 0);
    expect(host.statistics().lastLsn).toBe(lastLsn);
    await host.close();
  });
});

describe("point 8: zeroes to the byte", () => {
  const size = 5 * B + 100;
  const cuts = [0, 1, B - 1, B, B + 1, 2 * B, 3 * B - 7, 5 * B, 5 * B + 50, size - 1, size];

  it.each(["discard", "writeZeroes"] as const)("%s of every range between cuts", async (verb) => {
    for (const from of cuts) {
      for (const to of cuts.filter((cut) => cut >= from)) {
        const { host, disk } = await start(size);
        await disk.write(0, filled(size));
        await disk[verb](from, to - from);
        expectBytes(await disk.read(0, size), filled(size).fill(0, from, to));
        expectConserved(host);
      }
    }
  });

  it("whole blocks of a discarded range are holes, also when discarded again", async () => {
    const { host, disk } = await start(size);
    await disk.write(0, filled(size));
    await disk.discard(B - 10, 2 * B + 20);
    const holes = [...disk.extents()].filter(({ type }) => type === "hole");
    expect(holes).toMatchObject([{ offset: B, length: 2 * B, addr: null }]);
    const { lastLsn } = host.statistics();
    await disk.discard(B, 2 * B);
    expect(host.statistics().lastLsn).toBe(lastLsn);
    await host.close();
  });

  it("discarding everything leaves no extent", async () => {
    const { host, disk } = await start(size);
    await disk.write(0, filled(size));
    await disk.discard(0, size);
    expect([...disk.extents()]).toMatchObject([{ type: "hole", offset: 0, length: size }]);
    expect(host.statistics().allocated).toBe(0);
    await host.close();
  });

  it("zeroes on preallocated and unallocated blocks cost nothing", async () => {
    const { host, disk } = await start(size);
    await disk.preallocate(0, 2 * B);
    const before = host.statistics();
    await disk.writeZeroes(10, 20);
    await disk.writeZeroes(3 * B + 10, 20);
    expect(host.statistics()).toMatchObject({ free: before.free, allocated: before.allocated });
    await host.close();
  });
});

describe("point 8: resizing", () => {
  it.each([1, B - 1, B, B + 1, 3 * B, 3 * B + 17])(
    "what %i bytes cut off reads as zeroes when it grows again",
    async (size) => {
      const { store, host, disk } = await start(4 * B);
      await disk.write(0, filled(4 * B));
      const snapshot = await host.snapshot("disk", "snap");
      await disk.resize(size);
      expect(disk.size).toBe(size);
      expect(await refusal(() => disk.read(0, size + 1))).toMatchObject({ code: "ERANGE" });
      await disk.resize(6 * B);
      const expected = Buffer.alloc(6 * B);
      filled(4 * B).copy(expected, 0, 0, size);
      expectBytes(await disk.read(0, 6 * B), expected);
      expectBytes(await snapshot.read(0, 4 * B), filled(4 * B));
      await host.flush();
      const after = await store.crash(() => 0).open();
      expectBytes(await after.get("disk").read(0, 6 * B), expected);
      for (const each of [host, after]) await each.close();
    },
  );

  it("growing never shows what was submitted beyond the end", async () => {
    const { host, disk } = await start(B + 100);
    const cookie = await disk.reserve(2, B);
    const iomap = await disk.allocate(cookie, B, B);
    const data = Buffer.alloc(B, "x");
    await disk.submit(iomap, data);
    expect(data).toEqual(Buffer.alloc(B, "x"));
    await disk.commit(cookie, B, B, "cow");
    await disk.resize(2 * B);
    expectBytes(await disk.read(B, B), Buffer.alloc(B).fill("x", 0, 100));
    await host.close();
  });

  it("any sequence of writes, zeroes and sizes reads as plain bytes would", async () => {
    const next = seededNumbers(20);
    const { host, disk } = await start(3000);
    let model: Buffer = Buffer.alloc(3000);
    for (let step = 0; step < 600; step++) {
      const from = next(model.length + 1);
      const length = next(model.length - from + 1);
      const kind = next(10);
      if (kind < 5) {
        const data = Buffer.alloc(length, 1 + next(255));
        await disk.write(from, data);
        data.copy(model, from);
      } else if (kind < 7) {
        await disk.discard(from, length);
        model.fill(0, from, from + length);
      } else if (kind < 8) {
        await disk.preallocate(from, length);
      } else {
        const size = 1 + next(5000);
        await disk.resize(size);
        model = Buffer.concat([model, Buffer.alloc(5000)]).subarray(0, size);
        model = Buffer.from(model);
      }
      expectBytes(await disk.read(0, model.length), model, `step ${step}`);
    }
    await host.close();
  });
});

describe("point 9: submissions", () => {
  it("submit writes at the start of the iomap, and only that can be committed", async () => {
    const { host, disk } = await start(64 * B);
    const cookie = await disk.reserve(8, B);
    const iomap = await disk.allocate(cookie, 4 * B, 4 * B);
    await disk.submit(iomap, blocks("x", 3));
    await disk.commit(cookie, 4 * B, 2 * B, "cow");
    expect(await refusal(() => disk.commit(cookie, 6 * B, 2 * B, "cow"))).toMatchObject({
      code: "EINVAL",
      offset: 7 * B,
    });
    await disk.commit(cookie, 6 * B, B, "cow");
    expectBytes(await disk.read(4 * B, 4 * B), Buffer.concat([blocks("x", 3), Buffer.alloc(B)]));
    await host.close();
  });

  it("the rest can be submitted through an iomap of the rest", async () => {
    const { host, disk } = await start(64 * B);
    const cookie = await disk.reserve(8, B);
    const iomap = await disk.allocate(cookie, 0, 4 * B);
    await disk.submit(iomap, blocks("x", 2));
    const rest = await disk.allocate(cookie, 2 * B, 2 * B);
    expect(rest.addr).toBe(iomap.addr! + 2 * B);
    await disk.submit(rest, blocks("y", 2));
    await disk.commit(cookie, 0, 4 * B, "cow");
    expectBytes(await disk.read(0, 4 * B), Buffer.concat([blocks("x", 2), blocks("y", 2)]));
    await host.close();
  });

  it("a second submission replaces the first, also while that one is under way", async () => {
    const { host, disk } = await start(64 * B);
    const cookie = await disk.reserve(8, B);
    const iomap = await disk.allocate(cookie, 0, 2 * B);
    const first = disk.submit(iomap, blocks("first", 2));
    const second = disk.submit(iomap, blocks("second", 1));
    await Promise.all([first, second]);
    await disk.commit(cookie, 0, 2 * B, "cow");
    const expected = Buffer.concat([blocks("second", 1), blocks("first", 2).subarray(B)]);
    expectBytes(await disk.read(0, 2 * B), expected);
    await host.close();
  });

  it.each<[string, (disk: Subvolume, iomap: object) => Promise<unknown>, string]>([
    ["part of a block", (disk, iomap) => disk.submit(iomap as never, Buffer.alloc(100)), "512"],
    ["nothing", (disk, iomap) => disk.submit(iomap as never, Buffer.alloc(0)), "1 block"],
    ["more than the iomap", (disk, iomap) => disk.submit(iomap as never, blocks("x", 3)), "1024"],
    ["text", (disk, iomap) => disk.submit(iomap as never, "x" as never), "Uint8Array"],
    ["no iomap", (disk) => disk.submit(null as never, blocks("x")), "null"],
    ["an empty iomap", (disk) => disk.submit({} as never, blocks("x")), "offset"],
    [
      "an address of somebody else",
      (disk, iomap) => disk.submit({ ...iomap, addr: 4096 } as never, blocks("x")),
      "staged",
    ],
    [
      "no address",
      (disk, iomap) => disk.submit({ ...iomap, addr: null } as never, blocks("x")),
      "staged",
    ],
    [
      "more than was staged",
      (disk, iomap) => disk.submit({ ...iomap, length: 8 * B } as never, blocks("x", 8)),
      "staged",
    ],
  ])("%s is EINVAL and writes nothing", async (_name, call, says) => {
    const { store, host, disk } = await start(64 * B);
    await disk.write(0, blocks("old", 2));
    await host.checkpoint();
    const cookie = await disk.reserve(8, B);
    const iomap = await disk.allocate(cookie, 4 * B, 2 * B);
    const writes = store.count("data", "write");
    const error = await refusal(() => call(disk, iomap));
    expect(error.code).toBe("EINVAL");
    expect(error.message).toContain(says);
    expect(store.count("data", "write")).toBe(writes);
    await host.close();
  });

  it("an iomap that is committed or given back is no longer a place to write", async () => {
    const { store, host, disk } = await start(64 * B);
    const cookie = await disk.reserve(8, B);
    const committed = await disk.allocate(cookie, 0, B);
    await disk.submit(committed, blocks("x"));
    await disk.commit(cookie, 0, B, "cow");
    const given = await disk.allocate(cookie, B, B);
    cookie.put();
    const writes = store.count("data", "write");
    for (const iomap of [committed, given]) {
      expect(await refusal(() => disk.submit(iomap, blocks("y")))).toMatchObject({
        code: "EINVAL",
      });
    }
    expect(store.count("data", "write")).toBe(writes);
    await host.close();
  });
});

describe("the bytes of a write", () => {
  it("are whole blocks wherever they lie in their memory, and the caller's again afterwards", async () => {
    const { store, host, disk } = await start(8 * B);
    const memory = Buffer.concat([Buffer.alloc(3, 9), filled(4 * B)]);
    await disk.write(B, memory.subarray(3));
    memory.fill(8);
    expectBytes(
      await disk.read(0, 6 * B),
      Buffer.concat([Buffer.alloc(B), filled(4 * B), Buffer.alloc(B)]),
    );
    await host.flush();
    const after = await store.crash(() => 0).open();
    expectBytes(await after.get("disk").read(B, 4 * B), filled(4 * B));
    for (const each of [host, after]) await each.close();
  });

  it("are merged where they end within blocks", async () => {
    const { host, disk } = await start(8 * B);
    await disk.write(0, filled(8 * B));
    const data = Buffer.alloc(2 * B, 7);
    await disk.write(100, data);
    await disk.write(4 * B, data.subarray(0, B + 1));
    data.fill(8);
    const expected = filled(8 * B);
    expected.fill(7, 100, 100 + 2 * B);
    expected.fill(7, 4 * B, 5 * B + 1);
    expectBytes(await disk.read(0, 8 * B), expected);
    await host.close();
  });
});
