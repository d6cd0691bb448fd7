/**
 * Promises I1 and I10, and what group commit costs: which operations on journal and data device
 * stand between a call and its acknowledgement.
 */
import { describe, expect, it } from "vitest";
import type { Host } from "../../src/host/host.ts";
import type { Subvolume } from "../../src/host/subvolume.ts";
import { seededNumbers } from "../device/scratch.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { blocks, expectBytes, refusal } from "./refusal.ts";

const B = 512;
/** The worst that can be: nothing that was not flushed is kept. */
const nothingKept = (): number => 0;
/** And the best. */
const allKept = (): number => 0.999;

async function start(): Promise<{ store: MemoryStore; host: Host; disk: Subvolume }> {
  const store = MemoryStore.create({ capacityBlocks: 4096 });
  const host = await store.open({ maxDirty: 2 ** 20, journalSize: 2 ** 21, cacheSize: 2 ** 20 });
  const disk = await host.create("disk", { size: 2048 * B });
  await host.flush();
  return { store, host, disk };
}

interface Cost {
  journalWrites: number;
  journalFlushes: number;
  dataWrites: number;
  dataFlushes: number;
}

function costs(store: MemoryStore): Cost {
  return {
    journalWrites: store.count("journal", "write"),
    journalFlushes: store.count("journal", "flush"),
    dataWrites: store.count("data", "write"),
    dataFlushes: store.count("data", "flush"),
  };
}

/** The operations that `work` takes. */
async function costOf(store: MemoryStore, work: () => Promise<unknown>): Promise<Cost> {
  const before = costs(store);
  await work();
  const after = costs(store);
  return {
    journalWrites: after.journalWrites - before.journalWrites,
    journalFlushes: after.journalFlushes - before.journalFlushes,
    dataWrites: after.dataWrites - before.dataWrites,
    dataFlushes: after.dataFlushes - before.dataFlushes,
  };
}

const oneJournalWrite = { journalWrites: 1, journalFlushes: 1, dataWrites: 0, dataFlushes: 0 };

describe("I1: what a server may answer without asking", () => {
  it("is that all is durable, from the flush to the next change", async () => {
    const { host, disk } = await start();
    expect(host.isFlushed).toBe(true);
    const write = disk.write(0, blocks("x"));
    expect(host.isFlushed).toBe(false);
    await write;
    const flush = host.flush();
    expect(host.isFlushed).toBe(false);
    await flush;
    expect(host.isFlushed).toBe(true);
    await host.close();
  });

  it("is not so where the last frame may be in the cache alone, before a checkpoint", async () => {
    const { store, disk } = await start();
    await disk.write(0, blocks("x"));
    await disk.flush();
    const after = await store.killed().open();
    expect(after.isFlushed).toBe(false);
    await after.flush();
    expect(after.isFlushed).toBe(true);
    await after.close();
  });

  // It was said to be durable at once; and when that checkpoint failed, nobody was told.
  it("and such a frame is not said to be durable before one", async () => {
    const { store, host, disk } = await start();
    await disk.write(0, blocks("x"));
    await disk.flush();
    const { lastLsn } = host.statistics();
    const left = store.killed();
    left.onCommit = () => {
      throw new Error("no checkpoint");
    };
    const after = await left.open();
    expect(after.statistics()).toMatchObject({ lastLsn, durableLsn: lastLsn - 1 });
    await refusal(() => after.flush());
    expect(after.statistics()).toMatchObject({ lastLsn, durableLsn: lastLsn - 1 });
    expect(await refusal(() => after.close())).toMatchObject({ code: "EIO" });
    left.onCommit = undefined;
    const again = await left.open();
    await again.flush();
    expect(again.statistics()).toMatchObject({ lastLsn, durableLsn: lastLsn });
    await again.close();
  });

  it("I7: is not so after a failure", async () => {
    const { store, host, disk } = await start();
    store.onOperation = ({ kind }) => {
      if (kind === "flush") throw new Error("no such luck");
    };
    await disk.write(0, blocks("x"));
    await refusal(() => disk.flush());
    expect(host.isFlushed).toBe(false);
  });
});

describe("I1: flush", () => {
  const changes: [string, (host: Host, disk: Subvolume) => Promise<unknown>][] = [
    ["write", (_host, disk) => disk.write(3 * B, blocks("new", 4))],
    ["partial write", (_host, disk) => disk.write(777, Buffer.from("partial"))],
    ["large write", (_host, disk) => disk.write(0, blocks("large", 400))],
    ["discard", (_host, disk) => disk.discard(0, 5 * B)],
    ["preallocate", (_host, disk) => disk.preallocate(100 * B, 5 * B)],
    ["resize", (_host, disk) => disk.resize(5 * B + 1)],
    ["create", (host) => host.create("new", { size: 5 })],
    ["snapshot", (host) => host.snapshot("disk", "snap")],
    ["clone", (host) => host.clone("disk", "clone")],
    ["rename", (host) => host.rename("disk", "renamed")],
    ["delete", (host) => host.delete("disk")],
  ];

  it.each(changes)(
    "a %s is there after a crash that keeps nothing unflushed",
    async (_name, change) => {
      const { store, host, disk } = await start();
      await disk.write(0, blocks("old", 8));
      await host.flush();
      await change(host, disk);
      await host.flush();
      const names = host.list();
      const sizes = names.map(({ name }) => host.get(name).size);
      const contents = await Promise.all(
        names.map(({ name }, i) => host.get(name).read(0, sizes[i]!)),
      );
      for (const fate of [nothingKept, allKept]) {
        const after = await store.crash(fate).open();
        expect(after.list()).toEqual(names);
        for (const [i, { name }] of names.entries()) {
          expectBytes(await after.get(name).read(0, sizes[i]!), contents[i]!);
        }
        await after.close();
      }
      await host.close();
    },
  );

  it("without a flush the crash may take it, and nothing else", async () => {
    const { store, host, disk } = await start();
    await disk.write(0, blocks("flushed"));
    await host.flush();
    await disk.write(0, blocks("lost"));
    const after = await store.crash(nothingKept).open();
    expectBytes(await after.get("disk").read(0, B), blocks("flushed"));
    for (const each of [host, after]) await each.close();
  });

  it("the flush of one subvolume covers all of them", async () => {
    const { store, host, disk } = await start();
    const other = await host.create("other", { size: B });
    await disk.write(0, blocks("x"));
    await other.flush();
    const after = await store.crash(nothingKept).open();
    expectBytes(await after.get("disk").read(0, B), blocks("x"));
    for (const each of [host, after]) await each.close();
  });

  it("covers writes that wait their turn when it is called", async () => {
    const { store, host, disk } = await start();
    const waits = [5, 6, 7].map((at) => disk.write(at, Buffer.from("x")));
    await disk.flush();
    const after = await store.crash(nothingKept).open();
    expect((await after.get("disk").read(5, 3)).toString()).toBe("xxx");
    await Promise.all(waits);
    for (const each of [host, after]) await each.close();
  });

  it("is done at once when there is nothing to flush, and costs nothing", async () => {
    const { store, host, disk } = await start();
    expect(await costOf(store, () => disk.flush())).toEqual({
      journalWrites: 0,
      journalFlushes: 0,
      dataWrites: 0,
      dataFlushes: 0,
    });
    await host.close();
  });

  it("survives crash after crash: what recovery found is as durable as before", async () => {
    const { store, host, disk } = await start();
    await disk.write(0, blocks("x", 20));
    await host.flush();
    let at = store;
    for (let i = 0; i < 5; i++) {
      at = at.crash(nothingKept);
      const again = await at.open();
      expectBytes(await again.get("disk").read(0, 20 * B), blocks("x", 20));
    }
    await host.close();
  });
});

describe("I1: group commit", () => {
  it("100 writers that flush at the same time cost one journal write and one flush", async () => {
    const { store, host, disk } = await start();
    const writer = async (i: number): Promise<void> => {
      await disk.write(i * B, blocks(`w${i}`));
      await disk.flush();
    };
    // The first frame of the store went into its file, so no file header is written here.
    expect(
      await costOf(store, () => Promise.all(Array.from({ length: 100 }, (_, i) => writer(i)))),
    ).toEqual(oneJournalWrite);
    const after = await store.crash(nothingKept).open();
    for (let i = 0; i < 100; i++) {
      expectBytes(await after.get("disk").read(i * B, B), blocks(`w${i}`));
    }
    for (const each of [host, after]) await each.close();
  });

  it("100 writers of parts of blocks do, too", async () => {
    const { store, host, disk } = await start();
    const work = async (): Promise<void> => {
      const writes = Array.from({ length: 100 }, (_, i) =>
        disk.write(i * 100, Buffer.alloc(100, i)),
      );
      await Promise.all([...writes, ...writes.map(() => disk.flush())]);
    };
    expect(await costOf(store, work)).toEqual(oneJournalWrite);
    await host.close();
  });

  it("a small batch costs one flush, a large one a flush of its data before it", async () => {
    const { store, host, disk } = await start();
    const small = await costOf(store, async () => {
      await disk.write(0, blocks("s", 16));
      await disk.flush();
    });
    expect(small).toEqual(oneJournalWrite);
    const order: string[] = [];
    store.onOperation = ({ kind, path }) => {
      if (kind !== "read") order.push(`${path.endsWith("data") ? "data" : "journal"} ${kind}`);
    };
    await disk.write(0, blocks("l", 512));
    await disk.flush();
    expect(new Set(order.slice(0, -3))).toEqual(new Set(["data write"]));
    expect(order.slice(-3)).toEqual(["data flush", "journal write", "journal flush"]);
    await host.close();
  });

  it("much data is written once; little data goes home later, in long runs", async () => {
    const { store, host, disk } = await start();
    const sizes: Record<"data" | "journal", number> = { data: 0, journal: 0 };
    let dataWrites = 0;
    store.onOperation = ({ kind, path, length }) => {
      if (kind !== "write") return;
      sizes[path.endsWith("/data") ? "data" : "journal"] += length ?? 0;
      if (path.endsWith("/data")) dataWrites++;
    };
    await disk.write(0, blocks("l", 512));
    await disk.flush();
    expect(sizes.data).toBe(512 * B);
    expect(sizes.journal).toBeLessThan(32 * B);
    dataWrites = 0;
    for (let i = 0; i < 60; i++) {
      await disk.write(i * 29 * B, blocks("r"));
      await disk.flush();
    }
    expect(dataWrites).toBe(0);
    expect(host.statistics().pendingBytes).toBe(60 * B);
    await host.checkpoint();
    expect(dataWrites).toBeLessThan(10);
    await host.close();
  });

  it("writers that come while a batch is on its way share the next one", async () => {
    const { store, host, disk } = await start();
    const work = async (): Promise<void> => {
      await disk.write(0, blocks("a"));
      const first = disk.flush();
      await Promise.resolve();
      await Promise.resolve();
      const late = Array.from({ length: 50 }, async (_, i) => {
        await disk.write(i * B, blocks("b"));
        await disk.flush();
      });
      await Promise.all([first, ...late]);
    };
    const { journalFlushes } = await costOf(store, work);
    expect(journalFlushes).toBeLessThanOrEqual(2);
    await host.close();
  });
});

describe("I10: torn is not rotten", () => {
  it("a torn tail that nobody was told of ends replay quietly, and is counted", async () => {
    const outcomes = new Set<string>();
    for (let seed = 1; seed <= 30; seed++) {
      const next = seededNumbers(seed * 2_654_435_761);
      const { store, host, disk } = await start();
      await disk.write(0, blocks("told"));
      await host.flush();
      let crashed: MemoryStore | undefined;
      store.onOperation = ({ kind, path }) => {
        const flushesFrame = kind === "flush" && path.includes("journal");
        if (flushesFrame) crashed ??= store.crash(() => next(1000) / 1000);
      };
      await disk.write(0, blocks("untold", 8));
      await host.flush();
      store.onOperation = undefined;
      const after = await crashed!.open();
      const { lastLsn, discardedBytes } = after.recovery;
      expectBytes(await after.get("disk").read(0, B), blocks(lastLsn === 3 ? "untold" : "told"));
      outcomes.add(`${lastLsn === 3 ? "kept" : "lost"}, ${discardedBytes > 0 ? "torn" : "whole"}`);
      await after.close();
      await host.close();
    }
    expect([...outcomes].toSorted()).toEqual(["kept, whole", "lost, torn", "lost, whole"]);
  });

  it("a frame that was durable and is damaged refuses with ECORRUPT and its LSN", async () => {
    const { store, host, disk } = await start();
    for (let i = 0; i < 4; i++) {
      await disk.write(i * B, blocks(`entry${i}`));
      await host.flush();
    }
    const after = store.killed();
    const journal = after.directory.directory("journal");
    const name = (await journal.list()).at(-1)!;
    const file = await journal.open(name, "write");
    const bytes = new Uint8Array(file.size);
    await file.read(bytes, 0);
    // The creation is commit 1, then comes one for each entry: damages the second of them.
    const at = Buffer.from(bytes).indexOf("entry1");
    await file.write([Uint8Array.of(bytes[at]! ^ 1)], at);
    const error = await refusal(() => after.open());
    expect(error).toMatchObject({ code: "ECORRUPT", lsn: 3 });
    expect(error.message).toMatch(/commit 3/);
    expect(await refusal(() => after.open({ readOnly: true }))).toMatchObject({ code: "ECORRUPT" });
    await host.close();
  });

  it("recovery tells what it replayed", async () => {
    const { store, host, disk } = await start();
    await host.checkpoint();
    await disk.write(0, blocks("a"));
    await disk.write(B, blocks("b"));
    await host.flush();
    const after = await store.crash(nothingKept).open();
    expect(after.recovery).toMatchObject({
      checkpointLsn: 1,
      lastLsn: 3,
      commits: 2,
      records: 2,
      discardedBytes: 0,
    });
    expect(after.recovery.bytes).toBeGreaterThan(2 * B);
    await after.close();
    const again = await store.open().catch(() => undefined);
    expect(again).toBeUndefined();
    await host.close();
    const closed = await store.open();
    expect(closed.recovery).toMatchObject({ checkpointLsn: 3, commits: 0, bytes: 0 });
    await closed.close();
  });
});
