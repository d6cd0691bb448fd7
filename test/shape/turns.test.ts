/**
 * How much is done in one turn of the event loop, in calls and in bytes: who makes many calls one
 * after the other, or many at once, must not keep all others from theirs.
 */
import { describe, expect, it } from "vitest";
import { B, largeStore, type LargeStore } from "./large-store.ts";

const CALLS = 1000;
const MOST_CALLS_IN_A_TURN = 64;

/** Turns of the event loop while `work` goes on. */
async function turnsIn(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  isOver = true;
  return turns;
}

describe("many calls one after the other", () => {
  // Only what waited for nothing at all let the loop turn now and then: of the others it never did.
  it.each<[string, (large: LargeStore, i: number) => Promise<unknown>]>([
    ["writes of whole blocks", ({ disk }, i) => disk.write(2 * i * B, Buffer.alloc(B))],
    ["writes that end within a block", ({ disk }, i) => disk.write(2 * i * B, Buffer.alloc(1))],
    ["reads of what is in memory", ({ disk }) => disk.read(0, B)],
    ["discards of holes", ({ disk }, i) => disk.discard((2 * i + 1) * B, B)],
    ["discards within a block", ({ disk }, i) => disk.discard(2 * i * B + 5, 10)],
    ["reservations", async ({ disk }) => (await disk.reserve(1, B)).put()],
    ["flushes of nothing", ({ host }) => host.flush()],
  ])("of %s let the event loop turn", async (_, call) => {
    const large = await largeStore();
    await large.disk.write(0, Buffer.alloc(B));
    const turns = await turnsIn(async () => {
      for (let i = 0; i < CALLS; i++) await call(large, i);
    });
    expect(turns).toBeGreaterThanOrEqual(Math.floor(CALLS / MOST_CALLS_IN_A_TURN));
    await large.host.close();
  });

  it("of allocations let the event loop turn", async () => {
    const { host, disk } = await largeStore();
    const cookie = await disk.reserve(CALLS, B);
    const turns = await turnsIn(async () => {
      for (let i = 0; i < CALLS; i++) await disk.allocate(cookie, 2 * i * B, B);
    });
    expect(turns).toBeGreaterThanOrEqual(Math.floor(CALLS / MOST_CALLS_IN_A_TURN));
    cookie.put();
    await host.close();
  });
});

describe("many calls at once", () => {
  it("that wait for each other let the event loop turn", async () => {
    const { host, disk } = await largeStore();
    const turns = await turnsIn(async () => {
      const writes = Array.from({ length: CALLS }, (_, i) =>
        disk.write(2 * i * B + 1, Buffer.alloc(1)),
      );
      await Promise.all(writes);
    });
    expect(turns).toBeGreaterThanOrEqual(Math.floor(CALLS / MOST_CALLS_IN_A_TURN));
    await host.close();
  });

  // Each of those who read let the others go on when it waited, until each of them had waited.
  it("of long reads of what is in memory, in turns of some MiB", async () => {
    const { host, disk } = await largeStore();
    const length = 1000 * B;
    await disk.write(0, Buffer.alloc(length, "x"));
    let read = 0;
    let before = 0;
    let mostInTurn = 0;
    let isOver = false;
    const turn = (): void => {
      mostInTurn = Math.max(mostInTurn, read - before);
      before = read;
      if (!isOver) setImmediate(turn);
    };
    setImmediate(turn);
    const reader = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        await disk.read(0, length);
        read += length;
      }
    };
    const READERS = 16;
    await Promise.all(Array.from({ length: READERS }, reader));
    isOver = true;
    expect(read).toBe(READERS * 20 * length);
    expect(mostInTurn).toBeLessThanOrEqual(2 ** 22 + (READERS + 1) * length);
    await host.close();
  });
});
