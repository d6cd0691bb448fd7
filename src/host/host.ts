/**
 * The host: owns a store, hands out its subvolumes, and is the face of everything that concerns
 * more than one of them.
 */
import { checkName, checkWhole, show } from "../base/arguments.ts";
import { BlockspaceError } from "../base/errors.ts";
import { differences } from "../map/diff.ts";
import type { Recovery } from "../replay/replay.ts";
import { type CleanerReport, compact } from "./cleaner.ts";
import type { Engine } from "./engine.ts";
import type { Growth } from "./growth.ts";
import { type OpenedHost, openHost } from "./open.ts";
import type { OpenHostOptions } from "./options.ts";
import { Planner } from "./planner.ts";
import { Staging } from "./staging.ts";
import { hostStatistics, type Statistics } from "./statistics.ts";
import { Subvolume } from "./subvolume.ts";
import { Transaction } from "./transaction.ts";
import { type Usage, UsageCount } from "./usage.ts";
import { checkWait, untilAborted, type WaitOptions } from "./wait.ts";

/** One subvolume in {@link Host.list}. */
export interface SubvolumeInfo {
  name: string;
  id: number;
  /** Bytes. */
  size: number;
  readOnly: boolean;
  /** The name of the subvolume it was made from, if that is still there. */
  source: string | null;
  created: Date;
}

/** A byte range. */
export interface ByteRange {
  offset: number;
  length: number;
}

export class Host implements AsyncDisposable {
  /** The directory of the store. */
  readonly path: string;
  readonly uuid: string;
  /** What opening found and did. */
  readonly recovery: Recovery;
  readonly #engine: Engine;
  readonly #growth: Growth;
  readonly #staging: Staging;
  readonly #handles = new Map<number, Subvolume>();
  readonly #closeParts: () => Promise<void>;
  #closed: Promise<void> | undefined;

  // Not internal: without it the published types would allow `new Host()`.
  /** Hosts come from {@link Host.open}. */
  constructor(parts: OpenedHost) {
    this.path = parts.path;
    this.uuid = parts.uuid;
    this.recovery = parts.recovery;
    this.#engine = parts.engine;
    this.#growth = parts.growth;
    this.#staging = new Staging(parts.engine);
    this.#closeParts = parts.close;
  }

  /**
   * Opens the store in a directory, after a crash too; with `create` it is made when there is none.
   *
   * @throws `ENOENT` no store there; `ELOCKED` somebody has it open; `ECORRUPT` it is damaged and
   * fsck should look; `ENOTSUP` a newer format; `EINVAL` an option that cannot be.
   */
  static async open(path: string, options: OpenHostOptions = {}): Promise<Host> {
    return new Host(await openHost(path, options));
  }

  /** A new, empty subvolume of `size` bytes. */
  async create(name: string, options: WaitOptions & { size: number }): Promise<Subvolume> {
    const size = checkWhole("size", options?.size, 1);
    return this.#changeFor(options, (planner) => planner.create(name, size));
  }

  /** The subvolume of that name, or `ENOENT`. */
  get(name: string): Subvolume {
    this.#engine.checkOpen();
    const entry = this.#engine.state.catalogue.named(checkName(name));
    if (!entry) {
      throw new BlockspaceError("ENOENT", `there is no subvolume "${name}"`, { subvolume: name });
    }
    return this.#handle(entry.id);
  }

  /** @internal The subvolume of an id, whatever it is called; nothing when it was deleted. */
  withId(id: number): Subvolume | undefined {
    this.#engine.checkOpen();
    return this.#engine.state.catalogue.get(id) && this.#handle(id);
  }

  /** All subvolumes, in the order in which they were made. */
  list(): SubvolumeInfo[] {
    this.#engine.checkOpen();
    const { catalogue } = this.#engine.state;
    return Array.from(catalogue.entries(), ({ name, id, size, readOnly, source, created }) => ({
      name,
      id,
      size,
      readOnly,
      source: catalogue.get(source)?.name ?? null,
      created: new Date(created),
    }));
  }

  /**
   * What each subvolume holds, by name. Looks at every map node and at every segment's record once,
   * however many share it.
   */
  usage(): Map<string, Usage> {
    this.#engine.checkOpen();
    return new UsageCount(this.#engine.state).turn()!;
  }

  /**
   * @internal As {@link usage}, for who serves others meanwhile: each call of what is returned
   * counts on for `turnMs` milliseconds, and the last one has the result.
   */
  usageInTurns(turnMs: number): () => Map<string, Usage> | undefined {
    let began = 0;
    const count = new UsageCount(this.#engine.state, () => performance.now() - began > turnMs);
    return () => {
      this.#engine.checkOpen();
      began = performance.now();
      return count.turn();
    };
  }

  /** A read-only subvolume that holds everything submitted to `source` before the call. */
  async snapshot(source: string, name: string, options: WaitOptions = {}): Promise<Subvolume> {
    return this.#changeFor(options, (planner) => planner.share("snapshot", source, name));
  }

  /** A writable subvolume that shares all blocks of `source` until either is written. */
  async clone(source: string, name: string, options: WaitOptions = {}): Promise<Subvolume> {
    return this.#changeFor(options, (planner) => planner.share("clone", source, name));
  }

  /** Takes a subvolume back to what a snapshot of it, or of a relative, holds; size included. */
  async rollback(name: string, snapshot: string, options: WaitOptions = {}): Promise<void> {
    await this.#change(options, (planner) => {
      const entry = planner.writable(planner.named(name).id);
      const source = planner.named(snapshot);
      if (!source.readOnly || source.family !== entry.family) {
        throw new BlockspaceError(
          "EINVAL",
          `"${snapshot}" is not a snapshot of "${name}" or of a subvolume it shares blocks with`,
          { subvolume: name },
        );
      }
      planner.rollback(entry, source);
      planner.afterwards(() => this.#staging.invalidate(entry.id));
    });
  }

  /** Gives a subvolume another name; what was made from it keeps its own, and handles stay good. */
  async rename(name: string, to: string, options: WaitOptions = {}): Promise<void> {
    await this.#change(options, (planner) => planner.rename(name, to));
  }

  /**
   * Deletes a subvolume, and nothing that was made from it. Returns at once; the space comes back
   * in the background. Later calls on its handle are refused with `ECLOSED`.
   */
  async delete(name: string, options: WaitOptions = {}): Promise<void> {
    await this.#change(options, (planner) => {
      const { id } = planner.delete(name);
      planner.afterwards(() => this.#forget(id));
    });
  }

  /** A subvolume has been deleted. */
  #forget(id: number): void {
    this.#staging.invalidate(id);
    this.#handles.delete(id);
  }

  /**
   * Carries out everything that `gather` calls on the transaction as one commit, durable when it
   * resolves; all of it or nothing. What `gather` returns is waited for, whosever promise it is.
   */
  async transact(
    gather: (transaction: Transaction) => void | PromiseLike<void>,
    options: WaitOptions = {},
  ): Promise<void> {
    checkWait(options);
    this.#engine.checkWritable();
    if (typeof gather !== "function") {
      throw new BlockspaceError("EINVAL", `transact() takes a function; given was ${show(gather)}`);
    }
    const forget = (id: number): void => this.#forget(id);
    const transaction = new Transaction(this.#engine, this.#staging, forget);
    try {
      // What gathers at once is ordered at once: nothing called after transact() comes before it.
      const gathering: unknown = gather(transaction);
      if (isThenable(gathering)) await untilAborted(gathering, options);
    } finally {
      transaction.end();
    }
    await this.#engine.submit(() => transaction.plan(), options.signal);
    await untilAborted(this.#engine.flush(), options);
  }

  /** Makes every change submitted so far durable. */
  async flush(options: WaitOptions = {}): Promise<void> {
    this.#engine.checkOpen();
    checkWait(options);
    await untilAborted(this.#engine.flush(), options);
  }

  /**
   * @internal As {@link flush}; calls between which nothing is changed get the same promise, and
   * are one caller.
   */
  flushTogether(): Promise<unknown> {
    this.#engine.checkOpen();
    return this.#engine.flush(true);
  }

  /**
   * @internal Begins what {@link flush} does, for one that is about to come and will tell of a
   * failure.
   */
  beginFlush(): void {
    this.#engine.beginFlush();
  }

  /** @internal {@link flush} would have nothing to do, and would not fail. */
  get isFlushed(): boolean {
    return this.#engine.isFlushed;
  }

  /** Writes the whole state down, so that the next opening replays nothing before this moment. */
  async checkpoint(options: WaitOptions = {}): Promise<void> {
    checkWait(options);
    this.#engine.checkWritable();
    const { sequencer, checkpointer } = this.#engine;
    const settled = sequencer.idle ? Promise.resolve() : sequencer.settled();
    await untilAborted(
      settled.then(() => checkpointer.runAnew()),
      options,
    );
  }

  /** Moves live blocks together, so that whole segments come free, and gives their space back. */
  async compact(options: WaitOptions = {}): Promise<CleanerReport> {
    checkWait(options);
    this.#engine.checkWritable();
    return compact(this.#engine, options.signal);
  }

  /**
   * Makes the store larger: `capacity` bytes for data, durable when it resolves. The store's own
   * data file is made longer, and so is a file that was given as `device`; a block device must have
   * the room already. There is no way back to less.
   *
   * @throws `EINVAL` for less than there is; `ENOSPC` where the block device is too small; `EIO`.
   */
  async grow(capacity: number, options: WaitOptions = {}): Promise<void> {
    await this.#growth.to(capacity, options);
  }

  /**
   * Ranges in which the contents of two subvolumes may differ, from their maps; changes made while
   * it is iterated are seen. With `within`, only what lies in that range, clipped to it.
   */
  diff(a: string, b: string, within?: ByteRange): Generator<ByteRange, void> {
    if (within !== undefined && (typeof within !== "object" || within === null)) {
      throw new BlockspaceError("EINVAL", `within is ${show(within)}; allowed is a byte range`);
    }
    const from = within ? checkWhole("offset", within.offset) : 0;
    const length = within ? checkWhole("length", within.length) : Infinity;
    return this.#diff(this.get(a), this.get(b), from, from + length);
  }

  /** Starts anew behind each range: a map that changes meanwhile gives its nodes up. */
  *#diff(a: Subvolume, b: Subvolume, from: number, to: number): Generator<ByteRange, void> {
    const { nodes, geometry, catalogue } = this.#engine.state;
    const { blockSize } = geometry;
    for (let at = Math.floor(from / blockSize); ;) {
      const size = Math.min(to, Math.max(a.size, b.size));
      const [left, right] = [catalogue.get(a.id)!, catalogue.get(b.id)!];
      const blocks = Math.ceil(size / blockSize);
      if (at >= blocks || from >= size) return;
      const range = differences(nodes, left.root, right.root, at, blocks).next().value;
      if (!range) return;
      at = range.vblock + range.count;
      const offset = Math.max(from, range.vblock * blockSize);
      yield { offset, length: Math.min(size, at * blockSize) - offset };
    }
  }

  /** The figures of this moment; what is counted is counted since the host was opened. */
  statistics(): Statistics {
    return hostStatistics(this.#engine);
  }

  /** Flushes, writes a checkpoint and lets go of the store. A second call waits for the first. */
  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const engine = this.#engine;
    try {
      await engine.stop();
      await this.#staging.settled();
      if (engine.readOnly) return;
      const { failure } = engine.health;
      if (failure && engine.state.lsn > engine.committer.durableLsn) throw failure;
      if (failure) return;
      await engine.committer.flush();
      if (engine.state.lsn > engine.checkpointer.lsn) await engine.checkpointer.run();
      await engine.releaser.giveBack();
    } finally {
      await this.#closeParts();
    }
  }

  async #change(options: WaitOptions, call: (planner: Planner) => void): Promise<void> {
    checkWait(options);
    await this.#engine.submit(() => {
      const planner = new Planner(this.#engine);
      call(planner);
      return planner.plan();
    }, options.signal);
  }

  /** As {@link #change}; returns the subvolume that it made, whatever happened to it since. */
  async #changeFor(options: WaitOptions, call: (planner: Planner) => number): Promise<Subvolume> {
    let made: Subvolume | undefined;
    await this.#change(options, (planner) => {
      const id = call(planner);
      planner.afterwards(() => (made = this.#handle(id)));
    });
    return made!;
  }

  #handle(id: number): Subvolume {
    const handle = this.#handles.get(id) ?? new Subvolume(this.#engine, this.#staging, id);
    this.#handles.set(id, handle);
    return handle;
  }
}

/** A promise of any maker: one of another realm, or of a library, is no instance of ours. */
function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    (typeof value === "object" || typeof value === "function") &&
    value !== null &&
    "then" in value &&
    typeof value.then === "function"
  );
}
