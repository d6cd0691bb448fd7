/**
 * Checkpoints: the whole state as of one LSN into the environment whose turn it is, while commits
 * go on. The order is what makes it safe:
 *
 *  1. In one moment: the open batch is sealed, all pending data is taken for writing, and the state
 *     is frozen. The checkpoint's LSN is that of the sealed batch.
 *  2. The sealed batch becomes durable in the journal, which must never be behind a checkpoint.
 *  3. The data is written to its place and the data device is flushed. Meanwhile the environment
 *     takes what has changed, which is the sooner free to change again.
 *  4. The environment commits (on a worker thread) and its closing record is read back.
 *  5. Blocks that neither checkpoint refers to any more stop being busy (`releaser.ts`).
 *  6. Journal files behind the older of the two checkpoints are recycled.
 */
import { isBlockspaceError } from "../base/errors.ts";
import { commitDelta, type FrozenState } from "../checkpoint/delta.ts";
import type { Environment, OpenEnvironment } from "../checkpoint/environment.ts";
import type { Journal } from "../journal/journal.ts";
import type { Environments } from "../replay/environments.ts";
import type { State } from "../replay/state.ts";
import type { Committer } from "./committer.ts";
import type { Health } from "./health.ts";
import type { PendingData } from "./pending.ts";
import type { Releaser } from "./releaser.ts";

/** What a checkpoint brings together. */
export interface CheckpointerParts {
  state: State;
  journal: Journal;
  committer: Committer;
  pending: PendingData;
  health: Health;
  releaser: Releaser;
  openEnvironment: OpenEnvironment;
}

export class Checkpointer {
  readonly #parts: CheckpointerParts;
  readonly #environments: Environments;
  #running: Promise<void> | undefined;
  /** What the journal had written when it held all that the last checkpoint holds. */
  #journalBytesBefore = 0;
  /** Checkpoints since the host was opened. */
  count = 0;
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

  /** Journal bytes written behind the last checkpoint. */
  get journalBytesSince(): number {
    return this.#parts.journal.bytesWritten - this.#journalBytesBefore;
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
      await this.#parts.releaser.run();
      await journal.recycle(former);
      this.count++;
      this.onDone();
    } catch (cause) {
      throw health.failure ?? health.fail("a checkpoint", cause);
    }
  }

  /** Steps 1 to 4. */
  async #write(): Promise<void> {
    const { state, committer, pending, health } = this.#parts;
    const sealed = committer.sealAndFlush();
    const written = pending.writeOut();
    written.catch(() => undefined);
    const frozen = state.freeze();
    const secured = this.#secure(sealed, written);
    // It may fail before the environment has asked for it.
    const settled = secured.catch(() => undefined);
    try {
      // A failure is told at once: what it has to wait for below may take a while.
      await health.final("a checkpoint", this.#commit(frozen, secured));
    } finally {
      await settled;
    }
  }

  /** Step 4; nothing is committed before `secured` resolves. */
  async #commit(frozen: FrozenState, secured: Promise<number>): Promise<void> {
    const { state } = this.#parts;
    const environments = this.#environments;
    const { newest } = environments;
    const { target, reset } = await this.#turn();
    const lastChangedKeys = state.changedKeys;
    const epoch = environments.epoch + 1;
    await commitDelta({ target, newest, lastChangedKeys, frozen, reset }, epoch, secured);
    state.thaw(target);
    Object.assign(environments, { newest: target, epoch, lsn: frozen.lsn });
  }

  /** Steps 2 and 3; resolves with the checksum of the sealed batch's frame. */
  async #secure(sealed: Promise<number>, written: Promise<void>): Promise<number> {
    const { journal, pending } = this.#parts;
    const journalChecksum = await sealed;
    this.#journalBytesBefore = journal.bytesWritten;
    await written;
    await pending.flush();
    return journalChecksum;
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
