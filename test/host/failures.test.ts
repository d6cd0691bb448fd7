/**
 * Promise I7: a failed write or sync of journal, data or checkpoint is final. One load is run again
 * and again, and each time another of its operations fails.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Change, OpenEnvironment } from "../../src/checkpoint/environment.ts";
import type { Operation } from "../../src/testing/operation.ts";
import type { Host } from "../../src/host/host.ts";
import { MemoryStore, placeOf } from "../support/memory-store.ts";
import { blocks, expectBytes, refusal } from "./refusal.ts";

const B = 512;
const ENTRIES = 24;
const ENTRY = 16;
const OPTIONS = { cacheSize: 2 ** 18, maxDirty: 2 ** 18 };

const entryText = (i: number): string => `entry ${i}`.padEnd(ENTRY);

/** What a run of the load was told before something failed. */
interface Told {
  /** Entries submitted, and entries known durable. */
  submitted: number;
  acknowledged: number;
  errors: unknown[];
}

/** Appends entries to a log, with everything else that a host does in between. */
async function load(host: Host, told: Told): Promise<void> {
  const log = host.get("log");
  const disk = host.get("disk");
  for (let i = 0; i < ENTRIES; i++) {
    if (i % 5 === 1) await disk.write((i % 7) * B, blocks(`big${i} `, 150));
    if (i % 6 === 2) await host.snapshot("disk", `snap${i}`);
    if (i % 8 === 3) await disk.discard(0, 200 * B);
    if (i % 6 === 4) {
      const cookie = await disk.reserve(2, B);
      const iomap = await disk.allocate(cookie, 300 * B, 2 * B);
      await disk.submit(iomap, blocks(`two${i} `, iomap.length / B));
      await disk.commit(cookie, 300 * B, iomap.length, "cow");
      cookie.put();
    }
    if (i % 12 === 9) await host.delete(`snap${i - 1}`);
    await log.write(i * ENTRY, Buffer.from(entryText(i)));
    told.submitted = i + 1;
    if (i % 3 === 2) {
      await host.flush();
      told.acknowledged = i + 1;
    }
    if (i % 7 === 6) await host.checkpoint();
    if (i === 15) await host.compact();
  }
}

async function start(): Promise<{ store: MemoryStore; host: Host }> {
  const store = MemoryStore.create();
  const host = await store.open(OPTIONS);
  await host.create("log", { size: ENTRIES * ENTRY });
  await host.create("disk", { size: 400 * B });
  await host.flush();
  return { store, host };
}

/** Environments that take many turns of the event loop before they ask for the last changes. */
function slowEnvironments({ environments }: MemoryStore): { commitDelayed: () => number } {
  const { openFor } = environments;
  let delayed = 0;
  const slowly =
    (open: OpenEnvironment): OpenEnvironment =>
    async (name, anew) => {
      const environment = await open(name, anew);
      const commit = environment.commit.bind(environment);
      environment.commit = (changes, how) => {
        const last = async (): Promise<Iterable<Change>> => {
          delayed++;
          for (let turn = 0; turn < 20; turn++) await nextTurn();
          return how.last?.() ?? [];
        };
        return commit(changes, { ...how, last });
      };
      return environment;
    };
  Object.assign(environments, { openFor: (id: Uint8Array) => slowly(openFor(id)) });
  return { commitDelayed: () => delayed };
}

async function run(host: Host): Promise<Told> {
  const told: Told = { submitted: 0, acknowledged: 0, errors: [] };
  await load(host, told).catch((error: unknown) => told.errors.push(error));
  return told;
}

/** How many whole entries a log begins with; there must be nothing behind them. */
async function entriesIn(host: Host): Promise<number> {
  const log = await host.get("log").read(0, ENTRIES * ENTRY);
  let count = 0;
  while (count < ENTRIES && log.toString("latin1", count * ENTRY).startsWith(entryText(count))) {
    count++;
  }
  expectBytes(log.subarray(count * ENTRY), Buffer.alloc((ENTRIES - count) * ENTRY));
  return count;
}

/** What must hold once something has failed, for good. */
async function expectFinal(
  store: MemoryStore,
  host: Host,
  told: Told,
  cause: Error,
): Promise<void> {
  for (const error of told.errors) {
    expect(error).toMatchObject({ code: "EIO" });
    expect(causes(error)).toContain(cause);
  }
  const log = host.get("log");
  const { durableLsn } = host.statistics();
  for (const call of [
    () => log.write(0, Buffer.from("late")),
    () => host.flush(),
    () => host.checkpoint(),
    () => host.snapshot("log", "late"),
    () => host.transact((tx) => tx.write(log, 0, Buffer.from("late"))),
    () => log.reserve(1, B),
    () => host.flush(),
  ]) {
    const error = await refusal(call);
    expect(error.code).toBe("EIO");
    expect(causes(error)).toContain(cause);
    expect(error.message).toContain("read-only");
  }
  expect(host.statistics().durableLsn).toBe(durableLsn);
  expect(await entriesIn(host)).toBeGreaterThanOrEqual(told.submitted);
  const crashed = [store.crash(() => 0), store.crash(() => 0.5), store.killed()];
  await expectClose(host, cause);
  for (const left of [...crashed, store]) {
    left.onOperation = undefined;
    left.onCommit = undefined;
    const again = await left.open(OPTIONS);
    const count = await entriesIn(again);
    expect(count).toBeGreaterThanOrEqual(told.acknowledged);
    expect(count).toBeLessThanOrEqual(told.submitted + 1);
    await again.get("log").write(0, Buffer.from(entryText(0)));
    await again.close();
  }
}

/** Close succeeds when nothing was lost, or else tells why. */
async function expectClose(host: Host, cause: Error): Promise<void> {
  const said = await host.close().then(
    () => [cause],
    (error: unknown) => causes(error),
  );
  expect(said).toContain(cause);
}

function causes(error: unknown): unknown[] {
  const chain: unknown[] = [];
  for (let at = error; at instanceof Error; at = at.cause) chain.push(at);
  return chain;
}

type Kind = `${"journal" | "data"} ${Operation["kind"]}`;

/**
 * Every operation that changes something; what the load does not do is not in the list of cases.
 */
const kinds: Kind[] = [
  "journal create",
  "journal write",
  "journal flush",
  "journal sync",
  "journal remove",
  "data write",
  "data flush",
  "data discard",
];

const keyOf = (operation: Operation): Kind => `${placeOf(operation)} ${operation.kind}` as Kind;

async function operationsOfLoad(): Promise<Map<Kind, number>> {
  const { store, host } = await start();
  const counts = new Map<Kind, number>();
  store.onOperation = (operation) => {
    const key = keyOf(operation);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  };
  const told = await run(host);
  expect(told).toEqual({ submitted: ENTRIES, acknowledged: ENTRIES, errors: [] });
  await host.close();
  return counts;
}

describe("I7: the k-th operation fails, for every k", () => {
  it.each(["once", "from then on"] as const)("%s", async (how) => {
    const counts = await operationsOfLoad();
    const retried: string[] = [];
    let cases = 0;
    for (const kind of kinds) {
      for (let k = 1; k <= (counts.get(kind) ?? 0); k++) {
        const { store, host } = await start();
        const cause = new Error(`${kind} ${k} fails`);
        let seen = 0;
        store.onOperation = (operation) => {
          if (keyOf(operation) !== kind) return;
          seen++;
          if (seen === k || (how === "from then on" && seen > k)) throw cause;
        };
        const told = await run(host);
        // The last checkpoint of the load may be at work in the background, or that of close.
        if (told.errors.length === 0) await host.checkpoint().catch(() => undefined);
        if (seen < k) {
          await expectClose(host, cause);
          continue;
        }
        await expectFinal(store, host, told, cause);
        if (kind.endsWith("flush") && seen > k) retried.push(`${kind} ${k}`);
        cases++;
      }
    }
    expect(retried).toEqual([]);
    expect(cases).toBeGreaterThan(60);
  });

  it.each(["before", "after"] as const)("a checkpoint fails %s it takes effect", async (phase) => {
    for (let k = 1; k <= 4; k++) {
      const { store, host } = await start();
      const cause = new Error(`checkpoint ${k} fails`);
      let seen = 0;
      store.onCommit = (_name, at) => {
        if (at === phase && ++seen === k) throw cause;
      };
      const told = await run(host);
      expect(seen).toBeGreaterThanOrEqual(k);
      await expectFinal(store, host, told, cause);
    }
  });
});

/**
 * Checkpoints and large batches at the same time, `turns` of the event loop apart; the `k`th flush
 * of the data fails. The system tells of lost pages once; another would pass without them.
 */
async function overlapping(turns: number, k: number): Promise<{ flushes: number; last: string }> {
  const { store, host } = await start();
  const disk = host.get("disk");
  let flushes = 0;
  store.onOperation = (operation) => {
    if (keyOf(operation) === "data flush" && ++flushes === k) throw new Error("lost pages");
  };
  await disk.write(0, blocks("a", 100));
  const calls: Promise<unknown>[] = [];
  const call = (made: Promise<unknown>): void => {
    made.catch(() => undefined);
    calls.push(made);
  };
  call(host.checkpoint());
  for (let i = 1; i <= 3; i++) {
    for (let turn = 0; turn < turns; turn++) await nextTurn();
    call(disk.write(i * 50 * B, blocks(`b${i} `, 150)));
    call(disk.flush());
  }
  call(host.checkpoint());
  const outcomes = await Promise.allSettled(calls);
  const flushesBeforeClose = flushes;
  await host.close().catch(() => undefined);
  return { flushes: flushesBeforeClose, last: outcomes.at(-1)!.status };
}

describe("I7: what is under way", () => {
  it("everyone who waits is told, and nobody twice", async () => {
    const { store, host } = await start();
    const disk = host.get("disk");
    const cause = new Error("no more");
    store.onOperation = (operation) => {
      if (keyOf(operation) === "journal flush") throw cause;
    };
    const waits = Array.from({ length: 20 }, async (_, i) => {
      await disk.write(i * B, blocks("x"));
      await disk.flush();
    });
    const results = await Promise.allSettled(waits);
    for (const result of results) {
      expect(result).toMatchObject({ status: "rejected", reason: { code: "EIO" } });
    }
    expect(host.statistics().durableLsn).toBe(2);
    await host.close().catch(() => undefined);
  });

  it("no batch is acknowledged when the data's flush has failed for another", async () => {
    let cases = 0;
    for (let turns = 0; turns < 12; turns++) {
      const { flushes: all } = await overlapping(turns, Infinity);
      for (let k = 1; k <= all; k++, cases++) {
        const { flushes, last } = await overlapping(turns, k);
        expect({ k, turns, flushes, last }).toEqual({ k, turns, flushes: k, last: "rejected" });
      }
    }
    expect(cases).toBeGreaterThan(30);
  });

  // Row 19, seed 1: while the environment was taking what had changed, nobody listened to the flush
  // of the data, and the process died of a rejection that was not handled.
  it("data that its frame refers to cannot be written, and that is what is told", async () => {
    const store = MemoryStore.create({ capacityBlocks: 4096 });
    // So much that nothing is written in the background.
    const host = await store.open({ ...OPTIONS, maxDirty: 2 ** 20 });
    const disk = await host.create("disk", { size: 1000 * B });
    await disk.write(0, blocks("more than a frame carries ", 300));
    store.onOperation = (operation) => {
      if (placeOf(operation) === "data" && operation.kind === "write") throw new Error("no");
    };
    const error = await refusal(() => host.flush());
    expect(error.message).toMatch(/^EIO: a data write failed and the host is read-only/);
    await host.close().catch(() => undefined);
  });

  it("data that cannot be written fails a checkpoint that is busy with its changes", async () => {
    const { store, host } = await start();
    const { commitDelayed } = slowEnvironments(store);
    await host.get("disk").write(0, blocks("x", 20));
    await host.close();
    const again = await store.open(OPTIONS);
    await again.get("disk").write(0, blocks("y", 20));
    store.onOperation = (operation) => {
      if (placeOf(operation) === "data") throw new Error("no such luck");
    };
    const error = await refusal(() => again.checkpoint());
    expect(error).toMatchObject({ code: "EIO" });
    expect(commitDelayed()).toBeGreaterThan(0);
    await again.close().catch(() => undefined);
  });

  it("a failed submission is final too, and its blocks come back", async () => {
    const { store, host } = await start();
    const disk = host.get("disk");
    const cookie = await disk.reserve(2, B);
    const iomap = await disk.allocate(cookie, 0, 2 * B);
    const cause = new Error("a bad spot");
    store.onOperation = (operation) => {
      if (keyOf(operation) === "data write") throw cause;
    };
    const error = await refusal(() => disk.submit(iomap, blocks("x", 2)));
    expect(error.code).toBe("EIO");
    expect(causes(error)).toContain(cause);
    expect(await refusal(() => disk.commit(cookie, 0, 2 * B, "cow"))).toMatchObject({
      code: "EIO",
    });
    cookie.put();
    expect(host.statistics().staged).toBe(0);
    await host.close();
  });

  it("a failed read is an error of that read only", async () => {
    const { store, host } = await start();
    const disk = host.get("disk");
    await disk.write(0, blocks("x", 4));
    await host.checkpoint();
    const cause = new Error("unreadable");
    store.onOperation = (operation) => {
      if (keyOf(operation) === "data read") throw cause;
    };
    const error = await refusal(() => disk.read(B, B));
    expect(error).toMatchObject({ code: "EIO", subvolume: "disk", offset: B, length: B });
    expect(causes(error)).toContain(cause);
    expect(await refusal(() => disk.write(B + 1, Buffer.from("partial")))).toMatchObject({
      code: "EIO",
    });
    store.onOperation = undefined;
    expectBytes(await disk.read(0, 4 * B), blocks("x", 4));
    await disk.write(B, blocks("y"));
    await host.flush();
    await host.close();
  });

  it("close tells what was lost, and says nothing when nothing was", async () => {
    for (const lost of [true, false]) {
      const { store, host } = await start();
      await host.get("disk").write(0, blocks("x"));
      if (!lost) await host.flush();
      store.onOperation = (operation) => {
        if (keyOf(operation) === "data write") throw new Error("no data");
      };
      expect(await refusal(() => host.checkpoint())).toMatchObject({ code: "EIO" });
      const [closed] = await Promise.allSettled([host.close()]);
      expect(closed.status).toBe(lost ? "rejected" : "fulfilled");
    }
    const { store, host } = await start();
    await host.get("disk").write(0, blocks("x"));
    store.onOperation = (operation) => {
      if (keyOf(operation) === "journal write") throw new Error("no journal");
    };
    expect(await refusal(() => host.close())).toMatchObject({ code: "EIO" });
    expect(await refusal(() => host.close())).toMatchObject({ code: "EIO" });
    store.onOperation = undefined;
    const again = await store.open(OPTIONS);
    expectBytes(await again.get("disk").read(0, B), Buffer.alloc(B));
    await again.close();
  });
});
