/**
 * From a plan to the records of its commit. Where a block goes is decided here, record by record:
 * each has been applied before the next block is asked for.
 */
import type { SlotRun } from "../base/block-memory.ts";
import { blockChecksums } from "../base/checksum.ts";
import type { JournalRecord } from "../format/records.ts";
import type { State } from "../replay/state.ts";
import type { Allocator } from "../space/allocator.ts";
import type { PendingData } from "./pending.ts";
import { holes } from "./pieces.ts";
import { type AllocateChange, type Plan, type WriteChange, writeRuns } from "./plan.ts";

/** What making records takes. */
export interface RecordSource {
  readonly state: State;
  readonly allocator: Allocator;
  readonly pending: PendingData;
  /** Blocks that a cookie has staged where they are mapped. */
  readonly pinned: ReadonlySet<number>;
}

type Emit = (record: JournalRecord) => void;

/** Emits the records of a plan, and adds the data that they speak of to `data`. */
export function emitRecords(source: RecordSource, plan: Plan, emit: Emit, data: SlotRun[]): void {
  for (const change of plan.changes) {
    if (change.type === "write") emitWrite(source, change, emit, data);
    else if (change.type === "allocate") emitAllocation(source, change, emit);
    else emit(change.record);
  }
}

/** True when a record refers to data that was written to its place before. */
export function holdsSubmitted(plan: Plan): boolean {
  return plan.changes.some((change) => change.type === "record" && change.submitted === true);
}

function emitWrite(source: RecordSource, change: WriteChange, emit: Emit, data: SlotRun[]): void {
  const { state, allocator, pending, pinned } = source;
  const { blockSize } = state.geometry;
  const { subvolume, image } = change;
  for (const run of writeRuns(state, pinned, change)) {
    let done = 0;
    while (done < run.count) {
      const vblock = run.vblock + done;
      const at = (vblock - change.vblock) * blockSize;
      const fresh = run.inPlace === null;
      const target = fresh
        ? allocator.take(run.count - done)
        : { pblock: run.inPlace!, count: run.count };
      const slots = pending.put(target.pblock, image.subarray(at, at + target.count * blockSize));
      const checksums = checksumsOf(pending, slots, blockSize);
      const { pblock, count } = target;
      emit({ type: fresh ? "remap" : "convert", subvolume, vblock, pblock, count, checksums });
      data.push(...slots);
      done += target.count;
    }
  }
}

/** Of what is held, not of what was handed in: whose bytes those are may change them meanwhile. */
function checksumsOf(
  { memory }: PendingData,
  slots: readonly SlotRun[],
  blockSize: number,
): Uint32Array {
  const sums = slots.map((run) => blockChecksums(memory.view(run), blockSize));
  return sums.length === 1 ? sums[0]! : Uint32Array.from(sums.flatMap((some) => [...some]));
}

function emitAllocation(source: RecordSource, change: AllocateChange, emit: Emit): void {
  const { state, allocator } = source;
  const { subvolume, vblock, count } = change;
  const { root } = state.catalogue.require(subvolume);
  // All of them before the first record, which changes the map.
  const found = Array.from(holes(state, root, vblock, vblock + count));
  for (const hole of found) {
    let done = 0;
    while (done < hole.count) {
      const run = allocator.take(hole.count - done);
      emit({ type: "remap", subvolume, vblock: hole.vblock + done, ...run, checksums: null });
      done += run.count;
    }
  }
}
