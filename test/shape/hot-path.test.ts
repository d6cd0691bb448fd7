/**
 * What one small write and one small read of a large map take, in nodes looked at and in promises
 * made: a guard of the shape of the hot path, which no other test sees getting worse.
 */
import { createHook } from "node:async_hooks";
import { describe, expect, it } from "vitest";
import { B, largeStore, type LargeStore, placeOfExtent, scattered } from "./large-store.ts";

const CALLS = 500;

/** Nodes that are looked up or edited in a call of `work`, the same ones as often as it does. */
async function nodesTouched(
  { store, host }: LargeStore,
  work: (i: number) => Promise<unknown>,
): Promise<number> {
  const { nodes } = store.engineOf(host).state;
  const get = nodes.get.bind(nodes);
  const edit = nodes.edit.bind(nodes);
  let touched = 0;
  nodes.get = (id) => {
    touched++;
    return get(id);
  };
  nodes.edit = (id) => {
    touched++;
    return edit(id);
  };
  for (let i = 0; i < CALLS; i++) await work(i);
  Object.assign(nodes, { get, edit });
  return touched / CALLS;
}

/** Promises that are made in a call of `work`, those of its caller included. */
async function promisesMade(work: (i: number) => Promise<unknown>): Promise<number> {
  let made = 0;
  const hook = createHook({
    init: (_id, type) => {
      if (type === "PROMISE") made++;
    },
  });
  hook.enable();
  for (let i = 0; i < CALLS; i++) await work(i);
  hook.disable();
  return made / CALLS;
}

describe("a random write of one block", () => {
  it("looks at few nodes on one path of the map, beside 100 snapshots as without", async () => {
    const large = await largeStore();
    const { host, disk } = large;
    const block = Buffer.alloc(B, "y");
    const write = (i: number): Promise<void> => disk.write(placeOfExtent(scattered(i)), block);
    const alone = await nodesTouched(large, write);
    for (let i = 0; i < 100; i++) await host.snapshot("disk", `snapshot-${i}`);
    const beside = await nodesTouched(large, write);
    // The map has two levels: each is seen when the change is made, when it is planned, and when
    // what was there before comes free.
    expect(alone).toBeLessThanOrEqual(9.5);
    expect(alone).toBeGreaterThan(1);
    expect(beside).toBeLessThanOrEqual(alone + 0.5);
    await host.close();
  });

  it("makes a handful of promises", async () => {
    const { host, disk } = await largeStore();
    const block = Buffer.alloc(B, "y");
    const made = await promisesMade((i) => disk.write(placeOfExtent(scattered(i)), block));
    expect(made).toBeLessThanOrEqual(8.5);
    await host.close();
  });
});

describe("a random read of one block", () => {
  it("looks at each node of one path of the map once", async () => {
    const large = await largeStore();
    const touched = await nodesTouched(large, (i) =>
      large.disk.read(placeOfExtent(scattered(i)), B),
    );
    expect(touched).toBe(2);
    await large.host.close();
  });

  it("makes a handful of promises for what is in memory, and one more step for what is not", async () => {
    const { host, disk } = await largeStore();
    await disk.write(0, Buffer.alloc(B, "p"));
    expect(await promisesMade(() => disk.read(0, B))).toBeLessThanOrEqual(4.5);
    await host.checkpoint();
    const made = await promisesMade((i) => disk.read(placeOfExtent(scattered(i)), B));
    // More than half of these are the simulated disk's own.
    expect(made).toBeLessThanOrEqual(22.5);
    await host.close();
  });
});
