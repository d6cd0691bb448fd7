/**
 * What a call is going to change, worked out before anything changes: whole blocks to write, blocks
 * to allocate, records that need no space. A plan is carried out as one commit or not at all.
 */
import { checkLength } from "../base/arguments.ts";
import type { JournalRecord } from "../format/records.ts";
import { nextExtent } from "../map/lookup.ts";
import type { State } from "../replay/state.ts";
import type { Allocator } from "../space/allocator.ts";
import { holes, type Piece, pieces } from "./pieces.ts";

/** About what one block of a write costs in records, at worst. */
const RECORD_BYTES_PER_BLOCK = 28;
/** What a record with a name takes beyond that, the name itself not counted. */
const NAME_BYTES = 8;

/** Whole blocks of data for consecutive vblocks. */
export interface WriteChange {
  type: "write";
  subvolume: number;
  vblock: number;
  count: number;
  /** So many blocks; copied when the plan is carried out. */
  image: Uint8Array;
}
/** Unwritten blocks for the holes of a range. */
export interface AllocateChange {
  type: "allocate";
  subvolume: number;
  vblock: number;
  count: number;
}
/** A record that takes no space; `submitted` when data it refers to was written to its place. */
export interface RecordChange {
  type: "record";
  record: JournalRecord;
  submitted?: boolean;
}

export type PlannedChange = WriteChange | AllocateChange | RecordChange;

export interface Plan {
  changes: PlannedChange[];
  /** May use the blocks kept back for the host, since it frees space or must not fail. */
  urgent?: boolean;
  /** Called in the same moment in which the change has become visible. */
  committed?: () => void;
}

/** A run of a write: onto the unwritten blocks there, within one segment, or onto new ones. */
export interface WriteRun {
  vblock: number;
  count: number;
  /** The preallocated block to write in place, or `null` for a new one. */
  inPlace: number | null;
}

/**
 * Cuts a write into runs. Preallocated blocks are written in place where nobody shares them and no
 * cookie has staged them (`pinned`): they hold no data that could be lost (promise I4).
 */
export function writeRuns(
  state: State,
  pinned: ReadonlySet<number>,
  change: { subvolume: number; vblock: number; count: number },
): WriteRun[] {
  const { root } = state.catalogue.require(change.subvolume);
  const runs: WriteRun[] = [];
  const end = change.vblock + change.count;
  let at = change.vblock;
  while (at < end) {
    const extent = nextExtent(state.nodes, root, at, end);
    // Most of what is overwritten holds data: that is seen without a look at its blocks.
    const next = extent ? extent.vblock + extent.count : end;
    if (extent?.unwritten === true) {
      extend(runs, at, extent.vblock - at, null);
      for (const piece of pieces(state, root, extent.vblock, next)) {
        addUnwritten(runs, state, pinned, piece);
      }
    } else {
      extend(runs, at, next - at, null);
    }
    at = next;
  }
  return runs;
}

/** A piece of preallocated blocks. */
function addUnwritten(
  runs: WriteRun[],
  state: State,
  pinned: ReadonlySet<number>,
  piece: Piece,
): void {
  if (piece.pblock === null || !piece.inPlace) {
    extend(runs, piece.vblock, piece.count, null);
    return;
  }
  for (let i = 0; i < piece.count; i++) {
    const pblock = piece.pblock + i;
    const vblock = piece.vblock + i;
    const startsSegment = pblock % state.geometry.segmentBlocks === 0;
    if (pinned.has(pblock)) extend(runs, vblock, 1, null);
    else if (startsSegment) runs.push({ vblock, count: 1, inPlace: pblock });
    else extend(runs, vblock, 1, pblock);
  }
}

/** Records of an allocation, at worst: one for each run, and a run ends with its hole. */
function allocationRuns(state: State, allocator: Allocator, change: AllocateChange): number {
  const { root } = state.catalogue.require(change.subvolume);
  let runs = 0;
  let blocks = 0;
  for (const { count } of holes(state, root, change.vblock, change.vblock + change.count)) {
    runs++;
    blocks += count;
  }
  return runs + allocator.runsAtMost(blocks);
}

function extend(runs: WriteRun[], vblock: number, count: number, inPlace: number | null): void {
  if (count === 0) return;
  const last = runs.at(-1);
  const next = last && last.inPlace !== null ? last.inPlace + last.count : null;
  if (last && inPlace === next && (last.inPlace === null) === (inPlace === null)) {
    last.count += count;
  } else {
    runs.push({ vblock, count, inPlace });
  }
}

/** New blocks that a run needs; only the first of two writes to a preallocated block goes there. */
function newBlocks(run: { count: number; inPlace: number | null }, taken: Set<number>): number {
  if (run.inPlace === null) return run.count;
  let blocks = 0;
  for (let pblock = run.inPlace; pblock < run.inPlace + run.count; pblock++) {
    if (taken.has(pblock)) blocks++;
    taken.add(pblock);
  }
  return blocks;
}

/** New blocks that a plan needs at most; counted without a look at any map. */
export function blocksAtMost({ changes }: Plan): number {
  let blocks = 0;
  for (const change of changes) if (change.type !== "record") blocks += change.count;
  return blocks;
}

/** New blocks that a plan needs. */
export function blocksNeeded(state: State, pinned: ReadonlySet<number>, plan: Plan): number {
  // A snapshot in the same commit makes sharers of blocks that could be written in place before.
  const shares = plan.changes.some(({ type }) => type === "record" && plan.changes.length > 1);
  let blocks = 0;
  const taken = new Set<number>();
  for (const change of plan.changes) {
    if (change.type === "write") {
      const runs = shares
        ? [{ count: change.count, inPlace: null }]
        : writeRuns(state, pinned, change);
      for (const run of runs) blocks += newBlocks(run, taken);
    } else if (change.type === "allocate") {
      const { root } = state.catalogue.require(change.subvolume);
      const end = change.vblock + change.count;
      for (const { count } of holes(state, root, change.vblock, end)) blocks += count;
    }
  }
  return blocks;
}

/** Refuses data whose memory was taken away while its call waited; then nothing has changed. */
export function checkImages({ changes }: Plan, blockSize: number): void {
  for (const change of changes) {
    if (change.type === "write") checkLength("data", change.image, change.count * blockSize);
  }
}

/** About the bytes that the records of a plan take, at worst. */
export function recordBytes(state: State, allocator: Allocator, plan: Plan): number {
  let blocks = plan.changes.length;
  let names = 0;
  for (const change of plan.changes) {
    if (change.type === "write") blocks += change.count;
    else if (change.type === "allocate") blocks += allocationRuns(state, allocator, change);
    else if ("checksums" in change.record) blocks += change.record.count;
    else if ("name" in change.record) names += NAME_BYTES + Buffer.byteLength(change.record.name);
  }
  return blocks * RECORD_BYTES_PER_BLOCK + names;
}
