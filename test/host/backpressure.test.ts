/** Bounded memory: a writer that outruns the device waits, and everything it wrote arrives. */
import { describe, expect, it } from "vitest";
import type { Host } from "../../src/host/host.ts";
import { seededNumbers } from "../device/scratch.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { blocks, expectBytes, expectConserved, unawaited } from "./refusal.ts";

const B = 512;
const LIMIT = 64 * 1024;

interface Peaks {
  pendingBytes: number;
  journalBytes: number;
  dirtyBytes: number;
  samples: number;
}

/** Samples what is held at every operation of the store. */
function sample(store: MemoryStore, host: Host): Peaks {
  const peaks = { pendingBytes: 0, journalBytes: 0, dirtyBytes: 0, samples: 0 };
  const engine = store.engineOf(host);
  const look = (): void => {
    const { pendingBytes, journalBytes } = host.statistics();
    peaks.pendingBytes = Math.max(peaks.pendingBytes, pendingBytes);
    peaks.journalBytes = Math.max(peaks.journalBytes, journalBytes);
    peaks.dirtyBytes = Math.max(peaks.dirtyBytes, engine.state.dirtyBytes);
    peaks.samples++;
  };
  store.onOperation = look;
  store.onCommit = look;
  return peaks;
}

/** A host that closes has no statistics any more. */
function unsample(store: MemoryStore): void {
  store.onOperation = undefined;
  store.onCommit = undefined;
}

describe("backpressure", () => {
  it("thousands of writes nobody waits for stay within the options and arrive", async () => {
    const next = seededNumbers(9);
    const store = MemoryStore.create({ capacityBlocks: 8192 });
    const host = await store.open();
    const size = 2048 * B;
    const disk = await host.create("disk", { size });
    const model = Buffer.alloc(size);
    const peaks = sample(store, host);
    const waits: Promise<void>[] = [];
    for (let i = 0; i < 6000; i++) {
      const data = Buffer.alloc(1 + next(3 * B), 1 + (i % 255));
      const at = next(size - data.length);
      waits.push(disk.write(at, data));
      model.set(data, at);
    }
    await Promise.all(waits);
    await host.flush();
    unsample(store);
    expectBytes(await disk.read(0, size), model);
    expect(peaks.samples).toBeGreaterThan(1000);
    // One change more than the limit may be held. What is held when the journal is full goes into
    // it as well, in files of which each is at least half full.
    expect(peaks.pendingBytes).toBeLessThanOrEqual(LIMIT + 4 * B);
    expect(peaks.journalBytes).toBeLessThanOrEqual(LIMIT + 2 * LIMIT);
    expect(peaks.dirtyBytes).toBeLessThanOrEqual(LIMIT);
    expectConserved(host);
    const after = await store.crash(() => 0).open();
    expectBytes(await after.get("disk").read(0, size), model);
    for (const each of [host, after]) await each.close();
  });

  it("large writes are held one at a time at most", async () => {
    const store = MemoryStore.create({ capacityBlocks: 16_384 });
    const host = await store.open();
    const disk = await host.create("disk", { size: 8192 * B });
    const peaks = sample(store, host);
    const large = 400;
    const waits = Array.from({ length: 20 }, (_, i) =>
      disk.write(i * large * B, blocks(`l${i} `, large)),
    );
    await Promise.all(waits);
    await host.flush();
    for (let i = 0; i < 20; i++) {
      expectBytes(await disk.read(i * large * B, large * B), blocks(`l${i} `, large));
    }
    expect(peaks.pendingBytes).toBeLessThanOrEqual(LIMIT + large * B);
    unsample(store);
    await host.close();
  });

  it("what is only in the catalogue counts too: ten thousand snapshots", async () => {
    const store = MemoryStore.create();
    const host = await store.open({ cacheSize: 2 ** 17 });
    const disk = await host.create("disk", { size: 64 * B });
    const peaks = sample(store, host);
    const waits: Promise<unknown>[] = [];
    for (let i = 0; i < 10_000; i++) {
      if (i % 50 === 0) waits.push(disk.write((i % 64) * B, blocks(`s${i} `)));
      waits.push(host.snapshot("disk", `snap${i}`));
    }
    await Promise.all(waits);
    expect(host.list()).toHaveLength(10_001);
    expectBytes(await host.get("snap9949").read((9900 % 64) * B, B), blocks("s9900 "));
    expect(peaks.journalBytes).toBeLessThanOrEqual(2 * LIMIT);
    unsample(store);
    await host.close();
    const again = await store.open();
    expect(again.list()).toHaveLength(10_001);
    for (let i = 0; i < 10_000; i++) unawaited(again.delete(`snap${i}`));
    await again.flush();
    expect(again.list()).toHaveLength(1);
    expectConserved(again);
    await again.close();
  });

  it("a reader of much more than the cache holds stays within it", async () => {
    const store = MemoryStore.create({ capacityBlocks: 16_384 });
    const host = await store.open();
    const disk = await host.create("disk", { size: 16_384 * B });
    for (let i = 0; i < 6000; i++) {
      unawaited(disk.write(((i * 7919) % 8192) * 2 * B, blocks(`r${i} `)));
    }
    await host.close();
    const again = await store.open();
    const seen = await again.get("disk").read(0, 16_384 * B);
    for (let i = 0; i < 6000; i += 97) {
      const at = ((i * 7919) % 8192) * 2 * B;
      expectBytes(seen.subarray(at, at + B), blocks(`r${i} `));
    }
    await again.close();
  });
});
