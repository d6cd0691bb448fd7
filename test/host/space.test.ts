/** Decided point 10 and promise I5: the figures, at every moment, and life on a full host. */
import { describe, expect, it } from "vitest";
import { isBlockspaceError } from "../../src/base/errors.ts";
import type { Host } from "../../src/host/host.ts";
import type { Subvolume } from "../../src/host/subvolume.ts";
import type { Cookie } from "../../src/space/cookie.ts";
import { seededNumbers } from "../device/scratch.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { blocks, expectBytes, expectConserved, refusal, unawaited } from "./refusal.ts";

const B = 512;

async function start(capacityBlocks = 128): Promise<{
  store: MemoryStore;
  host: Host;
  disk: Subvolume;
}> {
  const store = MemoryStore.create({ capacityBlocks });
  const host = await store.open();
  return { store, host, disk: await host.create("disk", { size: 1024 * B }) };
}

/** Writes blocks from the start until no more go in; returns how many did. */
async function fill(disk: Subvolume): Promise<number> {
  for (let i = 0; ; i++) {
    try {
      await disk.write(i * B, blocks(`f${i} `));
    } catch (error) {
      if (isBlockspaceError(error, "ENOSPC")) return i;
      throw error;
    }
  }
}

describe("point 10: statistics", () => {
  it("has the figures, the three LSNs and counters since opening", async () => {
    const { host, disk } = await start();
    await disk.write(0, blocks("x", 2));
    await host.snapshot("disk", "snap");
    expect(host.statistics()).toMatchObject({
      capacity: 128 * B,
      blockSize: B,
      allocated: 2 * B,
      staged: 0,
      busy: 0,
      lastLsn: 3,
      durableLsn: 0,
      checkpointLsn: 0,
      subvolumes: 2,
      commits: 3,
      records: 3,
      batches: 0,
      checkpoints: 0,
      bytesWritten: 2 * B,
    });
    await host.flush();
    expect(host.statistics()).toMatchObject({ durableLsn: 3, checkpointLsn: 0, batches: 1 });
    await host.checkpoint();
    expect(host.statistics()).toMatchObject({ checkpointLsn: 3, checkpoints: 1, pendingBytes: 0 });
    await disk.read(5, 10);
    expect(host.statistics()).toMatchObject({ reads: 1, bytesRead: 10 });
    await disk.write(0, blocks("y"));
    expect(host.statistics()).toMatchObject({ allocated: 3 * B, busy: 0, lastLsn: 4 });
    await host.delete("snap");
    await host.close();
  });

  it("I5 holds between the five verbs, and each moves space where it says", async () => {
    const { host, disk } = await start();
    const { free, reserved } = host.statistics();
    const figures = (): unknown => {
      expectConserved(host);
      const now = host.statistics();
      return [free - now.free, now.reserved - reserved, now.staged, now.allocated].map(
        (bytes) => bytes / B,
      );
    };
    const cookie = await disk.reserve(10, B);
    expect(figures()).toEqual([10, 10, 0, 0]);
    const iomap = await disk.allocate(cookie, 0, 4 * B);
    expect(figures()).toEqual([10, 6, 4, 0]);
    const submitted = disk.submit(iomap, blocks("x", 4));
    expect(figures()).toEqual([10, 6, 4, 0]);
    await submitted;
    expect(figures()).toEqual([10, 6, 4, 0]);
    await disk.commit(cookie, 0, 3 * B, "cow");
    expect(figures()).toEqual([10, 6, 1, 3]);
    cookie.put();
    expect(figures()).toEqual([3, 0, 0, 3]);
    await disk.discard(0, B);
    expect(figures()).toEqual([3, 0, 0, 2]);
    expect(host.statistics().busy).toBe(B);
    await host.checkpoint();
    expect(host.statistics().busy).toBe(B);
    await host.checkpoint();
    expect(figures()).toEqual([2, 0, 0, 2]);
    await host.close();
  });

  it("I5 holds at every operation on the device, whatever goes on", async () => {
    const { store, host, disk } = await start(256);
    const broken: unknown[] = [];
    let checks = 0;
    const check = (): void => {
      checks++;
      try {
        expectConserved(host);
      } catch (error) {
        broken.push(error);
      }
    };
    store.onOperation = check;
    store.onCommit = check;
    const next = seededNumbers(3);
    const cookies: Cookie[] = [];
    for (let i = 0; i < 400; i++) {
      const at = next(60) * B;
      const kind = next(12);
      const done = [
        () => disk.write(at, blocks("w", 1 + next(4))),
        () => disk.write(at + 7, blocks("p", 1)),
        () => disk.discard(at, B * next(5)),
        () => disk.preallocate(at, B * next(5)),
        () => host.snapshot("disk", `s${i}`),
        () => host.delete(host.list().find(({ readOnly }) => readOnly)?.name ?? "none"),
        () => host.flush(),
        () => host.checkpoint(),
        () => host.compact(),
        async () => void cookies.push(await disk.reserve(1 + next(4), B)),
        async () => {
          const cookie = cookies[next(cookies.length)];
          if (!cookie) return;
          const iomap = await disk.allocate(cookie, at, B);
          await disk.submit(iomap, blocks("c"));
          await disk.commit(cookie, at, B, iomap.type === "unwritten" ? "unwritten" : "cow");
        },
        async () => cookies.splice(next(cookies.length), 1)[0]?.put(),
      ][kind]!();
      const waits = done.catch((error: unknown) => {
        const expected = ["ENOSPC", "ENOENT", "EBUSY", "ESTALE"] as const;
        if (!expected.some((code) => isBlockspaceError(error, code))) throw error;
      });
      check();
      if (next(3) > 0) await waits;
      else waits.catch(() => undefined);
      check();
    }
    for (const cookie of cookies) cookie.put();
    await host.flush();
    expect(broken).toEqual([]);
    expect(checks).toBeGreaterThan(1000);
    expect(host.statistics().staged).toBe(0);
    await host.close();
  });
});

describe("I5: a full host", () => {
  it("refuses with ENOSPC, says what is needed and free, and changes nothing by it", async () => {
    const { host, disk } = await start();
    const count = await fill(disk);
    expect(count).toBeGreaterThan(120);
    const before = host.statistics();
    const error = await refusal(() => disk.write(0, blocks("x", 2)));
    expect(error.code).toBe("ENOSPC");
    expect(error.message).toContain(`${2 * B} bytes are needed`);
    for (const call of [
      () => disk.write(1000 * B, blocks("x")),
      () => disk.preallocate(1000 * B, B),
      () => disk.reserve(1, B),
      () => host.transact((tx) => tx.write(disk, 0, blocks("x", 3))),
    ]) {
      expect(await refusal(call)).toMatchObject({ code: "ENOSPC" });
    }
    expect(host.statistics()).toMatchObject({ allocated: before.allocated, free: before.free });
    expect(host.statistics().lastLsn).toBe(before.lastLsn);
    for (let i = 0; i < count; i++) expectBytes(await disk.read(i * B, B), blocks(`f${i} `));
    await host.close();
  });

  // Each such write made two checkpoints, in its turn among the calls, to find that what they set
  // free was not enough; a client that tried again and again kept all others waiting.
  it("makes no checkpoint for what would not fit when all that is busy has come free", async () => {
    const { host, disk } = await start();
    await fill(disk);
    await disk.discard(0, 2 * B);
    const { busy, checkpoints } = host.statistics();
    expect(busy).toBe(2 * B);
    const tooMuch = await refusal(() => disk.write(900 * B, blocks("x", 3)));
    expect(tooMuch.code).toBe("ENOSPC");
    expect(host.statistics()).toMatchObject({ busy, checkpoints });
    await disk.write(900 * B, blocks("x", 2));
    await host.close();
  });

  it("snapshots, clones and renames need no space", async () => {
    const { host, disk } = await start();
    await fill(disk);
    await host.snapshot("disk", "snap");
    await host.clone("snap", "clone");
    await host.rename("clone", "copy");
    await host.rollback("copy", "snap");
    await disk.resize(2048 * B);
    expectConserved(host);
    await host.close();
  });

  it.each<[string, (at: { host: Host; disk: Subvolume; count: number }) => Promise<unknown>]>([
    ["discard of whole blocks", ({ disk }) => disk.discard(0, 4 * B)],
    ["delete", async ({ host }) => host.delete("disk")],
    ["truncation", ({ disk }) => disk.resize(B)],
  ])("space comes back after %s", async (_name, give) => {
    const { store, host, disk } = await start();
    const second = await host.create("second", { size: 1024 * B });
    const count = await fill(disk);
    await give({ host, disk, count });
    expectConserved(host);
    await second.write(0, blocks("again", 4));
    expectBytes(await second.read(0, 4 * B), blocks("again", 4));
    await host.flush();
    const after = await store.crash(() => 0).open();
    expectBytes(await after.get("second").read(0, 4 * B), blocks("again", 4));
    expectConserved(after);
    for (const each of [host, after]) await each.close();
  });

  it("discards to the byte go on and on, and so do truncations within a block", async () => {
    const { host, disk } = await start();
    const count = await fill(disk);
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i + 2 < count; i += 2) {
        await disk.discard(i * B + 10 + round, B);
        expectConserved(host);
      }
    }
    for (let size = count * B - 7; size > 0; size -= B) await disk.resize(size);
    expect(disk.size).toBeLessThan(B);
    await host.close();
  });

  it("flush, checkpoint, compact, delete and close succeed", async () => {
    const { store, host, disk } = await start();
    const count = await fill(disk);
    await host.flush();
    await host.checkpoint();
    await host.compact();
    await host.snapshot("disk", "snap");
    await host.delete("snap");
    await host.close();
    const after = await store.open();
    for (let i = 0; i < count; i++) {
      expectBytes(await after.get("disk").read(i * B, B), blocks(`f${i} `));
    }
    await after.close();
  });

  it("preallocated ranges can be written on it, in any pieces, once", async () => {
    const { host, disk } = await start();
    await disk.preallocate(500 * B, 10 * B);
    await fill(disk);
    await disk.write(500 * B, blocks("x", 3));
    await disk.write(503 * B + 100, Buffer.alloc(B, "y"));
    await disk.write(505 * B, blocks("z", 5));
    expectBytes(await disk.read(500 * B, 3 * B), blocks("x", 3));
    expectBytes(await disk.read(503 * B + 100, B), Buffer.alloc(B, "y"));
    expect(await refusal(() => disk.write(500 * B, blocks("x", 3)))).toMatchObject({
      code: "ENOSPC",
    });
    expectConserved(host);
    await host.close();
  });

  // A deleted map counts as a sharer until it has been taken apart; that was waited for, but what
  // the write needs was not asked again, and it was refused.
  it("preallocated ranges can be written though a deleted snapshot had shared them", async () => {
    const { host, disk } = await start(1024);
    await disk.preallocate(0, 400 * B);
    const names = Array.from({ length: 20 }, (_, i) => `snap${i}`);
    for (const [i, name] of names.entries()) {
      await host.snapshot("disk", name);
      await disk.write(i * B, blocks(name));
    }
    await fill(await host.create("other", { size: 1024 * B }));
    for (const name of names) unawaited(host.delete(name));
    await disk.write(100 * B, blocks("x", 300));
    expectBytes(await disk.read(100 * B, 300 * B), blocks("x", 300));
    expectConserved(host);
    await host.close();
  });

  // Each small write of a transaction once took a block of its own.
  it("a transaction that writes a preallocated block in many pieces takes that block", async () => {
    const { host, disk } = await start();
    await disk.preallocate(500 * B, 2 * B);
    await fill(disk);
    await host.transact((tx) => {
      for (let i = 0; i < B; i += 8) tx.write(disk, 500 * B + i, Buffer.alloc(8, 65 + (i % 26)));
      tx.write(disk, 501 * B, blocks("x"));
      tx.write(disk, 501 * B + 7, Buffer.from("and"));
      tx.write(disk, 501 * B, Buffer.from("first"));
    });
    const expected = blocks("x");
    expected.write("and", 7);
    expected.write("first", 0);
    expectBytes(await disk.read(501 * B, B), expected);
    for (let i = 0; i < B; i += 8) {
      expectBytes(await disk.read(500 * B + i, 8), Buffer.alloc(8, 65 + (i % 26)));
    }
    expectConserved(host);
    await host.close();
  });

  it("a transaction that writes preallocated blocks twice is refused whole", async () => {
    const { host, disk } = await start();
    await disk.preallocate(500 * B, 10 * B);
    await fill(disk);
    const { free, lastLsn } = host.statistics();
    expect(free).toBe(0);
    const twice = refusal(() =>
      host.transact((tx) => {
        tx.write(disk, 500 * B, blocks("x", 2));
        tx.write(disk, 501 * B, blocks("y", 2));
      }),
    );
    expect(await twice).toMatchObject({ code: "ENOSPC" });
    expect(host.statistics().lastLsn).toBe(lastLsn);
    await host.transact((tx) => tx.write(disk, 500 * B, blocks("x", 2)));
    expectBytes(await disk.read(500 * B, 2 * B), blocks("x", 2));
    await host.close();
  });

  it("within a live cookie allocate and commit never fail for want of space", async () => {
    const { store, host, disk } = await start();
    const cookie = await disk.reserve(12, B);
    await fill(disk);
    for (let i = 0; i < 12; i++) {
      const iomap = await disk.allocate(cookie, (700 + i) * B, B);
      await disk.submit(iomap, blocks(`c${i} `));
    }
    await disk.commit(cookie, 700 * B, 12 * B, "cow", { durable: true });
    cookie.put();
    expectConserved(host);
    const after = await store.crash(() => 0).open();
    for (let i = 0; i < 12; i++) {
      expectBytes(await after.get("disk").read((700 + i) * B, B), blocks(`c${i} `));
    }
    for (const each of [host, after]) await each.close();
  });

  it("a put gives its space to whoever asks next", async () => {
    const { host, disk } = await start();
    const cookie = await disk.reserve(12, B);
    await disk.allocate(cookie, 700 * B, 4 * B);
    const count = await fill(disk);
    cookie.put();
    await disk.write(count * B, blocks("x", 12));
    expect(await refusal(() => disk.write(900 * B, blocks("x")))).toMatchObject({ code: "ENOSPC" });
    await host.close();
  });

  it("a reservation waits until busy blocks have come free", async () => {
    const { host, disk } = await start();
    const count = await fill(disk);
    await disk.discard(0, count * B);
    const cookie = await disk.reserve(100, B);
    expect(cookie.remaining).toBe(100);
    cookie.put();
    await host.close();
  });

  it("what it holds in cookies is free again after a crash (nothing staged survives)", async () => {
    const { store, host, disk } = await start();
    const cookie = await disk.reserve(100, B);
    await disk.submit(await disk.allocate(cookie, 0, 50 * B), blocks("x"));
    await host.flush();
    const after = await store.killed().open();
    expect(after.statistics()).toMatchObject({ staged: 0, allocated: 0, busy: 0 });
    await after.get("disk").write(0, blocks("y", 100));
    cookie.put();
    for (const each of [host, after]) await each.close();
  });

  it("overwrites with little room go on forever, since freed blocks come back", async () => {
    const { store, host, disk } = await start(64);
    await disk.write(0, blocks("x", 40));
    for (let round = 0; round < 60; round++) await disk.write(0, blocks(`r${round} `, 10));
    expectBytes(await disk.read(0, 10 * B), blocks("r59 ", 10));
    await host.flush();
    const after = await store.crash(() => 0).open();
    expectBytes(await after.get("disk").read(0, 10 * B), blocks("r59 ", 10));
    for (const each of [host, after]) await each.close();
  });
});
