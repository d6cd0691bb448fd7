/** Promise I9, in counts and not in times: what snapshot, clone, delete, read and opening cost. */
import { describe, expect, it, vi } from "vitest";
import { kinds } from "../../src/format/checkpoint-values.ts";
import type { Host } from "../../src/host/host.ts";
import type { Subvolume } from "../../src/host/subvolume.ts";
import { Catalogue } from "../../src/replay/catalogue.ts";
import { MemoryStore, placeOf } from "../support/memory-store.ts";
import { blocks, expectBytes, expectConserved, unawaited } from "./refusal.ts";

const B = 512;
const OPTIONS = { cacheSize: 2 ** 22, maxDirty: 2 ** 22, journalSize: 2 ** 22 };

/** A subvolume of `extents` extents, each of one block with a hole behind it. */
async function start(extents: number): Promise<{
  store: MemoryStore;
  host: Host;
  disk: Subvolume;
}> {
  const store = MemoryStore.create({ capacityBlocks: 16_384 });
  const host = await store.open(OPTIONS);
  const disk = await host.create("disk", { size: 2 * 16_384 * B });
  const block = blocks("x");
  for (let i = 0; i < extents; i++) await disk.write(2 * i * B, block);
  await host.checkpoint();
  return { store, host, disk };
}

/** Values of map nodes that a host takes from its checkpoint while `work` runs. */
function nodesLoaded(
  store: MemoryStore,
  host: Host,
  work: () => Promise<unknown>,
): Promise<number> {
  return valuesLoaded(store, host, kinds.node, work);
}

/** Values of one kind that a host takes from its checkpoint while `work` runs. */
async function valuesLoaded(
  store: MemoryStore,
  host: Host,
  which: number,
  work: () => Promise<unknown>,
): Promise<number> {
  const { source } = store.engineOf(host).state;
  const { environment } = source;
  let loads = 0;
  source.environment = {
    ...environment,
    name: environment.name,
    closing: () => environment.closing(),
    scan: (kind) => environment.scan(kind),
    commit: (changes, state) => environment.commit(changes, state),
    close: () => environment.close(),
    get(kind, id) {
      if (kind === which) loads++;
      return environment.get(kind, id);
    },
  };
  try {
    await work();
  } finally {
    source.environment = environment;
  }
  return loads;
}

describe("I9: snapshot, clone and delete are one journal record each", () => {
  it.each<[string, (host: Host) => Promise<unknown>]>([
    ["snapshot", (host) => host.snapshot("disk", "new")],
    ["clone", (host) => host.clone("disk", "new")],
    ["delete", (host) => host.delete("disk")],
    ["rollback", (host) => host.rollback("disk", "old")],
  ])("%s, and as many bytes and map nodes, whatever the size", async (verb, call) => {
    const costs: unknown[] = [];
    for (const extents of [1, 3000]) {
      const { store, host } = await start(extents);
      if (verb === "rollback") await host.snapshot("disk", "old");
      await host.flush();
      const { state } = store.engineOf(host);
      const before = host.statistics();
      const dirty = state.nodes.dirtyCount;
      let bytes = 0;
      store.onOperation = (operation) => {
        if (placeOf(operation) === "journal" && operation.kind === "write") {
          bytes += operation.length ?? 0;
        }
      };
      const loads = await nodesLoaded(store, host, async () => {
        const called = call(host);
        const after = host.statistics();
        costs.push({
          records: after.records - before.records,
          commits: after.commits - before.commits,
          nodes: state.nodes.dirtyCount - dirty,
        });
        const flushed = host.flush();
        await Promise.all([called, flushed]);
      });
      if (verb !== "delete" && verb !== "rollback") costs.push({ loads, bytes });
      store.onOperation = undefined;
      await host.close();
    }
    const half = costs.length / 2;
    expect(costs.slice(0, half)).toEqual(costs.slice(half));
    expect(costs[0]).toEqual({ records: 1, commits: 1, nodes: 0 });
  });

  it("the first write after a snapshot copies one path, not the map", async () => {
    const { store, host, disk } = await start(3000);
    const { nodes } = store.engineOf(host).state;
    await host.snapshot("disk", "snap");
    const { next } = nodes;
    await disk.write(2000 * B, blocks("y"));
    expect(nodes.next - next).toBeLessThan(12);
    await host.close();
  });
});

describe("I9: a delete is reclaimed in bounded steps, and a crash in the middle resumes", () => {
  it("every commit takes a bounded number of nodes apart, others go between", async () => {
    const { store, host } = await start(3000);
    const other = await host.create("other", { size: 64 * B });
    const engine = store.engineOf(host);
    const { nodes, segments } = engine.state;
    const commits: { type: string; freed: number }[] = [];
    const commitNow = engine.commitNow.bind(engine);
    engine.commitNow = (plan) => {
      const { allocated } = segments;
      const lsn = commitNow(plan);
      const [change] = plan.changes;
      const type = change?.type === "record" ? change.record.type : "write";
      commits.push({ type, freed: allocated - segments.allocated });
      return lsn;
    };
    unawaited(host.delete("disk"));
    for (let i = 0; i < 20; i++) await other.write(0, blocks(`w${i} `));
    while (nodes.dead.length > 0) await host.flush();
    const reclaims = commits.filter(({ type }) => type === "reclaim");
    expect(reclaims.length).toBeGreaterThan(5);
    // A step frees no more than what 32 nodes hold.
    for (const { freed } of reclaims) expect(freed).toBeLessThanOrEqual(32 * nodes.capacity);
    const types = commits.map(({ type }) => type);
    expect(types.indexOf("reclaim")).toBeLessThan(types.lastIndexOf("write"));
    expect(types.indexOf("write")).toBeLessThan(types.lastIndexOf("reclaim"));
    expect(host.statistics()).toMatchObject({ allocated: B, deadNodes: 0 });
    await host.close();
  });

  // A delete of a million extents kept the event loop for more than a second: no step waited.
  it.each<[string, (host: Host) => Promise<unknown>]>([
    ["in the background", () => new Promise(setImmediate)],
    ["for a task", (host) => host.compact()],
  ])("the event loop turns behind every step, %s", async (_, wait) => {
    const { store, host } = await start(3000);
    const engine = store.engineOf(host);
    const { nodes } = engine.state;
    let turns = 0;
    const reclaimedIn: number[] = [];
    const turn = (): void => {
      turns++;
      if (nodes.dead.length > 0) setImmediate(turn);
    };
    const commitNow = engine.commitNow.bind(engine);
    engine.commitNow = (plan) => {
      const [change] = plan.changes;
      if (change?.type === "record" && change.record.type === "reclaim") reclaimedIn.push(turns);
      return commitNow(plan);
    };
    await host.delete("disk");
    setImmediate(turn);
    await wait(host);
    // A caller who asks over and over for what is done already lets the loop turn as well.
    while (nodes.dead.length > 0) await host.flush();
    expect(reclaimedIn.length).toBeGreaterThan(50);
    // The task's first step may come in the turn of the background's last.
    expect(new Set(reclaimedIn).size).toBeGreaterThanOrEqual(reclaimedIn.length - 1);
    await host.close();
  });

  // A compact took all of the map apart in its turn among the calls, and every write waited for it.
  it("with a turn for other calls, though a compact waits for it", async () => {
    const { store, host } = await start(3000);
    const other = await host.create("other", { size: 64 * B });
    const { nodes } = store.engineOf(host).state;
    await host.delete("disk");
    const compacted = host.compact();
    let turns = 0;
    while (nodes.dead.length > 0) {
      await new Promise(setImmediate);
      await other.write(0, blocks(`w${turns++}`));
    }
    expect(turns).toBeGreaterThan(5);
    await compacted;
    await host.close();
  });

  it("what was not reclaimed before a crash is reclaimed after it", async () => {
    const { store, host } = await start(3000);
    await host.delete("disk");
    await host.flush();
    const after = store.crash(() => 0);
    const again = await after.open(OPTIONS);
    expect(again.list()).toEqual([]);
    while (again.statistics().deadNodes > 0) await again.flush();
    expect(again.statistics().allocated).toBe(0);
    expectConserved(again);
    await again.checkpoint();
    await again.checkpoint();
    expect(again.statistics().busy).toBe(0);
    for (const each of [host, again]) await each.close();
  });
});

describe("I9: reads", () => {
  it("load as many nodes at depth 1,000 as at depth 1", async () => {
    const { store, host } = await start(200);
    let name = "disk";
    for (let depth = 1; depth <= 1000; depth++) {
      const clone = await host.clone(name, `clone${depth}`);
      await clone.write(2 * (depth % 200) * B, blocks(`d${depth} `));
      name = `clone${depth}`;
    }
    await host.close();
    const loads: number[] = [];
    for (const depth of [1, 500, 1000]) {
      const again = await store.open(OPTIONS);
      const clone = again.get(`clone${depth}`);
      loads.push(await nodesLoaded(store, again, () => clone.read(0, B)));
      expectBytes(await clone.read(2 * (depth % 200) * B, B), blocks(`d${depth} `));
      await again.close();
    }
    expect(loads[0]).toBeGreaterThan(1);
    expect(loads).toEqual([loads[0], loads[0], loads[0]]);
  });

  it("of one subvolume with 1,000 snapshots cost the same as with none", async () => {
    const loads: number[] = [];
    for (const snapshots of [0, 1000]) {
      const { store, host, disk } = await start(200);
      for (let i = 0; i < snapshots; i++) {
        await host.snapshot("disk", `snap${i}`);
        await disk.write(2 * (i % 200) * B, blocks("y"));
      }
      await host.close();
      const again = await store.open(OPTIONS);
      loads.push(await nodesLoaded(store, again, () => again.get("disk").read(100 * B, B)));
      await again.close();
    }
    expect(loads[0]).toBeGreaterThan(1);
    expect(loads[1]).toBe(loads[0]);
  });

  it("aligned writes read nothing from the device", async () => {
    const { store, host, disk } = await start(200);
    const reads = store.count("data", "read");
    for (let i = 0; i < 100; i++) await disk.write(i * B, blocks("y", 3));
    expect(store.count("data", "read")).toBe(reads);
    await host.close();
  });

  it("a run of blocks is read with one call", async () => {
    const { store, host, disk } = await start(0);
    await disk.write(0, blocks("x", 16));
    await host.checkpoint();
    const reads = store.count("data", "read");
    await disk.read(100, 14 * B);
    expect(store.count("data", "read")).toBe(reads + 1);
    await host.close();
  });
});

describe("usage", () => {
  // Each extent lay in another segment than the one before: a cache too small for all records took
  // one from the checkpoint for every block of the store, and `list` took minutes.
  it("looks at each segment's record once, in whatever order a map was written", async () => {
    const { store, host, disk } = await start(0);
    const extents = 2000;
    // 7 is prime to 2000.
    for (let i = 0; i < extents; i++) await disk.write(2 * ((i * 7) % extents) * B, blocks("x"));
    await host.close();
    const again = await store.open({ ...OPTIONS, cacheSize: 2 ** 16 });
    const { segments } = store.engineOf(again).state;
    const used = segments.live.filter((live) => live > 0).length;
    expect(used).toBeGreaterThan(100);
    const loads = await valuesLoaded(store, again, kinds.segment, async () => {
      const whole = { referencedBytes: extents * B, exclusiveBytes: extents * B };
      expect(again.usage().get("disk")).toEqual(whole);
    });
    expect(loads).toBe(used);
    await again.close();
  });
});

describe("preallocate", () => {
  // It asked of each block between the holes who shares it, twice; a million took 8 s.
  it("asks nothing of the blocks between the holes", async () => {
    const { store, host, disk } = await start(1000);
    const asked = vi.spyOn(store.engineOf(host).state.segments, "references");
    const before = host.statistics().records;
    await disk.preallocate(0, 2000 * B);
    expect(host.statistics().records - before).toBe(1000);
    expect(asked).not.toHaveBeenCalled();
    await host.close();
  });
});

describe("extents", () => {
  // It asked for the record of its segment for every block, once or twice.
  it("look at a segment's record once for each extent, however long", async () => {
    const { store, host, disk } = await start(100);
    await disk.preallocate(1000 * B, 2000 * B);
    await disk.write(4000 * B, blocks("y", 500));
    const asked = vi.spyOn(store.engineOf(host).state.segments, "record");
    const mapped = [...disk.extents()].filter(({ type }) => type !== "hole");
    expect(mapped.length).toBeGreaterThan(100);
    expect(asked.mock.calls.length).toBeLessThanOrEqual(mapped.length);
    await host.close();
  });
});

describe("preallocate of a block", () => {
  // It looked for a segment that is free each time: 10 ms where 8 TiB are full.
  it("looks at no segments, however many are full", async () => {
    const { store, host, disk } = await start(3000);
    await disk.preallocate(1 * B, B);
    const used = vi.spyOn(store.engineOf(host).allocator, "used");
    await disk.preallocate(3 * B, B);
    expect(used.mock.calls.length).toBeLessThanOrEqual(1);
    await host.close();
  });
});

describe("I9: opening", () => {
  it("after a crash replays the tail of the journal, whatever the store holds", async () => {
    const replayed: unknown[] = [];
    for (const extents of [10, 3000]) {
      const { store, host, disk } = await start(extents);
      for (let i = 0; i < 5; i++) await disk.write(i * B, blocks("tail"));
      await host.flush();
      const after = store.crash(() => 0);
      let read = 0;
      after.onOperation = (operation) => {
        if (placeOf(operation) === "data" && operation.kind === "read") read++;
      };
      const again = await after.open(OPTIONS);
      const { commits, records, bytes } = again.recovery;
      // The one read is the label of the data device.
      replayed.push({ commits, records, bytes, read });
      for (const each of [host, again]) await each.close();
    }
    expect(replayed[0]).toMatchObject({ commits: 5, records: 5, read: 1 });
    expect(replayed[1]).toEqual(replayed[0]);
  });

  // A store with 100,000 subvolumes kept the event loop for more than two seconds.
  it("takes the subvolumes up in several turns of the event loop", async () => {
    const { store, host } = await start(0);
    for (let i = 0; i < 5000; i++) await host.create(`one of many ${i}`, { size: B });
    await host.close();
    const load = vi.spyOn(Catalogue.prototype, "load");
    const loaded = [0];
    const turn = (): void => {
      loaded.push(load.mock.calls.length);
      if (loaded.at(-1)! < 5001) setImmediate(turn);
    };
    setImmediate(turn);
    const again = await store.open(OPTIONS);
    load.mockRestore();
    expect(again.list()).toHaveLength(5001);
    const inTurn = loaded.slice(1).map((count, i) => count - loaded[i]!);
    expect(Math.max(...inTurn)).toBeLessThanOrEqual(1024);
    await again.close();
  });

  it("never has much more than 100,000 commits to replay, however small they are", async () => {
    const store = MemoryStore.create({ capacityBlocks: 16_384 });
    const LARGE = 2 ** 30;
    const host = await store.open({ cacheSize: LARGE, maxDirty: LARGE, journalSize: LARGE });
    const disk = await host.create("disk", { size: B });
    for (let i = 0; i < 100_000; i++) await disk.resize(1 + (i % B));
    expect(host.statistics().checkpoints).toBe(0);
    await disk.resize(B);
    await store.engineOf(host).checkpointer.settled();
    expect(host.statistics().checkpoints).toBe(1);
    await host.close();
  });
});
