/**
 * The way of a read: look the range up in one moment, take from memory what is not home yet, read
 * the rest from the data device, and believe nothing whose checksum does not match (promise I6).
 */
import { crc32c } from "../base/checksum.ts";
import { BlockspaceError } from "../base/errors.ts";
import { Slab } from "../base/slab.ts";
import type { SubvolumeEntry } from "../format/checkpoint-values.ts";
import { nextExtent } from "../map/lookup.ts";
import { addressOf } from "../space/geometry.ts";
import type { Engine } from "./engine.ts";

/** Device reads under way at once for one call. */
const PARALLEL_READS = 16;
const slab = new Slab();

/** A run to be read from the device. */
interface Fetch {
  pblock: number;
  /** Byte offset in the image. */
  at: number;
  count: number;
  /** What each block must sum up to. */
  checksums: Uint32Array;
}

/** The contents of whole blocks `[from, to)`, as of this moment; at once where nothing waits. */
export function readBlocks(
  engine: Engine,
  entry: SubvolumeEntry,
  from: number,
  to: number,
): Buffer | Promise<Buffer> {
  engine.health.checkReadable();
  const { blockSize } = engine.state.geometry;
  const image = slab.take((to - from) * blockSize);
  const reading = { engine, entry, from, image };
  const fetches = lookUp(reading, to);
  const later = fetches.filter((fetch) => !fetchNow(reading, fetch));
  if (later.length === 0) return image;
  return engine.readers.run(() => fetchAll(reading, later)).then(() => image);
}

interface Reading {
  engine: Engine;
  entry: SubvolumeEntry;
  /** The first vblock of the image. */
  from: number;
  image: Uint8Array;
}

/** Copies what is in memory into the image, zeroes holes, and lists what has to be read. */
function lookUp({ engine, entry, from, image }: Reading, to: number): Fetch[] {
  const { state, pending } = engine;
  const { blockSize, segmentBlocks } = state.geometry;
  const fetches: Fetch[] = [];
  let done = 0;
  for (;;) {
    const extent = nextExtent(state.nodes, entry.root, from + done, to);
    const start = (extent?.vblock ?? to) - from;
    const end = start + (extent?.count ?? 0);
    const zeroTo = extent?.unwritten === true ? end : start;
    if (zeroTo > done) image.fill(0, done * blockSize, zeroTo * blockSize);
    done = end;
    if (!extent) return fetches;
    if (extent.unwritten) continue;
    const record = state.segments.record(Math.floor(extent.pblock / segmentBlocks));
    let open: Fetch | undefined;
    for (let i = 0; i < extent.count; i++) {
      const pblock = extent.pblock + i;
      const at = (start + i) * blockSize;
      const waiting = pending.get(pblock);
      if (waiting) {
        image.set(waiting, at);
        open = undefined;
        continue;
      }
      if (!open) {
        const checksums = new Uint32Array(extent.count - i);
        open = { pblock, at, count: 0, checksums };
        fetches.push(open);
      }
      open.checksums[open.count++] = record?.checksums[pblock % segmentBlocks] ?? 0;
    }
  }
}

/** Reads a run that the medium has at hand; `false` when it has not. */
function fetchNow(reading: Reading, fetch: Fetch): boolean {
  const { engine, image } = reading;
  const { geometry } = engine.state;
  const { device } = engine;
  if (!device.readNow) return false;
  const target = image.subarray(fetch.at, fetch.at + fetch.count * geometry.blockSize);
  if (!device.readNow(target, addressOf(geometry, fetch.pblock))) return false;
  checkSums(reading, fetch);
  return true;
}

async function fetchAll(reading: Reading, fetches: readonly Fetch[]): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < fetches.length) await fetchLater(reading, fetches[next++]!);
  };
  const lanes = Array.from({ length: Math.min(PARALLEL_READS, fetches.length) }, lane);
  const results = await Promise.allSettled(lanes);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

async function fetchLater(reading: Reading, fetch: Fetch): Promise<void> {
  const { engine, entry, from, image } = reading;
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
  checkSums(reading, fetch);
}

/** Believes no block whose checksum does not match. */
function checkSums({ engine, entry, from, image }: Reading, fetch: Fetch): void {
  const { geometry } = engine.state;
  const { blockSize } = geometry;
  for (let i = 0; i < fetch.count; i++) {
    const at = fetch.at + i * blockSize;
    const block = image.subarray(at, at + blockSize);
    if (crc32c(block) === fetch.checksums[i]) continue;
    const offset = from * blockSize + at;
    const address = addressOf(geometry, fetch.pblock + i);
    throw new BlockspaceError(
      "EBADSUM",
      `the block at ${offset} of subvolume "${entry.name}" does not match its checksum ` +
        `(address ${address})`,
      { subvolume: entry.name, offset, length: blockSize, address },
    );
  }
}
