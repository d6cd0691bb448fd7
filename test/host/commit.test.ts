/** Decided points 4 to 7 of the public surface: what commit takes, refuses and promises. */
import { describe, expect, it } from "vitest";
import type { Host } from "../../src/host/host.ts";
import type { Subvolume } from "../../src/host/subvolume.ts";
import type { Cookie } from "../../src/space/cookie.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { blocks, expectBytes, expectConserved, picture, refusal } from "./refusal.ts";

const B = 512;

interface Started {
  store: MemoryStore;
  host: Host;
  disk: Subvolume;
  cookie: Cookie;
}

/** A host with a subvolume of 64 blocks, of which 0 to 7 are written, and a cookie for 16. */
async function start(): Promise<Started> {
  const store = MemoryStore.create();
  const host = await store.open();
  const disk = await host.create("disk", { size: 64 * B });
  await disk.write(0, blocks("old", 8));
  return { store, host, disk, cookie: await disk.reserve(16, B) };
}

async function stage(disk: Subvolume, cookie: Cookie, offset: number, data: Buffer): Promise<void> {
  for (let at = 0; at < data.length;) {
    const iomap = await disk.allocate(cookie, offset + at, data.length - at);
    await disk.submit(iomap, data.subarray(at, at + iomap.length));
    at += iomap.length;
  }
}

describe("point 4: what cannot be committed changes nothing", () => {
  const cases: [string, (at: Started) => Promise<unknown>][] = [
    ["nothing staged", ({ disk, cookie }) => disk.commit(cookie, 0, B, "cow")],
    [
      "staged, not submitted",
      async ({ disk, cookie }) => {
        await disk.allocate(cookie, 0, 2 * B);
        await disk.commit(cookie, 0, 2 * B, "cow");
      },
    ],
    [
      "submitted in part",
      async ({ disk, cookie }) => {
        await disk.submit(await disk.allocate(cookie, 0, 2 * B), blocks("x"));
        await disk.commit(cookie, 0, 2 * B, "cow");
      },
    ],
    [
      "staged in part",
      async ({ disk, cookie }) => {
        await stage(disk, cookie, 0, blocks("x", 2));
        await disk.commit(cookie, 0, 3 * B, "cow");
      },
    ],
    [
      "a gap in the middle",
      async ({ disk, cookie }) => {
        await stage(disk, cookie, 0, blocks("x"));
        await stage(disk, cookie, 2 * B, blocks("x"));
        await disk.commit(cookie, 0, 3 * B, "cow");
      },
    ],
    [
      "a submission that has not ended",
      async ({ disk, cookie }) => {
        const submitted = disk.submit(await disk.allocate(cookie, 0, B), blocks("x"));
        try {
          await disk.commit(cookie, 0, B, "cow");
        } finally {
          await submitted;
        }
      },
    ],
    [
      "staged by another cookie",
      async ({ disk, cookie }) => {
        await stage(disk, await disk.reserve(1, B), 0, blocks("x"));
        await disk.commit(cookie, 0, B, "cow");
      },
    ],
    [
      "new blocks as unwritten ones",
      async ({ disk, cookie }) => {
        await stage(disk, cookie, 0, blocks("x"));
        await disk.commit(cookie, 0, B, "unwritten");
      },
    ],
  ];

  it.each(cases)("%s: EINVAL", async (_name, attempt) => {
    const started = await start();
    const { lastLsn } = started.host.statistics();
    const before = await started.disk.read(0, 64 * B);
    expect(await refusal(() => attempt(started))).toMatchObject({
      code: "EINVAL",
      subvolume: "disk",
    });
    expect(started.host.statistics().lastLsn).toBe(lastLsn);
    expectBytes(await started.disk.read(0, 64 * B), before);
    expectConserved(started.host);
    await started.host.close();
  });

  it("a second commit of the same range fails the same way", async () => {
    const { host, disk, cookie } = await start();
    await stage(disk, cookie, 0, blocks("x", 2));
    await disk.commit(cookie, 0, 2 * B, "cow");
    const before = await picture(host);
    expect(await refusal(() => disk.commit(cookie, 0, 2 * B, "cow"))).toMatchObject({
      code: "EINVAL",
    });
    expect(await refusal(() => disk.commit(cookie, B, B, "cow"))).toMatchObject({ code: "EINVAL" });
    expect(await picture(host)).toEqual(before);
    await host.close();
  });

  it("of two commits of one range at the same time the first wins", async () => {
    const { host, disk, cookie } = await start();
    await stage(disk, cookie, 0, blocks("x", 2));
    const both = [disk.commit(cookie, 0, 2 * B, "cow"), disk.commit(cookie, 0, 2 * B, "cow")];
    const [first, second] = await Promise.allSettled(both);
    expect(first!.status).toBe("fulfilled");
    expect(second).toMatchObject({ status: "rejected", reason: { code: "EINVAL" } });
    await host.close();
  });
});

describe("point 5: unwritten", () => {
  it("a preallocated range stages its own blocks and costs nothing", async () => {
    const { host, disk, cookie } = await start();
    await disk.preallocate(16 * B, 4 * B);
    const [there] = disk.extents(16 * B, 4 * B);
    expect(there).toMatchObject({ type: "unwritten", length: 4 * B });
    const before = host.statistics();
    const iomap = await disk.allocate(cookie, 16 * B, 4 * B);
    expect(iomap).toMatchObject({ type: "unwritten", addr: there!.addr, length: 4 * B });
    expect(iomap.flags).toMatchObject({ new: false, shared: false });
    expect(cookie.remaining).toBe(16);
    await disk.submit(iomap, blocks("new", 4));
    expectBytes(await disk.read(16 * B, 4 * B), Buffer.alloc(4 * B));
    await disk.commit(cookie, 16 * B, 4 * B, "unwritten");
    expectBytes(await disk.read(16 * B, 4 * B), blocks("new", 4));
    expect(disk.map(16 * B, 4 * B)).toMatchObject({ type: "mapped", addr: there!.addr });
    const { free, allocated, staged } = host.statistics();
    expect({ free, allocated, staged }).toEqual({
      free: before.free,
      allocated: before.allocated,
      staged: 0,
    });
    await host.close();
  });

  it("is committed as unwritten and not as cow", async () => {
    const { host, disk, cookie } = await start();
    await disk.preallocate(16 * B, B);
    await stage(disk, cookie, 16 * B, blocks("new"));
    expect(await refusal(() => disk.commit(cookie, 16 * B, B, "cow"))).toMatchObject({
      code: "EINVAL",
    });
    await disk.commit(cookie, 16 * B, B, "unwritten");
    await host.close();
  });

  it.each(["snapshot", "clone"] as const)(
    "where a %s shares the preallocated blocks, allocate stages new ones, for cow",
    async (share) => {
      const { host, disk, cookie } = await start();
      await disk.preallocate(16 * B, 4 * B);
      const [there] = disk.extents(16 * B, 4 * B);
      const copy = await host[share]("disk", "copy");
      const iomap = await disk.allocate(cookie, 16 * B, 4 * B);
      expect(iomap.flags).toMatchObject({ shared: true, new: true });
      expect(iomap.addr).not.toBe(there!.addr);
      await disk.submit(iomap, blocks("new", 4));
      expect(await refusal(() => disk.commit(cookie, 16 * B, 4 * B, "unwritten"))).toMatchObject({
        code: "EINVAL",
      });
      await disk.commit(cookie, 16 * B, 4 * B, "cow");
      expectBytes(await disk.read(16 * B, 4 * B), blocks("new", 4));
      expectBytes(await copy.read(16 * B, 4 * B), Buffer.alloc(4 * B));
      expect(copy.map(16 * B, 4 * B)).toMatchObject({ type: "unwritten", addr: there!.addr });
      await host.close();
    },
  );

  it.each([
    ["discard", (disk: Subvolume) => disk.discard(17 * B, B)],
    ["writeZeroes", (disk: Subvolume) => disk.writeZeroes(17 * B, B)],
    ["a discard of part of a block", (disk: Subvolume) => disk.discard(17 * B + 5, 10)],
    ["truncation", (disk: Subvolume) => disk.resize(17 * B)],
  ])("%s of a staged range makes its commit fail with ESTALE", async (_name, change) => {
    for (const prepare of [false, true]) {
      const { host, disk, cookie } = await start();
      if (prepare) await disk.preallocate(16 * B, 4 * B);
      const mode = prepare ? "unwritten" : "cow";
      await stage(disk, cookie, 16 * B, blocks("x", 4));
      await change(disk);
      await disk.resize(64 * B);
      const before = await picture(host);
      const error = await refusal(() => disk.commit(cookie, 16 * B, 4 * B, mode));
      expect(error).toMatchObject({ code: "ESTALE", subvolume: "disk", offset: 17 * B });
      expect(await picture(host)).toEqual(before);
      await disk.commit(cookie, 16 * B, B, mode);
      expectBytes(await disk.read(16 * B, B), blocks("x"));
      cookie.put();
      expectConserved(host);
      await host.close();
    }
  });

  it("a discard in a transaction and a rollback make it stale too", async () => {
    const { host, disk, cookie } = await start();
    await host.snapshot("disk", "snap");
    await stage(disk, cookie, 16 * B, blocks("x", 2));
    await host.transact((tx) => tx.discard(disk, 16 * B, B));
    expect(await refusal(() => disk.commit(cookie, 16 * B, B, "cow"))).toMatchObject({
      code: "ESTALE",
    });
    await host.rollback("disk", "snap");
    expect(await refusal(() => disk.commit(cookie, 17 * B, B, "cow"))).toMatchObject({
      code: "ESTALE",
    });
    await host.close();
  });

  it("stale new blocks can be allocated and submitted again", async () => {
    const { host, disk, cookie } = await start();
    await stage(disk, cookie, 16 * B, blocks("x"));
    await disk.discard(16 * B, B);
    await disk.allocate(cookie, 16 * B, B);
    expect(await refusal(() => disk.commit(cookie, 16 * B, B, "cow"))).toMatchObject({
      code: "EINVAL",
    });
    await stage(disk, cookie, 16 * B, blocks("y"));
    await disk.commit(cookie, 16 * B, B, "cow");
    expectBytes(await disk.read(16 * B, B), blocks("y"));
    expect(cookie.remaining).toBe(15);
    await host.close();
  });

  it("an ordinary write to a staged preallocated range makes it stale", async () => {
    const { host, disk, cookie } = await start();
    await disk.preallocate(16 * B, B);
    await stage(disk, cookie, 16 * B, blocks("staged"));
    await disk.write(16 * B, blocks("written"));
    expect(await refusal(() => disk.commit(cookie, 16 * B, B, "unwritten"))).toMatchObject({
      code: "ESTALE",
    });
    expectBytes(await disk.read(16 * B, B), blocks("written"));
    await host.close();
  });

  it("of a deleted subvolume nothing can be committed; put gives all of it back", async () => {
    const { host, disk, cookie } = await start();
    await stage(disk, cookie, 16 * B, blocks("x"));
    await host.delete("disk");
    expect(await refusal(() => disk.commit(cookie, 16 * B, B, "cow"))).toMatchObject({
      code: "ECLOSED",
    });
    cookie.put();
    expect(host.statistics().staged).toBe(0);
    expectConserved(host);
    await host.close();
  });
});

describe("point 6: ordered, visible, and durable on request", () => {
  it("a commit that returned is visible, and durable only after the flush", async () => {
    const { store, host, disk, cookie } = await start();
    await host.flush();
    await stage(disk, cookie, 0, blocks("x"));
    await disk.commit(cookie, 0, B, "cow");
    expectBytes(await disk.read(0, B), blocks("x"));
    const lost = await store.crash(() => 0).open();
    expectBytes(await lost.get("disk").read(0, B), blocks("old"));
    await host.flush();
    const kept = await store.crash(() => 0).open();
    expectBytes(await kept.get("disk").read(0, B), blocks("x"));
    for (const each of [host, lost, kept]) await each.close();
  });

  it.each(["cow", "unwritten"] as const)("{ durable: true } waits for it (%s)", async (mode) => {
    const { store, host, disk, cookie } = await start();
    if (mode === "unwritten") await disk.preallocate(16 * B, B);
    await stage(disk, cookie, 16 * B, blocks("x"));
    await disk.commit(cookie, 16 * B, B, mode, { durable: true });
    const { durableLsn, lastLsn } = host.statistics();
    expect(durableLsn).toBe(lastLsn);
    const after = await store.crash(() => 0).open();
    expectBytes(await after.get("disk").read(16 * B, B), blocks("x"));
    for (const each of [host, after]) await each.close();
  });
});

describe("point 7: snapshots with live cookies", () => {
  it.each(["cow", "unwritten"] as const)(
    "a snapshot does not hold what is staged, and the commit works after it (%s)",
    async (mode) => {
      const { store, host, disk, cookie } = await start();
      if (mode === "unwritten") await disk.preallocate(16 * B, 2 * B);
      await stage(disk, cookie, 16 * B, blocks("x", 2));
      const snapshot = await host.snapshot("disk", "snap");
      expectBytes(await snapshot.read(16 * B, 2 * B), Buffer.alloc(2 * B));
      await disk.commit(cookie, 16 * B, 2 * B, mode, { durable: true });
      cookie.put();
      for (const each of [host, await store.crash(() => 0).open()]) {
        expectBytes(await each.get("disk").read(16 * B, 2 * B), blocks("x", 2));
        expectBytes(await each.get("snap").read(16 * B, 2 * B), Buffer.alloc(2 * B));
        expectConserved(each);
        await each.close();
      }
    },
  );

  it("a clone never writes over blocks that were committed while it shared them (I4)", async () => {
    const { store, host, disk, cookie } = await start();
    await disk.preallocate(16 * B, B);
    await stage(disk, cookie, 16 * B, blocks("x"));
    const clone = await host.clone("disk", "clone");
    await disk.commit(cookie, 16 * B, B, "unwritten");
    cookie.put();
    await host.checkpoint();
    // From here on only the clone maps the block, as unwritten; the checkpoint holds its data.
    await disk.write(16 * B, blocks("y"));
    const staging = await clone.reserve(1, B);
    await stage(clone, staging, 16 * B, blocks("z"));
    await clone.write(16 * B, blocks("z"));
    await store.engineOf(host).pending.writeOut();
    const after = await store.crash(() => 0.99).open();
    expectBytes(await after.get("disk").read(16 * B, B), blocks("x"));
    expectBytes(await after.get("clone").read(16 * B, B), Buffer.alloc(B));
    staging.put();
    for (const each of [host, after]) await each.close();
  });

  it("a preallocated block that one cookie has staged is not staged by another", async () => {
    const { host, disk, cookie } = await start();
    await disk.preallocate(16 * B, 2 * B);
    const mine = await disk.allocate(cookie, 16 * B, B);
    expect(mine.type).toBe("unwritten");
    const late = await host.clone("disk", "late");
    await disk.discard(16 * B, 2 * B);
    const other = await late.reserve(2, B);
    const theirs = await late.allocate(other, 16 * B, 2 * B);
    expect(theirs.addr).not.toBe(mine.addr);
    await disk.submit(mine, blocks("mine"));
    await late.submit(theirs, blocks("theirs").subarray(0, theirs.length));
    await disk.submit(mine, blocks("mine"));
    await late.commit(other, 16 * B, B, theirs.type === "unwritten" ? "unwritten" : "cow");
    expectBytes(await late.read(16 * B, B), blocks("theirs"));
    expectBytes(await disk.read(16 * B, B), Buffer.alloc(B));
    cookie.put();
    other.put();
    expectConserved(host);
    await host.close();
  });
});

/**
 * A submission that came in the one turn between the plan of a commit and the commit itself was
 * taken, and overwrote the block that had just been mapped: it read as `EBADSUM` from then on.
 */
describe("a submission while a commit of the same block is on its way", () => {
  it("belongs to it or is refused, at whatever moment it comes", async () => {
    const outcomes = new Set<string>();
    for (let turns = 0; turns < 20; turns++) {
      const { host, disk, cookie } = await start();
      const iomap = await disk.allocate(cookie, 0, B);
      await disk.submit(iomap, blocks("first"));
      const before = disk.write(20 * B + 3, blocks("part of a block"));
      const committed = outcome(disk.commit(cookie, 0, B, "cow"));
      for (let i = 0; i < turns; i++) await Promise.resolve();
      const submitted = await outcome(disk.submit(iomap, blocks("second")));
      await before;
      outcomes.add(`commit ${await committed}, submission ${submitted}`);
      const last = submitted === "done" ? "second" : "first";
      expectBytes(await disk.read(0, B), blocks((await committed) === "done" ? last : "old"));
      await host.close();
    }
    expect(outcomes).toContain("commit EINVAL, submission done");
    expect(outcomes).toContain("commit done, submission EINVAL");
  });
});

async function outcome(call: Promise<void>): Promise<string> {
  return call.then(
    () => "done",
    ({ code }: { code: string }) => code,
  );
}
