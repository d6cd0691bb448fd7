/**
 * Data on its way to its place: which writes are made of it, what is dropped, and when a flush has
 * anything to do.
 */
import { describe, expect, it } from "vitest";
import { BlockMemory } from "../../src/base/block-memory.ts";
import type { Device } from "../../src/device/device.ts";
import { Health } from "../../src/host/health.ts";
import { PendingData } from "../../src/host/pending.ts";
import { geometryWith } from "../support/states.ts";

const geometry = geometryWith({ nodeEntries: 4, segmentBlocks: 64, capacityBlocks: 4096 });
const B = geometry.blockSize;

interface Call {
  call: "write" | "through" | "flush";
  block?: number;
  blocks?: number;
}

/** A device that notes what is asked of it; it takes nothing before `go` is called. */
function noted(canWriteThrough: boolean): { device: Device; calls: Call[] } {
  const calls: Call[] = [];
  const note = async (call: "write" | "through", chunks: readonly Uint8Array[], at: number) => {
    const bytes = chunks.reduce((sum, { length }) => sum + length, 0);
    calls.push({ call, block: (at - geometry.dataOffset) / B, blocks: bytes / B });
  };
  const device: Device = {
    path: "noted",
    size: geometry.dataOffset + geometry.capacityBlocks * B,
    read: async () => undefined,
    write: (chunks, at) => note("write", chunks, at),
    flush: async () => void calls.push({ call: "flush" }),
    discard: async () => undefined,
    extend: async () => undefined,
    close: async () => undefined,
    ...(canWriteThrough ? { writeThrough: (chunks, at) => note("through", chunks, at) } : {}),
  };
  return { device, calls };
}

function start(options: { dead?: readonly number[]; canWriteThrough?: boolean } = {}) {
  const { dead = [], canWriteThrough = true } = options;
  const { device, calls } = noted(canWriteThrough);
  const memory = new BlockMemory(B, 0);
  const pending = new PendingData({
    device,
    geometry,
    memory,
    health: new Health(),
    isLive: (pblock) => !dead.includes(pblock),
  });
  const put = (pblock: number, count: number): void => {
    pending.put(pblock, Buffer.alloc(count * B, pblock));
  };
  return { pending, calls, put };
}

describe("PendingData", () => {
  it("makes one write of what lies side by side, in whatever order it came", async () => {
    const { pending, calls, put } = start();
    for (const pblock of [12, 10, 40, 11, 41]) put(pblock, 1);
    await pending.writeOut();
    expect(calls).toEqual([
      { call: "write", block: 10, blocks: 3 },
      { call: "write", block: 40, blocks: 2 },
    ]);
    expect(pending.bytes).toBe(0);
  });

  it("drops what is dead, unless it joins what is not", async () => {
    const { pending, calls, put } = start({ dead: [8, 9, 13, 20, 21, 22, 23] });
    put(8, 16);
    await pending.writeOut();
    expect(calls).toEqual([{ call: "write", block: 10, blocks: 10 }]);
    expect(pending.bytes).toBe(0);
    expect(pending.get(21)).toBeUndefined();
  });

  it("hands out data until it is written, and not longer", async () => {
    const { pending, put } = start();
    put(3, 2);
    const written = pending.writeOut();
    put(5, 1);
    expect([3, 4, 5, 6].map((pblock) => pending.get(pblock)?.[0])).toEqual([3, 3, 5, undefined]);
    await written;
    expect([3, 4, 5].map((pblock) => pending.has(pblock))).toEqual([false, false, true]);
  });

  it("has nothing to flush when all that was written is durable by itself", async () => {
    const { pending, calls, put } = start();
    await pending.flush();
    put(3, 2);
    await pending.writeOut(true);
    await pending.flush();
    expect(calls.map(({ call }) => call)).toEqual(["flush", "through"]);
    put(9, 2);
    await pending.writeOut();
    put(20, 1);
    await pending.writeOut(true);
    for (let i = 0; i < 2; i++) await pending.flush();
    expect(calls.map(({ call }) => call).slice(2)).toEqual(["write", "through", "flush"]);
  });

  it("flushes once what takes many writes, or much, or is on a medium that cannot do better", async () => {
    for (const { runs, canWriteThrough } of [
      {
        runs: [
          [0, 1],
          [10, 1],
          [20, 1],
        ],
        canWriteThrough: true,
      },
      { runs: [[0, 4096]], canWriteThrough: true },
      { runs: [[0, 1]], canWriteThrough: false },
    ]) {
      const { pending, calls, put } = start({ canWriteThrough });
      await pending.flush();
      for (const [pblock, count] of runs) put(pblock!, count!);
      await pending.writeOut(true);
      await pending.flush();
      expect(new Set(calls.slice(1, -1).map(({ call }) => call))).toEqual(new Set(["write"]));
      expect(calls.at(-1)).toEqual({ call: "flush" });
    }
  });
});
