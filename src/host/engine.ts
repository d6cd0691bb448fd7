/**
 * The heart of a running host: one state, one order of changes, one way in which a plan becomes a
 * commit. Everything that changes anything comes through {@link Engine.submit}:
 *
 *     order (sequencer) → room (memory, journal, space) → plan → records, applied as they are made
 *     → the open batch (committer) → journal → and, in the background, home (pending, checkpoints)
 */
import { checkSignal } from "../base/arguments.ts";
import type { BlockMemory, SlotRun } from "../base/block-memory.ts";
import { BlockspaceError } from "../base/errors.ts";
import { MiB } from "../base/units.ts";
import type { OpenEnvironment } from "../checkpoint/environment.ts";
import type { Device } from "../device/device.ts";
import type { JournalRecord } from "../format/records.ts";
import { checkCommitSize, type Journal } from "../journal/journal.ts";
import { produceCommit } from "../replay/apply.ts";
import type { Environments } from "../replay/environments.ts";
import type { State } from "../replay/state.ts";
import { Allocator } from "../space/allocator.ts";
import { addressOf } from "../space/geometry.ts";
import { Ledger } from "../space/ledger.ts";
import { Checkpointer } from "./checkpointer.ts";
import { Committer } from "./committer.ts";
import { Health } from "./health.ts";
import { PendingData } from "./pending.ts";
import { blocksAtMost, blocksNeeded, checkImages, type Plan, recordBytes } from "./plan.ts";
import { Readers } from "./readers.ts";
import { Reclaimer } from "./reclaimer.ts";
import { Releaser } from "./releaser.ts";
import { emitRecords, holdsSubmitted } from "./records.ts";
import { Sequencer } from "./sequencer.ts";
import { Turns } from "./turns.ts";
import type { World } from "./world.ts";

/** A replay takes some 8 us for each, and opening should take no more than about a second. */
const MOST_COMMITS_TO_REPLAY = 100_000;
/** Of data that has to be written before its batch, in bytes. */
const MOST_BYTES_TO_HOLD: number = MiB;
/** Of space that came free since the last checkpoint, in bytes: soon used again, it is cached. */
const MOST_BYTES_TO_REUSE: number = 256 * MiB;

/** Limits that the caller set, in bytes. */
export interface Limits {
  journalSize: number;
  cacheSize: number;
  maxDirty: number;
}

/** What the host did since it was opened. */
export interface Counters {
  commits: number;
  records: number;
  reads: number;
  bytesRead: number;
  bytesWritten: number;
}

export interface EngineParts {
  state: State;
  device: Device;
  /** For data on its way, {@link Limits.maxDirty} of it. */
  memory: BlockMemory;
  journal: Journal;
  environments: Environments;
  openEnvironment: OpenEnvironment;
  limits: Limits;
  /** See the option. */
  blockingCommits: boolean;
  readOnly: boolean;
  world: World;
}

export class Engine {
  readonly state: State;
  readonly device: Device;
  readonly readOnly: boolean;
  readonly world: World;
  readonly health: Health = new Health();
  readonly turns: Turns = new Turns();
  readonly sequencer: Sequencer = new Sequencer(this.turns);
  readonly readers: Readers = new Readers();
  readonly allocator: Allocator;
  readonly ledger: Ledger;
  readonly pending: PendingData;
  readonly committer: Committer;
  readonly releaser: Releaser;
  readonly reclaimer: Reclaimer = new Reclaimer(this);
  readonly checkpointer: Checkpointer;
  /** Blocks that a cookie has staged where they are mapped; not to be written in place. */
  readonly pinned: Set<number> = new Set();
  /** By subvolume: the last commit that changed it. */
  readonly changedLsn: Map<number, number> = new Map();
  readonly counters: Counters = { commits: 0, records: 0, reads: 0, bytesRead: 0, bytesWritten: 0 };
  readonly #limits: Limits;
  readonly #journal: Journal;
  #closing = false;

  constructor(parts: EngineParts) {
    const { state, device, journal } = parts;
    this.state = state;
    this.device = device;
    this.readOnly = parts.readOnly;
    this.world = parts.world;
    this.#limits = parts.limits;
    this.#journal = journal;
    this.allocator = new Allocator(state.segments);
    this.ledger = new Ledger(state.segments, this.allocator);
    const isLive = (pblock: number): boolean => state.segments.references(pblock) > 0;
    const { health } = this;
    const { geometry } = state;
    const { memory } = parts;
    this.pending = new PendingData({ device, geometry, memory, health, isLive });
    const { pending } = this;
    const { blockSize } = geometry;
    const mayBlock = parts.blockingCommits;
    const forCommits = { journal, pending, health, blockSize, mayBlock, counters: this.counters };
    this.committer = new Committer(forCommits, state.lsn);
    this.releaser = new Releaser(this);
    const { committer, releaser } = this;
    const shared = { ...parts, committer, pending, health, releaser };
    this.checkpointer = new Checkpointer(shared, parts.environments);
  }

  /**
   * Orders a change: `makePlan` runs when its turn comes, and may read. Resolves with the LSN of
   * the commit when it is visible, or with the last LSN when there was nothing to change. Until it
   * is carried out `signal` may call it off.
   */
  async submit(makePlan: () => Plan | Promise<Plan>, signal?: AbortSignal): Promise<number> {
    this.checkWritable();
    if (this.#isReady) {
      const plan = makePlan();
      if (!(plan instanceof Promise) && this.commitAtOnce(plan)) {
        const { lsn } = this.state;
        const turn = this.turns.next;
        if (turn) await turn;
        return lsn;
      }
      return this.sequencer.run(() => this.#carryOut(plan, signal));
    }
    return this.sequencer.run(async () => {
      await this.#makeRoom();
      checkSignal(signal);
      return this.#carryOut(makePlan(), signal);
    });
  }

  /** Carries a plan out that has to wait for nothing; `false` when it has, and nothing was done. */
  commitAtOnce(plan: Plan): boolean {
    if (!this.#isReady || this.#shortOf(plan) > 0) return false;
    this.commitNow(plan);
    return true;
  }

  /** Nobody's turn has to be waited for, nor room. */
  get #isReady(): boolean {
    return this.sequencer.idle && this.#isRoomy();
  }

  /** Refuses what a closed, failed or read-only host cannot do. */
  checkWritable(): void {
    this.checkOpen();
    if (this.readOnly) {
      throw new BlockspaceError("EROFS", "the host was opened read-only");
    }
    this.health.checkWritable();
  }

  /** The store has so many blocks now, which is durable. */
  grow(capacityBlocks: number): void {
    this.state.segments.grow(capacityBlocks);
    this.allocator.grow();
  }

  get isClosing(): boolean {
    return this.#closing;
  }

  checkOpen(): void {
    if (this.#closing) throw new BlockspaceError("ECLOSED", "the host is closed");
  }

  /**
   * Resolves when all that was submitted so far is durable. While nothing waits its turn, calls
   * between which nothing is submitted get the same promise; `joins` as of the committer.
   */
  flush(joins = false): Promise<unknown> {
    if (this.readOnly) return Promise.resolve();
    // One who asks over and over where nothing waits must not keep the event loop to himself.
    const turn = this.isFlushed ? this.turns.after(0) : undefined;
    if (turn) return turn.then(() => this.committer.flush(joins));
    if (this.sequencer.idle) return this.committer.flush(joins);
    return this.sequencer.after(() => this.committer.flush(joins));
  }

  /** All that was submitted is durable, and nothing has failed. */
  get isFlushed(): boolean {
    return this.sequencer.idle && this.committer.isIdle && !this.health.failure && !this.#closing;
  }

  /** Begins to make all commits so far durable. */
  beginFlush(): void {
    if (this.sequencer.idle && !this.readOnly) this.committer.begin();
  }

  /**
   * Makes as many blocks available as are `needed`, or throws `ENOSPC`; makes no checkpoint that
   * cannot be enough. When dead maps are gone it is asked again: what only they shared can be
   * written where it is.
   */
  async makeSpace(needed: () => number, urgent = false): Promise<void> {
    let blocks = needed();
    const enough = (): boolean => blocks <= this.#available(urgent);
    for (let round = 0; round < 4 && !enough(); round++) {
      await this.reclaimer.reclaim(enough);
      blocks = needed();
      await this.releaser.unguarded(enough);
      if (enough() || blocks > this.#available(urgent) + this.state.segments.busy.count) break;
      await this.checkpointer.run();
    }
    await this.releaser.unguarded(enough);
    if (enough()) return;
    const { blockSize } = this.state.geometry;
    throw new BlockspaceError(
      "ENOSPC",
      `${blocks * blockSize} bytes are needed and ${this.#available(urgent) * blockSize} are free`,
    );
  }

  /** Bytes of the journal files that a checkpoint may need. */
  get journalBytes(): number {
    return this.#journal.usedBytes;
  }

  /** Ends everything in the background; what is under way is finished. */
  async stop(): Promise<void> {
    this.#closing = true;
    await this.sequencer.settled();
    await this.checkpointer.settled();
    await this.committer.settled();
    await this.readers.drained();
  }

  #available(urgent: boolean): number {
    return urgent ? this.ledger.unclaimed : this.ledger.free;
  }

  /**
   * The blocks that a plan needs where so many are not to be had; 0 when it fits. Asks the maps
   * only where space is short: it cost a random write of 4 KiB a look-up more.
   */
  #shortOf(plan: Plan): number {
    const available = this.#available(plan.urgent === true);
    if (blocksAtMost(plan) <= available) return 0;
    const needed = blocksNeeded(this.state, this.pinned, plan);
    return needed <= available ? 0 : needed;
  }

  /** Memory and journal have room for another change. */
  #isRoomy(): boolean {
    const { journalSize, cacheSize, maxDirty } = this.#limits;
    return (
      this.pending.bytes + this.committer.waitingBytes < maxDirty &&
      this.#journal.usedBytes < journalSize &&
      this.state.dirtyBytes < cacheSize / 2
    );
  }

  /** Waits for room for a change, if there is none; for a task that has its turn. */
  async room(): Promise<void> {
    if (!this.#isRoomy()) await this.#makeRoom();
  }

  /** Backpressure: waits until enough of what was submitted before has left memory and journal. */
  async #makeRoom(): Promise<void> {
    const { journalSize, cacheSize, maxDirty } = this.#limits;
    this.health.checkWritable();
    const isTooMuch = (): boolean => this.pending.bytes + this.committer.waitingBytes >= maxDirty;
    if (isTooMuch()) this.pending.writeOut().catch(() => undefined);
    // No longer than it takes: the disk has the rest to do while the next data comes in.
    while (isTooMuch() && this.pending.isWriting) {
      await this.pending.oldestWritten();
    }
    if (isTooMuch()) await this.committer.flush();
    const full = this.#journal.usedBytes >= journalSize || this.state.dirtyBytes >= cacheSize / 2;
    if (full) await this.checkpointer.run();
    // Files are recycled back to the older of two checkpoints, so one may not be enough.
    if (this.#journal.usedBytes >= journalSize) await this.checkpointer.run();
  }

  /** Writes whole blocks to their place now; they must be held. */
  async writeData(image: Uint8Array, pblock: number): Promise<void> {
    const address = addressOf(this.state.geometry, pblock);
    await this.pending.writeNow([image], address);
  }

  /**
   * A plan that waited for nothing is carried out at once: what it was made from must not change
   * before, and to a block that is staged somebody may write in any turn.
   */
  async #carryOut(planned: Plan | Promise<Plan>, signal?: AbortSignal): Promise<number> {
    const plan = planned instanceof Promise ? await planned : planned;
    this.health.checkWritable();
    // Asked again: what was free a moment ago may be guarded now.
    while (this.#shortOf(plan) > 0) await this.makeSpace(() => this.#shortOf(plan), plan.urgent);
    checkSignal(signal);
    return this.commitNow(plan);
  }

  /**
   * Carries a plan out that has its turn and its space: from here to the end nothing waits, so
   * nobody sees half of it.
   */
  commitNow(plan: Plan): number {
    this.health.checkWritable();
    checkCommitSize(recordBytes(this.state, this.allocator, plan));
    if (plan.changes.length === 0) {
      this.turns.count(0);
      plan.committed?.();
      return this.state.lsn;
    }
    checkImages(plan, this.state.geometry.blockSize);
    const data: SlotRun[] = [];
    let records: JournalRecord[];
    try {
      records = produceCommit(this.state, (emit) => emitRecords(this, plan, emit, data));
      this.committer.add(records, data, holdsSubmitted(plan));
    } catch (cause) {
      throw this.health.tear("a change of the state", cause);
    }
    this.counters.commits++;
    this.counters.records += records.length;
    const blocks = data.reduce((sum, run) => sum + run.count, 0);
    this.counters.bytesWritten += blocks * this.state.geometry.blockSize;
    this.turns.count(blocks * this.state.geometry.blockSize);
    for (const record of records) {
      if (record.type === "delete") this.changedLsn.delete(record.subvolume);
      else if ("subvolume" in record) this.changedLsn.set(record.subvolume, this.state.lsn);
    }
    plan.committed?.();
    this.#startBackground();
    return this.state.lsn;
  }

  #startBackground(): void {
    this.reclaimer.start();
    if (this.#wantsWriteOut()) this.pending.writeOut().catch(() => undefined);
    if (this.#wantsCheckpoint()) this.checkpointer.run().catch(() => undefined);
  }

  /**
   * Early enough that a writer who never flushes does not have to wait for it; and earlier where
   * the data must be written before the batch can be made durable in any case.
   */
  #wantsWriteOut(): boolean {
    const { unwrittenBytes, isWriting } = this.pending;
    if (unwrittenBytes > this.#limits.maxDirty / 4) return true;
    return unwrittenBytes > MOST_BYTES_TO_HOLD && !isWriting && this.committer.isDirect;
  }

  /** A checkpoint is begun early enough that nobody has to wait for it. */
  #wantsCheckpoint(): boolean {
    const { journalSize, cacheSize } = this.#limits;
    const { segments, geometry } = this.state;
    return (
      segments.busy.currentCount * geometry.blockSize > MOST_BYTES_TO_REUSE ||
      this.checkpointer.journalBytesSince > journalSize / 3 ||
      this.state.dirtyBytes > cacheSize / 4 ||
      this.state.lsn - this.checkpointer.lsn > MOST_COMMITS_TO_REPLAY
    );
  }
}
