/** How much is kept and written for what a store holds, in bytes counted: a guard of the shape. */
import { describe, expect, it } from "vitest";
import { kinds } from "../../src/format/checkpoint-values.ts";
import { placeOf } from "../support/memory-store.ts";
import {
  B,
  EXTENTS,
  largeStore,
  type LargeStore,
  placeOfExtent,
  scattered,
} from "./large-store.ts";

/** Bytes of the values of one kind in each environment. */
async function keptBytes({ store }: LargeStore, kind: number): Promise<number[]> {
  const bytes: number[] = [];
  for (const name of ["a", "b"] as const) {
    const environment = await store.environments.copy().open(name);
    let sum = 0;
    for (const { value } of environment.scan(kind)) sum += value.length;
    bytes.push(sum);
    await environment.close();
  }
  return bytes;
}

interface Written {
  data: number;
  journal: number;
  writes: { data: number; journal: number };
}

/** What goes to the data device and into the journal while `work` runs. */
async function written({ store }: LargeStore, work: () => Promise<unknown>): Promise<Written> {
  const counted: Written = { data: 0, journal: 0, writes: { data: 0, journal: 0 } };
  store.onOperation = (operation) => {
    const place = placeOf(operation);
    if (operation.kind !== "write" || place === "other") return;
    counted[place] += operation.length ?? 0;
    counted.writes[place]++;
  };
  await work();
  store.onOperation = undefined;
  return counted;
}

describe("an environment of a checkpoint", () => {
  it("holds at most 24 bytes of map for each extent, and 16 of segment record for each block", async () => {
    const large = await largeStore();
    for (const bytes of await keptBytes(large, kinds.node)) {
      expect(bytes / EXTENTS).toBeGreaterThan(8);
      expect(bytes / EXTENTS).toBeLessThanOrEqual(24);
    }
    for (const bytes of await keptBytes(large, kinds.segment)) {
      expect(bytes / EXTENTS).toBeGreaterThan(4);
      expect(bytes / EXTENTS).toBeLessThanOrEqual(16);
    }
    await large.host.close();
  });

  it("holds one extent for a long run, however it was written", async () => {
    const large = await largeStore();
    await large.host.delete("disk");
    const disk = await large.host.create("run", { size: 4096 * B });
    for (let i = 0; i < 4096; i++) await disk.write(i * B, Buffer.alloc(B, "r"));
    do await large.host.flush();
    while (large.host.statistics().deadNodes > 0);
    for (let i = 0; i < 2; i++) await large.host.checkpoint();
    for (const bytes of await keptBytes(large, kinds.node)) expect(bytes).toBeLessThan(4096);
    await large.host.close();
  });
});

describe("random writes of a block", () => {
  it("in batches of 1,024 are one journal write each, and few and long data writes", async () => {
    const large = await largeStore();
    const BATCHES = 8;
    const counted = await written(large, async () => {
      for (let batch = 0; batch < BATCHES; batch++) {
        const work = Array.from({ length: 1024 }, (_, i) =>
          large.disk.write(placeOfExtent(scattered(1024 * batch + i)), Buffer.alloc(B, "y")),
        );
        await Promise.all([...work, large.disk.flush()]);
      }
    });
    expect(counted.writes.journal).toBe(BATCHES);
    // A write takes up to 256 blocks, and a batch may begin and end within a segment.
    expect(counted.writes.data).toBeLessThanOrEqual(BATCHES * (1024 / 256 + 2));
    expect(counted.data).toBe(BATCHES * 1024 * B);
    // The record of a block: subvolume, range, address, checksum, and its part of the frame.
    expect(counted.journal / (BATCHES * 1024)).toBeLessThanOrEqual(40);
    await large.host.close();
  });

  it("durable one by one are one journal write each, and go home in long runs", async () => {
    const large = await largeStore();
    const WRITES = 200;
    const counted = await written(large, async () => {
      for (let i = 0; i < WRITES; i++) {
        await large.disk.write(placeOfExtent(scattered(i)), Buffer.alloc(B, "z"));
        await large.disk.flush();
      }
    });
    expect(counted.writes).toEqual({ data: 0, journal: WRITES });
    // The block, its record, the frame's head, and what fills up the last sector.
    expect(counted.journal).toBeLessThanOrEqual(WRITES * 2 * B);
    const home = await written(large, () => large.host.checkpoint());
    expect(home.data).toBe(WRITES * B);
    expect(home.writes.data).toBeLessThanOrEqual(3);
    await large.host.close();
  });
});
