/**
 * The way of a read: look the range up in one moment, take from memory what is not home yet, read
 * the rest from the data device, and believe nothing whose checksum does not match (promise I6).
 */
import { kMaxLength } from "node:buffer";
import { checkLength, checkRange } from "../base/arguments.ts";
import { crc32 } from "../base/checksum.ts";
import { BlockspaceError } from "../base/errors.ts";
import { Slab } from "../base/slab.ts";
import type { SubvolumeEntry } from "../format/checkpoint-values.ts";
import type { SegmentRecord } from "../format/segment-record.ts";
import { nextExtent } from "../map/lookup.ts";
import { addressOf } from "../space/geometry.ts";
import type { Segments } from "../space/segments.ts";
import type { Engine } from "./engine.ts";

/** Device reads under way at once for one call. */
const PARALLEL_READS = 16;
/** Blocks that may be looked up, and read where they are at hand, in one turn of the event loop. */
const BLOCKS_PER_TURN = 1024;
const slab = new Slab();

/** A read of whole blocks that has been looked up. */
interface Filling<B extends Uint8Array> {
  /** The first block of the image. */
  from: number;
  image: B;
  /** Resolves when all has been read; `undefined` when it has. */
  filled: Promise<void> | undefined;
}

/**
 * Reads the blocks of a range as they are between the changes that were submitted before this call
 * and those behind it. What is long is looked up in several turns of the event loop, and changes
 * wait for the end of that: of what was written at random each block is an extent of its own, and
 * 256 MiB of 512 bytes each kept the loop for 5 s.
 */
export function readInTurn<B extends Uint8Array>(
  engine: Engine,
  find: () => SubvolumeEntry,
  { offset, length }: { offset: number; length: number },
  memory: (bytes: number) => B,
): Filling<B> | Promise<Filling<B>> {
  const { sequencer } = engine;
  const { blockSize } = engine.state.geometry;
  const isLong = length > BLOCKS_PER_TURN * blockSize;
  const look = (): Filling<B> | Promise<Filling<B>> => {
    const entry = find();
    const { from, to } = blocksToRead(engine, entry, offset, length);
    const image = memory((to - from) * blockSize);
    if (isLong) return fillManyBlocks(engine, entry, from, image);
    return { from, image, filled: fillBlocks(engine, entry, from, image) };
  };
  if (isLong) return sequencer.run(look);
  return sequencer.idle ? look() : sequencer.after(look);
}

/** Memory for an image. */
export function memoryOf(bytes: number): Buffer {
  return slab.take(bytes);
}

/** The blocks `[from, to)` that hold a range, which must not be too long for one read. */
function blocksToRead(
  engine: Engine,
  entry: SubvolumeEntry,
  offset: number,
  length: number,
): { from: number; to: number } {
  checkRange(offset, length, entry.size, entry.name);
  const { blockSize } = engine.state.geometry;
  const most = kMaxLength - 2 * blockSize;
  if (length > most) {
    throw new BlockspaceError(
      "ERANGE",
      `length is ${length} bytes; allowed are ${most} in one read`,
    );
  }
  return { from: Math.floor(offset / blockSize), to: Math.ceil((offset + length) / blockSize) };
}

/** The contents of whole blocks `[from, to)`, as of this moment; at once where nothing waits. */
export function readBlocks(
  engine: Engine,
  entry: SubvolumeEntry,
  from: number,
  to: number,
): Buffer | Promise<Buffer> {
  const image = memoryOf((to - from) * engine.state.geometry.blockSize);
  const filled = fillBlocks(engine, entry, from, image);
  return filled ? filled.then(() => image) : image;
}

/** Fills `image` with whole blocks from `from` on, as of now; at once where nothing waits. */
function fillBlocks(
  engine: Engine,
  entry: SubvolumeEntry,
  from: number,
  image: Uint8Array,
): Promise<void> | undefined {
  const later: Fetch[] = [];
  const reading = { engine, entry, from, image, later };
  readAtHand(reading, 0, image.length / engine.state.geometry.blockSize);
  return later.length === 0 ? undefined : engine.readers.run(() => fetchAll(reading, later));
}

/** As {@link fillBlocks}, some blocks in each turn of the event loop, while nothing changes. */
async function fillManyBlocks<B extends Uint8Array>(
  engine: Engine,
  entry: SubvolumeEntry,
  from: number,
  image: B,
): Promise<Filling<B>> {
  const later: Fetch[] = [];
  const reading = { engine, entry, from, image, later };
  const { length } = image;
  const blocks = length / engine.state.geometry.blockSize;
  for (let done = 0; done < blocks; done += BLOCKS_PER_TURN) {
    if (done > 0) await new Promise(setImmediate);
    checkLength("target", image, length);
    readAtHand(reading, done, Math.min(blocks, done + BLOCKS_PER_TURN));
  }
  const filled = engine.readers.run(() => fetchAll(reading, later));
  return { from, image, filled };
}

/**
 * Fills `image` where all of it is at hand and not too much for one turn of the event loop; `false`
 * when something has to be waited for, and then `image` may be anything.
 */
export function fillBlocksNow(
  engine: Engine,
  entry: SubvolumeEntry,
  from: number,
  image: Uint8Array,
): boolean {
  const blocks = image.length / engine.state.geometry.blockSize;
  if (blocks > BLOCKS_PER_TURN) return false;
  return readAtHand({ engine, entry, from, image, later: undefined }, 0, blocks);
}

interface Reading {
  engine: Engine;
  entry: SubvolumeEntry;
  /** The first vblock of the image. */
  from: number;
  image: Uint8Array;
  /** Takes what has to be waited for; without it that is not looked up. */
  later: Fetch[] | undefined;
}

/** A run to be read from the device. */
interface Fetch {
  pblock: number;
  /** Its place in the image, in blocks. */
  at: number;
  count: number;
  /** What each block must sum up to. */
  checksums: Uint32Array;
}

/**
 * Reads what is at hand of blocks `[first, end)` of the image, and zeroes holes; `false` when not
 * all is, and nobody takes the rest.
 */
function readAtHand(reading: Reading, first: number, end: number): boolean {
  const { engine, entry, from, image } = reading;
  engine.health.checkReadable();
  const { nodes, geometry } = engine.state;
  const { blockSize } = geometry;
  let done = first;
  while (done < end) {
    const extent = nextExtent(nodes, entry.root, from + done, from + end);
    const start = extent ? extent.vblock - from : end;
    if (start > done) image.fill(0, done * blockSize, start * blockSize);
    if (!extent) return true;
    done = start + extent.count;
    if (extent.unwritten) image.fill(0, start * blockSize, done * blockSize);
    else if (!readExtent(reading, start, extent.pblock, extent.count)) return false;
  }
  return true;
}

/** Reads mapped blocks to place `at` of the image, in blocks. */
function readExtent(reading: Reading, at: number, pblock: number, count: number): boolean {
  const { engine, image, later } = reading;
  const { state, pending, device } = engine;
  const { blockSize, segmentBlocks } = state.geometry;
  const first = pblock % segmentBlocks;
  const { checksums } = recordOf(state.segments, Math.floor(pblock / segmentBlocks));
  for (let i = 0; i < count;) {
    const waiting = pending.get(pblock + i);
    if (waiting) {
      image.set(waiting, (at + i) * blockSize);
      i++;
      continue;
    }
    let end = i + 1;
    while (end < count && !pending.has(pblock + end)) end++;
    const target = part(image, (at + i) * blockSize, (at + end) * blockSize);
    if (device.readNow?.(target, addressOf(state.geometry, pblock + i)) === true) {
      for (let k = i; k < end; k++) checkSum(reading, at + k, checksums[first + k]!, pblock + k);
    } else if (later) {
      // A copy: what the segment's record says may change before the blocks have been read.
      const copy = checksums.slice(first + i, first + end);
      later.push({ pblock: pblock + i, at: at + i, count: end - i, checksums: copy });
    } else {
      return false;
    }
    i = end;
  }
  return true;
}

async function fetchAll(reading: Reading, fetches: readonly Fetch[]): Promise<void> {
  const { length } = reading.image;
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < fetches.length) await fetchLater(reading, fetches[next++]!);
  };
  const lanes = Array.from({ length: Math.min(PARALLEL_READS, fetches.length) }, lane);
  const results = await Promise.allSettled(lanes);
  // What was read into memory that is gone matches no checksum, and is no damage.
  checkLength("target", reading.image, length);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

async function fetchLater(reading: Reading, fetch: Fetch): Promise<void> {
  const { engine, entry, from, image } = reading;
  const { geometry } = engine.state;
  const { blockSize } = geometry;
  const target = image.subarray(fetch.at * blockSize, (fetch.at + fetch.count) * blockSize);
  const address = addressOf(geometry, fetch.pblock);
  try {
    await engine.device.read(target, address);
  } catch (cause) {
    const offset = (from + fetch.at) * blockSize;
    throw new BlockspaceError("EIO", `subvolume "${entry.name}" cannot be read at ${offset}`, {
      subvolume: entry.name,
      offset,
      length: target.length,
      address,
      cause,
    });
  }
  fetch.checksums.forEach((sum, i) => checkSum(reading, fetch.at + i, sum, fetch.pblock + i));
}

/** Believes no block of the image that does not sum up to `checksum`. */
function checkSum(reading: Reading, at: number, checksum: number, pblock: number): void {
  const { engine, image } = reading;
  const { blockSize } = engine.state.geometry;
  const block = part(image, at * blockSize, (at + 1) * blockSize);
  if (crc32(block) !== checksum) throw badSum(reading, at, pblock);
}

function badSum({ engine, entry, from }: Reading, at: number, pblock: number): BlockspaceError {
  const { geometry } = engine.state;
  const { blockSize } = geometry;
  const offset = (from + at) * blockSize;
  const address = addressOf(geometry, pblock);
  return new BlockspaceError(
    "EBADSUM",
    `the block at ${offset} of subvolume "${entry.name}" does not match its checksum ` +
      `(address ${address})`,
    { subvolume: entry.name, offset, length: blockSize, address },
  );
}

/** Bytes of the image; to make a view costs a tenth of the checksum, and most reads are whole. */
function part(image: Uint8Array, start: number, end: number): Uint8Array {
  return end - start === image.length ? image : image.subarray(start, end);
}

/** What is known of the blocks of a segment that a map refers to; nothing is believed without. */
function recordOf(segments: Segments, segment: number): SegmentRecord {
  const record = segments.record(segment);
  if (record) return record;
  throw new BlockspaceError("ECORRUPT", `the record of segment ${segment} is missing`);
}
