/**
 * Phase 7: reads every written block and compares it with its checksum. It can be told where to
 * begin, so that a long scrub is done in parts, and how fast to go, so that others get their turn.
 *
 * Blocks that the state has freed are read as well for as long as a checkpoint refers to them: when
 * the newer checkpoint and the journal are lost, the older one is worth something only if none of
 * its blocks was written again (promise I4).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { crc32 } from "../base/checksum.ts";
import { BlockspaceError } from "../base/errors.ts";
import type { Device } from "../device/device.ts";
import { kinds } from "../format/checkpoint-values.ts";
import { isLeaf, LENGTH_MASK } from "../format/map-node.ts";
import { open as openSealed } from "../format/sealed-value.ts";
import { decodeSegmentRecord, type SegmentRecord } from "../format/segment-record.ts";
import { childIndex, upperBound } from "../map/tree.ts";
import { addressOf, type Geometry } from "../space/geometry.ts";
import type { Contents } from "./contents.ts";
import type { FindingPlace } from "./finding.ts";
import { reasonOf, type Report } from "./findings.ts";
import type { Image } from "./image.ts";
import type { EnvironmentName } from "./store-access.ts";

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
  /** Checkpoints without damage, to which a repair could go back. */
  checkpoints: readonly { name: EnvironmentName; image: Image }[];
}

/** Blocks in one read at most. */
const READ_BLOCKS = 256;

export async function scrub(
  parts: ScrubParts,
  options: ScrubOptions,
  report: Report,
): Promise<ScrubResult> {
  const { geometry } = parts;
  const { blockSize } = geometry;
  const { from = 0 } = options;
  const end = addressOf(geometry, geometry.capacityBlocks);
  if (from >= end) {
    throw new BlockspaceError(
      "EINVAL",
      `dataFrom is ${from}; the data of this store ends at ${end}`,
    );
  }
  let total = 0;
  for (const { count } of runsFrom(parts, from)) total += count * blockSize;
  const began = performance.now();
  let bytes = 0;
  for (const run of runsFrom(parts, from)) {
    if (options.signal?.aborted) return { bytes, next: addressOf(geometry, run.pblock) };
    await readRun(parts, run, report);
    bytes += run.count * blockSize;
    options.onProgress?.(bytes, total);
    await pace(bytes, began, options);
  }
  return { bytes };
}

/** A timer that is set for longer than about 24 days fires at once. */
const MAX_SLEEP_MS: number = 2 ** 30;

async function pace(bytes: number, began: number, options: ScrubOptions): Promise<void> {
  if (options.bytesPerSecond === undefined) return;
  const { bytesPerSecond, signal } = options;
  for (;;) {
    const dueMs = (bytes / bytesPerSecond) * 1000 - (performance.now() - began);
    if (!(dueMs > 1) || signal?.aborted) return;
    await sleep(Math.min(dueMs, MAX_SLEEP_MS), undefined, { signal }).catch(() => undefined);
  }
}

/** Blocks side by side, and the record that says what they should hold. */
interface Run {
  pblock: number;
  count: number;
  record: SegmentRecord;
  /** The checkpoint whose record it is; without one, that of the state. */
  checkpoint?: EnvironmentName;
}

/** Everything to be read from an address on. */
function* runsFrom(parts: ScrubParts, address: number): Generator<Run> {
  const { blockSize, dataOffset } = parts.geometry;
  const first = Math.ceil((address - dataOffset) / blockSize);
  for (const run of allRuns(parts)) {
    const count = Math.min(run.count, run.pblock + run.count - first);
    if (count > 0) yield { ...run, pblock: run.pblock + run.count - count, count };
  }
}

/** Everything to be read, in the order of addresses. */
function* allRuns({ geometry, contents, restored, checkpoints }: ScrubParts): Generator<Run> {
  const { segmentBlocks } = geometry;
  const segments = new Set(contents.segments.keys());
  for (const { image } of checkpoints) {
    for (const [segment] of image.scan(kinds.segment)) segments.add(segment);
  }
  for (const segment of [...segments].toSorted((a, b) => a - b)) {
    const base = segment * segmentBlocks;
    const own = contents.segments.get(segment) ?? undefined;
    const runs: Run[] = [];
    const told: SegmentRecord[] = [];
    if (own) {
      const wanted = (i: number): boolean => holdsData(own, i) && !restored.has(base + i);
      for (const run of runsOf(base, segmentBlocks, wanted)) runs.push({ ...run, record: own });
      told.push(own);
    }
    for (const { name, image } of checkpoints) {
      const value = image.get(kinds.segment, segment);
      if (!value) continue;
      const record = decodeSegmentRecord(openSealed(kinds.segment, segment, value), segmentBlocks);
      // Nearly all blocks are those of the state as well, and are read for it.
      const only = (i: number): boolean =>
        holdsData(record, i) &&
        !told.some((one) => holdsData(one, i) && one.checksums[i] === record.checksums[i]);
      for (const run of runsOf(base, segmentBlocks, only)) {
        runs.push({ ...run, record, checkpoint: name });
      }
      told.push(record);
    }
    yield* runs.toSorted((a, b) => a.pblock - b.pblock);
  }
}

function holdsData({ refs, written }: SegmentRecord, index: number): boolean {
  return refs.get(index) > 0 && written[index] === 1;
}

/** The runs of wanted blocks of a segment, of bounded length. */
function* runsOf(
  base: number,
  blocks: number,
  wanted: (index: number) => boolean,
): Generator<Pick<Run, "pblock" | "count">> {
  let count = 0;
  for (let i = 0; i <= blocks; i++) {
    const more = i < blocks && wanted(i);
    if (more && count < READ_BLOCKS) count++;
    else {
      if (count > 0) yield { pblock: base + i - count, count };
      count = more ? 1 : 0;
    }
  }
}

async function readRun(parts: ScrubParts, run: Run, report: Report): Promise<void> {
  const { geometry, device } = parts;
  const { blockSize, segmentBlocks } = geometry;
  const { record } = run;
  const bytes = new Uint8Array(run.count * blockSize);
  try {
    await device.read(bytes, addressOf(geometry, run.pblock));
  } catch (error) {
    if (run.count > 1) {
      for (let i = 0; i < run.count; i++) {
        await readRun(parts, { ...run, pblock: run.pblock + i, count: 1 }, report);
      }
    } else tell(parts, run, run.pblock, "D002", `cannot be read: ${reasonOf(error)}`, report);
    return;
  }
  for (let i = 0; i < run.count; i++) {
    const block = bytes.subarray(i * blockSize, (i + 1) * blockSize);
    const pblock = run.pblock + i;
    if (crc32(block) === record.checksums[pblock % segmentBlocks]) continue;
    tell(parts, run, pblock, "D001", "does not match its checksum", report);
  }
}

function tell(
  parts: ScrubParts,
  { record, checkpoint }: Run,
  pblock: number,
  id: "D001" | "D002",
  what: string,
  report: Report,
): void {
  const { geometry } = parts;
  const { blockSize } = geometry;
  if (checkpoint === undefined) {
    report(id, `block ${pblock} ${what}`, placeOf(parts, record, pblock), blockSize);
    return;
  }
  const blocks = { address: addressOf(geometry, pblock), length: blockSize };
  const whose = `block ${pblock}, to which checkpoint ${checkpoint} refers and the state does not,`;
  report("D003", `${whose} ${what}`, { state: checkpoint, blocks });
}

/** Subvolumes that are named beside the first: a thousand snapshots may share each block. */
const MOST_OTHERS = 8;

/** Where a block is, and which subvolumes have it. */
export function placeOf(
  { geometry, contents }: Pick<ScrubParts, "geometry" | "contents">,
  record: SegmentRecord,
  pblock: number,
): FindingPlace {
  const { blockSize } = geometry;
  const index = pblock % geometry.segmentBlocks;
  const vblock = record.vblocks.get(index);
  const blocks = { address: addressOf(geometry, pblock), length: blockSize };
  const names: string[] = [];
  for (const { name, family, root } of contents.subvolumes.values()) {
    if (family !== record.families.get(index)) continue;
    if (mappedTo(contents, root, vblock) === pblock) names.push(name);
    if (names.length > MOST_OTHERS) break;
  }
  const [subvolume, ...alsoIn] = names;
  if (subvolume === undefined) return { blocks };
  const range = { offset: vblock * blockSize, length: blockSize };
  return { blocks, subvolume, ...(alsoIn.length > 0 ? { alsoIn } : {}), range };
}

/** The block that a map holds at a vblock, as far as its nodes make sense. */
function mappedTo(contents: Contents, root: number, vblock: number): number | undefined {
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
