/**
 * What follows on a checkpoint: blocks that neither of the two refers to any more stop being busy
 * (promise I4), and their space goes back to the file system: long runs, and segments that are
 * wholly free. Of these four times as many are kept warm as were written since the last checkpoint:
 * it is likely that as many will be before the next, and they do not come free evenly. Who
 * overwrites what lay scattered empties few segments for long, and then many at once.
 *
 * Nobody may write to what is being punched. Blocks that are about to come free are busy until it
 * is done; free ones around them are *guarded*, held as staged blocks are: those of one segment at
 * a time, and who needs them waits.
 */
import { GiB, KiB } from "../base/units.ts";
import type { Device } from "../device/device.ts";
import type { State } from "../replay/state.ts";
import type { Allocator } from "../space/allocator.ts";
import type { BlockRun } from "../space/busy.ts";
import { addressOf, blocksIn } from "../space/geometry.ts";
import type { Ledger } from "../space/ledger.ts";
import type { Health } from "./health.ts";
import type { Readers } from "./readers.ts";

/**
 * Shorter holes are not punched unless they empty a segment: the call would cost more than it
 * gives.
 */
const LEAST_HOLE_BYTES: number = 64 * KiB;
/** Space that is kept warm, at most. */
const MOST_WARM_BYTES: number = GiB;
/** For each block written between two checkpoints. */
const WARM_PER_WRITTEN = 4;

export interface ReleaserParts {
  state: State;
  device: Device;
  health: Health;
  readers: Readers;
  allocator: Allocator;
  ledger: Ledger;
  /** Blocks that a cookie has staged where they are mapped. */
  pinned: ReadonlySet<number>;
}

export class Releaser {
  readonly #parts: ReleaserParts;
  /** Free blocks that are held while a hole is punched around them. */
  guardedBlocks = 0;
  readonly #punching = new Set<Promise<void>>();
  /** So many wait for what is guarded. */
  #waiting = 0;
  /** What had been allocated at the last run. */
  #claimed: number;

  constructor(parts: ReleaserParts) {
    this.#parts = parts;
    this.#claimed = parts.state.segments.claimed;
  }

  /** Frees what is leaving, when the reads under way have ended. */
  async run(): Promise<void> {
    const { state, readers, pinned } = this.#parts;
    const { busy } = state.segments;
    await readers.drained();
    const leaving = busy.leaving(pinned);
    for (const segment of this.#coldSegments(leaving)) {
      await this.#punch(this.#holesIn(segment, leaving.get(segment) ?? []));
    }
    busy.release();
  }

  /** Gives back the space of all segments that are kept warm. */
  async giveBack(): Promise<void> {
    const { warm } = this.#parts.allocator;
    // One by one: who closes the host meanwhile finds those that are left.
    for (let left = warm.size; left > 0; left--) {
      const [segment] = warm.shrinkTo(warm.size - 1);
      if (segment === undefined) return;
      await this.#punch(this.#holesIn(segment, []));
    }
  }

  /** Waits for what is guarded to come free again, as long as there is not `enough` else. */
  async unguarded(enough: () => boolean): Promise<void> {
    while (this.guardedBlocks > 0 && !enough()) {
      this.#waiting++;
      await Promise.allSettled(this.#punching);
      this.#waiting--;
      this.#parts.health.checkWritable();
    }
  }

  async #punch(holes: readonly Hole[]): Promise<void> {
    const punching = this.#punchAll(holes);
    this.#punching.add(punching);
    try {
      await punching;
    } finally {
      this.#punching.delete(punching);
    }
    // Whoever waits takes what he needs before the next segment is guarded.
    if (this.#waiting > 0) await new Promise(setImmediate);
  }

  async #punchAll(holes: readonly Hole[]): Promise<void> {
    const { state, device, allocator, health } = this.#parts;
    const { geometry } = state;
    for (const { pblock, count, guarded } of holes) {
      const discarded = device.discard(addressOf(geometry, pblock), count * geometry.blockSize);
      await health.final("a discard", discarded);
      for (const run of guarded) allocator.unhold(run);
      for (const run of guarded) this.guardedBlocks -= run.count;
    }
  }

  /** Those with runs that are leaving, and warm ones; but for what is kept warm. */
  #coldSegments(leaving: ReadonlyMap<number, readonly BlockRun[]>): number[] {
    const { warm } = this.#parts.allocator;
    const cold: number[] = [];
    for (const [segment, own] of leaving) {
      if (this.#isEmptied(segment, own)) warm.add(segment);
      else cold.push(segment);
    }
    return cold.concat(warm.shrinkTo(this.#segmentsToKeep()));
  }

  #segmentsToKeep(): number {
    const { segments, geometry } = this.#parts.state;
    const claimed = segments.claimed - this.#claimed;
    this.#claimed = segments.claimed;
    const wanted = WARM_PER_WRITTEN * claimed;
    const blocks = Math.min(wanted, MOST_WARM_BYTES / geometry.blockSize);
    return Math.ceil(blocks / geometry.segmentBlocks);
  }

  /** Nothing is left in the segment but what is leaving. */
  #isEmptied(segment: number, leaving: readonly BlockRun[]): boolean {
    return this.#parts.allocator.used(segment) === blocksOf(leaving);
  }

  #holesIn(segment: number, leaving: readonly BlockRun[]): Hole[] {
    const { state, ledger } = this.#parts;
    const { geometry } = state;
    const count = blocksIn(geometry, segment);
    const whole = { pblock: segment * geometry.segmentBlocks, count };
    if (this.#isEmptied(segment, leaving) && ledger.free >= count - blocksOf(leaving)) {
      return [{ ...whole, guarded: this.#guard(between(whole, leaving)) }];
    }
    const least = LEAST_HOLE_BYTES / geometry.blockSize;
    return leaving.filter((run) => run.count >= least).map((run) => ({ ...run, guarded: [] }));
  }

  #guard(runs: BlockRun[]): BlockRun[] {
    for (const run of runs) {
      this.#parts.allocator.hold(run);
      this.guardedBlocks += run.count;
    }
    return runs;
  }
}

/** A run to be punched, and the free blocks in it that are held meanwhile. */
interface Hole extends BlockRun {
  guarded: BlockRun[];
}

function blocksOf(runs: readonly BlockRun[]): number {
  return runs.reduce((sum, run) => sum + run.count, 0);
}

/** What of `whole` lies between `runs`, which are in order. */
function between(whole: BlockRun, runs: readonly BlockRun[]): BlockRun[] {
  const gaps: BlockRun[] = [];
  let at = whole.pblock;
  for (const run of [...runs, { pblock: whole.pblock + whole.count, count: 0 }]) {
    if (run.pblock > at) gaps.push({ pblock: at, count: run.pblock - at });
    at = run.pblock + run.count;
  }
  return gaps;
}
