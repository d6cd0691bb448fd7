/**
 * Space that came free is written again while it is warm, and goes back to the file system when
 * nobody writes any more, when the host is closed, and when it is compacted.
 */
import { describe, expect, it } from "vitest";
import { MiB } from "../../src/base/units.ts";
import type { Host } from "../../src/host/host.ts";
import type { Subvolume } from "../../src/host/subvolume.ts";
import { SimulatedDisk } from "../../src/testing/disk.ts";
import { openSimulatedHost } from "../../src/testing-store/simulated-host.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { blocks, expectBytes } from "./refusal.ts";

const B = 512;
const SEGMENT = 16;
const SPAN = 4 * SEGMENT;

async function start(): Promise<{ store: MemoryStore; host: Host; disk: Subvolume }> {
  const store = MemoryStore.create({ capacityBlocks: 64 * SEGMENT });
  // Room for all of it, so that no checkpoint is due by itself.
  const host = await store.open({ journalSize: MiB, cacheSize: MiB, maxDirty: MiB });
  return { store, host, disk: await host.create("disk", { size: SPAN * B }) };
}

/** Overwrites everything, round after round, with a checkpoint after each; returns the addresses. */
async function rounds(host: Host, disk: Subvolume, count: number): Promise<Set<number>> {
  const addresses = new Set<number>();
  for (let i = 0; i < count; i++) {
    await disk.write(0, blocks(`round ${i}`, SPAN));
    for (const { addr } of disk.extents()) addresses.add(addr!);
    await host.checkpoint();
  }
  return addresses;
}

describe("warm space", () => {
  it("is written again: who overwrites the same blocks stays in the same place, without holes", async () => {
    const { store, host, disk } = await start();
    const addresses = await rounds(host, disk, 30);
    // What is live, what waits for two checkpoints, and what comes free.
    expect(addresses.size).toBeLessThanOrEqual((5 * SPAN) / SEGMENT);
    expect(store.count("data", "discard")).toBe(0);
    expectBytes(await disk.read(0, SPAN * B), blocks("round 29", SPAN));
    await host.close();
  });

  it("goes back when nobody writes from one checkpoint to the next", async () => {
    const { store, host, disk } = await start();
    await rounds(host, disk, 10);
    for (let i = 0; i < 3; i++) await host.checkpoint();
    expect(host.statistics().busy).toBe(0);
    expect(store.count("data", "discard")).toBeGreaterThanOrEqual((2 * SPAN) / SEGMENT);
    expectBytes(await disk.read(0, SPAN * B), blocks("round 9", SPAN));
    await host.close();
  });

  it("is kept for four times what was written, though it comes free all at once", async () => {
    const { store, host, disk } = await start();
    const others: Subvolume[] = [];
    for (const name of ["a", "b", "c", "d"]) {
      const other = await host.create(name, { size: SPAN * B });
      await other.write(0, blocks("other", SPAN));
      others.push(other);
    }
    await rounds(host, disk, 2);
    for (const other of others) await other.discard(0, SPAN * B);
    await rounds(host, disk, 4);
    // Five spans came free at once, of which four were kept for the one that had been written.
    expect(store.count("data", "discard")).toBe(SPAN / SEGMENT);
    await host.close();
  });

  it.each([
    ["closed", (host: Host) => host.close()],
    ["compacted", (host: Host) => host.compact()],
  ])("goes back when the host is %s", async (_, end) => {
    const { store, host, disk } = await start();
    await rounds(host, disk, 10);
    await end(host);
    expect(store.count("data", "discard")).toBeGreaterThanOrEqual(SPAN / SEGMENT);
    await host.close();
    const again = await store.open();
    expectBytes(await again.get("disk").read(0, SPAN * B), blocks("round 9", SPAN));
    await again.close();
  });

  /**
   * One segment is kept warm, and nothing is busy. A checkpoint with nothing new in it gives the
   * segment back; whoever needed it while the hole was being punched was told that there is no
   * space, though there was some before and after.
   */
  it("can be had by who needs it while it goes back: he waits", async () => {
    const disk = new SimulatedDisk();
    const geometry = { segmentBlocks: SEGMENT };
    const options = { create: true, blockSize: B, capacity: 8 * SEGMENT * B, geometry };
    const host = await openSimulatedHost(disk, options);
    const subvolume = await host.create("disk", { size: 16 * SEGMENT * B });
    await subvolume.write(0, blocks("old", 2 * SEGMENT));
    await host.checkpoint();
    await subvolume.discard(0, SEGMENT * B);
    for (let i = 0; i < 3; i++) {
      await subvolume.write((2 * SEGMENT + 4 * i) * B, blocks("new", 4));
      await host.checkpoint();
    }
    const { free, busy } = host.statistics();
    expect(busy).toBe(0);
    const isPunching = new Promise<void>((resolve) => {
      disk.onOperation = ({ kind }) => {
        if (kind !== "discard") return undefined;
        resolve();
        return { type: "delay", turns: 20 };
      };
    });
    const checkpoint = host.checkpoint();
    await isPunching;
    expect(host.statistics().busy).toBe(SEGMENT * B);
    const cookie = await subvolume.reserve(free / B, B);
    expect(host.statistics()).toMatchObject({ free: 0, busy: 0 });
    cookie.put();
    await checkpoint;
    await host.close();
  });
});
