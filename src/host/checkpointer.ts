/**
 * Checkpoints: the whole state as of one LSN into the environment whose turn it is, while commits
 * go on. The order is what makes it safe:
 *
 *  1. In one moment: the open batch is sealed, all pending data is taken for writing, and the state
 *     is frozen. The checkpoint's LSN is that of the sealed batch.
 *  2. The sealed batch becomes durable in the journal, which must never be behind a checkpoint.
 *  3. The data is written to its place and the data device is flushed.
 *  4. The environment commits (on a worker thread) and its closing record is read back.
 *  5. Blocks that neither checkpoint refers to any more stop being busy, once reads under way have
 *     ended and holes are punched into them (promise I4).
 *  6. Journal files behind the older of the two checkpoints are recycled.
 */
import { isBlockspaceError } from "../base/errors.ts";
import { deltaFor } from "../checkpoint/delta.ts";
import type { Environment, OpenEnvironment } from "../checkpoint/environment.ts";
import type { Journal } from "../journal/journal.ts";
import type { Device } from "../device/device.ts";
import type { Environments } from "../replay/replay.ts";
import type { State } from "../replay/state.ts";
import type { Allocator } from "../space/allocator.ts";
import type { BlockRun } from "../space/busy.ts";
import { addressOf, blocksIn } from "../space/geometry.ts";
import type { Ledger } from "../space/ledger.ts";
import type { Committer } from "./committer.ts";
import type { Health } from "./health.ts";
import type { PendingData } from "./pending.ts";
import type { Readers } from "./readers.ts";

/**
 * Shorter holes are not punched unless they empty a segment: the call would cost more than it
 * gives.
 */
const LEAST_HOLE_BYTES = 64 * 1024;

/** What a checkpoint brings together. */
export interface CheckpointerParts {
  state: State;
  device: Device;
  journal: Journal;
  committer: Committer;
  pending: PendingData;
  health: Health;
  readers: Readers;
  allocator: Allocator;
  ledger: Ledger;
  /** Blocks that a cookie has staged where they are mapped. */
  pinned: ReadonlySet<number>;
  openEnvironment: OpenEnvironment;
}

export class Checkpointer {
  readonly #parts: CheckpointerParts;
  readonly #environments: Environments;
  #running: Promise<void> | undefined;
  #journalBytesAtFreeze = 0;
  /** Checkpoints since the host was opened. */
  count = 0;
  /** Free blocks that are held while a hole is punched around them. */
  guardedBlocks = 0;
  /** Called when a checkpoint is durable. */
  onDone: () => void = () => undefined;

  constructor(parts: CheckpointerParts, environments: Environments) {
    this.#parts = parts;
    this.#environments = { ...environments };
  }

  /** The LSN of the newest durable checkpoint. */
  get lsn(): number {
    return this.#environments.lsn;
  }

  /** Journal bytes written since the last checkpoint began. */
  get journalBytesSince(): number {
    return this.#parts.journal.bytesWritten - this.#journalBytesAtFreeze;
  }

  /** Makes a checkpoint; joins the one that is running, if one is. */
  async run(): Promise<void> {
    this.#running ??= this.#make().finally(() => {
      this.#running = undefined;
    });
    await this.#running;
  }

  /** Makes a checkpoint that holds everything up to this moment. */
  async runAnew(): Promise<void> {
    if (this.#running) await this.#running;
    await this.run();
  }

  /** Resolves when no checkpoint runs. */
  async settled(): Promise<void> {
    while (this.#running) await this.#running.catch(() => undefined);
  }

  async #make(): Promise<void> {
    const { health, journal } = this.#parts;
    health.checkWritable();
    try {
      const former = this.#environments.lsn;
      await this.#write();
      await this.#releaseBusy();
      await journal.recycle(former);
      this.count++;
      this.onDone();
    } catch (cause) {
      throw health.failure ?? health.fail("a checkpoint", cause);
    }
  }

  /** Steps 1 to 4. */
  async #write(): Promise<void> {
    const { state, committer, pending, journal } = this.#parts;
    const environments = this.#environments;
    const sealed = committer.sealAndFlush();
    const written = pending.writeOut();
    written.catch(() => undefined);
    const frozen = state.freeze();
    this.#journalBytesAtFreeze = journal.bytesWritten;
    const journalChecksum = await sealed;
    await written;
    await pending.flush();
    const { newest } = environments;
    const { target, reset } = await this.#turn();
    const lastChangedKeys = state.changedKeys;
    const source = { target, newest, lastChangedKeys, frozen, journalChecksum, reset };
    const epoch = environments.epoch + 1;
    await target.commit(deltaFor(source), { epoch, lsn: frozen.lsn, reset });
    state.thaw(target);
    Object.assign(environments, { newest: target, epoch, lsn: frozen.lsn });
  }

  /**
   * The environment whose turn it is. One that is not exactly one checkpoint behind is written
   * whole; it is made anew for that, unless nothing was ever written to it.
   */
  async #turn(): Promise<{ target: Environment; reset: boolean }> {
    const { opened, newest } = this.#environments;
    const name = newest.name === "a" ? "b" : "a";
    const target = opened[name];
    const expected = (newest.closing()?.epoch ?? 0) - 1;
    const epoch = target && epochOf(target);
    if (target && epoch === expected) return { target, reset: false };
    if (target && epoch === undefined) return { target, reset: true };
    await target?.close();
    opened[name] = await this.#parts.openEnvironment(name, true);
    return { target: opened[name], reset: true };
  }

  /** Step 5. */
  async #releaseBusy(): Promise<void> {
    const { state, device, allocator, readers, pinned } = this.#parts;
    const { geometry } = state;
    const { busy } = state.segments;
    await readers.drained();
    const runs = busy.leaving((pblock) => pinned.has(pblock));
    const guarded: BlockRun[] = [];
    for (const hole of this.#holes(runs, guarded)) {
      const length = hole.count * geometry.blockSize;
      await device.discard(addressOf(geometry, hole.pblock), length);
    }
    for (const run of guarded) allocator.unhold(run);
    this.guardedBlocks = 0;
    busy.release();
  }

  /**
   * What of the leaving runs is worth a hole: whole segments, and long runs. The free blocks of a
   * segment that is punched as a whole are held, or a write could come between: they are `guarded`.
   */
  #holes(runs: readonly BlockRun[], guarded: BlockRun[]): BlockRun[] {
    const { state, allocator, ledger } = this.#parts;
    const { geometry } = state;
    const bySegment = new Map<number, BlockRun[]>();
    for (const run of runs) {
      const segment = Math.floor(run.pblock / geometry.segmentBlocks);
      bySegment.set(segment, [...(bySegment.get(segment) ?? []), run]);
    }
    const least = LEAST_HOLE_BYTES / geometry.blockSize;
    const holes: BlockRun[] = [];
    for (const [segment, own] of bySegment) {
      const whole = {
        pblock: segment * geometry.segmentBlocks,
        count: blocksIn(geometry, segment),
      };
      const leaving = own.reduce((sum, run) => sum + run.count, 0);
      if (allocator.used(segment) > leaving || ledger.free < whole.count - leaving) {
        holes.push(...own.filter((run) => run.count >= least));
        continue;
      }
      for (const run of between(whole, own)) {
        allocator.hold(run);
        guarded.push(run);
        this.guardedBlocks += run.count;
      }
      holes.push(whole);
    }
    return holes;
  }
}

/** Which checkpoint an environment holds; `undefined` when none, `null` when it is damaged. */
function epochOf(environment: Environment): number | undefined | null {
  try {
    return environment.closing()?.epoch;
  } catch (error) {
    if (isBlockspaceError(error, "ECORRUPT")) return null;
    throw error;
  }
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
