/**
 * The way of a read: look the range up in one moment, take from memory what is not home yet, read
 * the rest from the data device, and believe nothing whose checksum does not match (promise I6).
 */
import { crc32c } from "../base/checksum.ts";
import { BlockspaceError } from "../base/errors.ts";
import type { SubvolumeEntry } from "../format/checkpoint-values.ts";
import { extents } from "../map/lookup.ts";
import { addressOf } from "../space/geometry.ts";
import type { Engine } from "./engine.ts";

/** Device reads under way at once for one call. */
const PARALLEL_READS = 16;

/** A run to be read from the device. */
interface Fetch {
  pblock: number;
  /** Byte offset in the image. */
  at: number;
  count: number;
  /** What each block must sum up to. */
  checksums: Uint32Array;
}

/** The contents of whole blocks `[from, to)`, as of this moment. */
export async function readBlocks(
  engine: Engine,
  entry: SubvolumeEntry,
  from: number,
  to: number,
): Promise<Uint8Array> {
  engine.health.checkReadable();
  const { blockSize } = engine.state.geometry;
  const image = new Uint8Array((to - from) * blockSize);
  const fetches = lookUp(engine, entry, from, to, image);
  if (fetches.length > 0) {
    await engine.readers.run(() => fetchAll(engine, entry, from, image, fetches));
  }
  return image;
}

/** Copies what is in memory into the image, and lists what has to be read. */
function lookUp(
  engine: Engine,
  entry: SubvolumeEntry,
  from: number,
  to: number,
  image: Uint8Array,
): Fetch[] {
  const { state, pending } = engine;
  const { blockSize, segmentBlocks } = state.geometry;
  const fetches: Fetch[] = [];
  for (const extent of extents(state.nodes, entry.root, from, to)) {
    if (extent.unwritten) continue;
    const record = state.segments.record(Math.floor(extent.pblock / segmentBlocks));
    let open: Fetch | undefined;
    for (let i = 0; i < extent.count; i++) {
      const at = (extent.vblock - from + i) * blockSize;
      const waiting = pending.get(extent.pblock + i);
      if (waiting) {
        image.set(waiting, at);
        open = undefined;
        continue;
      }
      if (!open) {
        const checksums = new Uint32Array(extent.count - i);
        open = { pblock: extent.pblock + i, at, count: 0, checksums };
        fetches.push(open);
      }
      const sum = record?.checksums[(extent.pblock + i) % segmentBlocks] ?? 0;
      open.checksums[open.count++] = sum;
    }
  }
  return fetches;
}

async function fetchAll(
  engine: Engine,
  entry: SubvolumeEntry,
  from: number,
  image: Uint8Array,
  fetches: readonly Fetch[],
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < fetches.length) {
      const fetch = fetches[next++]!;
      await fetchOne(engine, entry, from, image, fetch);
    }
  };
  const lanes = Array.from({ length: Math.min(PARALLEL_READS, fetches.length) }, lane);
  const results = await Promise.allSettled(lanes);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

async function fetchOne(
  engine: Engine,
  entry: SubvolumeEntry,
  from: number,
  image: Uint8Array,
  fetch: Fetch,
): Promise<void> {
  const { geometry } = engine.state;
  const { blockSize } = geometry;
  const target = image.subarray(fetch.at, fetch.at + fetch.count * blockSize);
  const address = addressOf(geometry, fetch.pblock);
  try {
    await engine.device.read(target, address);
  } catch (cause) {
    const offset = from * blockSize + fetch.at;
    throw new BlockspaceError("EIO", `subvolume "${entry.name}" cannot be read at ${offset}`, {
      subvolume: entry.name,
      offset,
      length: target.length,
      address,
      cause,
    });
  }
  for (let i = 0; i < fetch.count; i++) {
    const block = target.subarray(i * blockSize, (i + 1) * blockSize);
    if (crc32c(block) === fetch.checksums[i]) continue;
    const offset = from * blockSize + fetch.at + i * blockSize;
    throw new BlockspaceError(
      "EBADSUM",
      `the block at ${offset} of subvolume "${entry.name}" does not match its checksum ` +
        `(address ${address + i * blockSize})`,
      {
        subvolume: entry.name,
        offset,
        length: blockSize,
        address: address + i * blockSize,
      },
    );
  }
}
