/**
 * A store in memory with the geometry of real ones (segments of 1,024 blocks, map nodes of a page),
 * but for its blocks of 512 bytes, and in it a subvolume `disk` of many extents, each of one block
 * with a hole behind it, written in scattered order: its map is as large as a map can be.
 */
import type { Host } from "../../src/host/host.ts";
import type { Subvolume } from "../../src/host/subvolume.ts";
import { MemoryStore } from "../support/memory-store.ts";

export const B = 512;
/** No power of two, and none of the blocks of a segment: nothing lines up by chance. */
export const EXTENTS = 20_011;
const STRIDE = 7919;
const AT_ONCE = 1000;
const OPTIONS = { cacheSize: 2 ** 26, maxDirty: 2 ** 24, journalSize: 2 ** 25 };

export interface LargeStore {
  store: MemoryStore;
  host: Host;
  disk: Subvolume;
}

/** The offset of an extent. */
export function placeOfExtent(extent: number): number {
  return 2 * (extent % EXTENTS) * B;
}

/** Extents in an order that jumps about and comes to each once. */
export function scattered(i: number): number {
  return (i * STRIDE) % EXTENTS;
}

export async function largeStore(): Promise<LargeStore> {
  const store = MemoryStore.create({
    capacityBlocks: 2 ** 17,
    segmentBlocks: 1024,
    nodeSize: 4072,
  });
  const host = await store.open(OPTIONS);
  const disk = await host.create("disk", { size: 2 * EXTENTS * B });
  const block = Buffer.alloc(B, "x");
  for (let i = 0; i < EXTENTS; i++) {
    await disk.write(placeOfExtent(scattered(i)), block);
    if (i % AT_ONCE === 0) await disk.flush();
  }
  // Both environments hold the same then.
  for (let i = 0; i < 2; i++) await host.checkpoint();
  return { store, host, disk };
}
