/**
 * Phase 7: reads every written block and compares it with its checksum. It can be told where to
 * begin, so that a long scrub is done in parts, and how fast to go, so that others get their turn.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { crc32c } from "../base/checksum.ts";
import type { Device } from "../device/device.ts";
import { isLeaf, LENGTH_MASK } from "../format/map-node.ts";
import type { SegmentRecord } from "../format/segment-record.ts";
import { childIndex, upperBound } from "../map/tree.ts";
import { addressOf, type Geometry } from "../space/geometry.ts";
import type { Contents } from "./contents.ts";
import type { FindingPlace } from "./finding.ts";
import { reasonOf, type Report } from "./findings.ts";

export interface ScrubOptions {
  /** The address on the data device to begin at. */
  from?: number;
  bytesPerSecond?: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** What a scrub has done; bytes. */
export interface ScrubResult {
  bytes: number;
  /** Where the next scrub begins; nothing when all was read. */
  next?: number;
}

export interface ScrubParts {
  device: Device;
  geometry: Geometry;
  contents: Contents;
  /** Blocks whose place on the device does not matter yet: the journal has them. */
  restored: ReadonlyMap<number, Uint8Array>;
}

/** Blocks in one read at most. */
const READ_BLOCKS = 256;

export async function scrub(
  parts: ScrubParts,
  options: ScrubOptions,
  report: Report,
): Promise<ScrubResult> {
  const { geometry, contents } = parts;
  const { segmentBlocks, blockSize } = geometry;
  let total = 0;
  for (const live of contents.live) total += live * blockSize;
  const began = performance.now();
  const segments = [...contents.segments.keys()].toSorted((a, b) => a - b);
  let bytes = 0;
  for (const segment of segments) {
    const record = contents.segments.get(segment);
    const end = addressOf(geometry, (segment + 1) * segmentBlocks);
    if (!record || end <= (options.from ?? 0)) continue;
    for (const run of runsOf(record, geometry, segment, parts.restored)) {
      const next = addressOf(geometry, run.pblock);
      if (next < (options.from ?? 0)) continue;
      if (options.signal?.aborted) return { bytes, next };
      await readRun(parts, record, run, report);
      bytes += run.count * blockSize;
      options.onProgress?.(bytes, total);
      await pace(bytes, began, options);
    }
  }
  return { bytes };
}

async function pace(bytes: number, began: number, options: ScrubOptions): Promise<void> {
  if (options.bytesPerSecond === undefined) return;
  const dueMs = (bytes / options.bytesPerSecond) * 1000 - (performance.now() - began);
  if (dueMs > 1) await sleep(dueMs, undefined, { signal: options.signal }).catch(() => undefined);
}

interface Run {
  pblock: number;
  count: number;
}

/** The runs of written blocks in use, of bounded length. */
function* runsOf(
  record: SegmentRecord,
  { segmentBlocks }: Geometry,
  segment: number,
  restored: ReadonlyMap<number, Uint8Array>,
): Generator<Run> {
  const base = segment * segmentBlocks;
  let count = 0;
  for (let i = 0; i <= segmentBlocks; i++) {
    const wanted =
      i < segmentBlocks &&
      record.refs[i]! > 0 &&
      record.written[i] === 1 &&
      !restored.has(base + i);
    if (wanted && count < READ_BLOCKS) count++;
    else {
      if (count > 0) yield { pblock: base + i - count, count };
      count = wanted ? 1 : 0;
    }
  }
}

async function readRun(
  parts: ScrubParts,
  record: SegmentRecord,
  run: Run,
  report: Report,
): Promise<void> {
  const { geometry, device } = parts;
  const { blockSize, segmentBlocks } = geometry;
  const bytes = new Uint8Array(run.count * blockSize);
  try {
    await device.read(bytes, addressOf(geometry, run.pblock));
  } catch (error) {
    if (run.count > 1) {
      for (let i = 0; i < run.count; i++) {
        await readRun(parts, record, { pblock: run.pblock + i, count: 1 }, report);
      }
      return;
    }
    const what = `block ${run.pblock} cannot be read: ${reasonOf(error)}`;
    report("D002", what, placeOf(parts, record, run.pblock), blockSize);
    return;
  }
  for (let i = 0; i < run.count; i++) {
    const block = bytes.subarray(i * blockSize, (i + 1) * blockSize);
    const pblock = run.pblock + i;
    if (crc32c(block) === record.checksums[pblock % segmentBlocks]) continue;
    const what = `block ${pblock} does not match its checksum`;
    report("D001", what, placeOf(parts, record, pblock), blockSize);
  }
}

/** Where a block is, and which subvolume has it. */
function placeOf(parts: ScrubParts, record: SegmentRecord, pblock: number): FindingPlace {
  const { geometry, contents } = parts;
  const { blockSize } = geometry;
  const index = pblock % geometry.segmentBlocks;
  const vblock = record.vblocks[index]!;
  const blocks = { address: addressOf(geometry, pblock), length: blockSize };
  const owner = [...contents.subvolumes.values()].find(
    ({ family, root }) =>
      family === record.families[index] && mappedTo(contents, root, vblock) === pblock,
  );
  if (!owner) return { blocks };
  const range = { offset: vblock * blockSize, length: blockSize };
  return { blocks, subvolume: owner.name, range };
}

/** The block that a map holds at a vblock, as far as its nodes make sense. */
export function mappedTo(contents: Contents, root: number, vblock: number): number | undefined {
  let node = contents.nodes.get(root);
  for (let steps = 0; node && !isLeaf(node) && steps < 256; steps++) {
    node = contents.nodes.get(node.children[childIndex(node, vblock)]!);
  }
  if (!node || !isLeaf(node)) return undefined;
  const i = upperBound(node.vblocks, node.count, vblock) - 1;
  if (i < 0) return undefined;
  const offset = vblock - node.vblocks[i]!;
  return offset < (node.lengths[i]! & LENGTH_MASK) ? node.pblocks[i]! + offset : undefined;
}
