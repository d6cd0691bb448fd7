/**
 * The main thread's end of the thread that commits to a store's LMDB environments, to one at a time
 * (`lmdb-worker.js`).
 *
 * The thread is started by a commit when there is none, and ended by `end`; it keeps the process
 * alive only while a commit runs. Chunks are sent one by one, each after the answer to the one
 * before, so that the event loop turns in between and a commit needs the memory of one chunk,
 * whatever its size.
 */
import { statfs } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { BlockspaceError, messageOf } from "../base/errors.ts";
import { formatSize, MiB } from "../base/units.ts";
import { encodeKey } from "../format/checkpoint-key.ts";
import { kinds } from "../format/checkpoint-values.ts";
import { CLOSING_ID, type ClosingRecord, encodeClosing } from "../format/closing-record.ts";
import { packChanges } from "./change-chunks.ts";
import type { Change, LastChanges } from "./environment.ts";
import { type CommitFlag, lower, newCommitFlag, raise } from "./exit-guard.ts";
import type { LmdbOptions } from "./lmdb-files.ts";

type Message =
  | { begin: { options: LmdbOptions; reset: boolean } }
  | { chunk: Uint8Array }
  | { closing: { key: Uint8Array; value: Uint8Array } }
  | { abandoned: true };
type Answer = { buffer: ArrayBuffer } | { done: true } | { done: false; error: Error };

/** What a commit writes beside its values: less than that left means that the disk was full. */
const SLACK_BYTES: number = MiB;

/** What a commit writes: these changes, then those of `last`, then the closing record. */
export interface LmdbCommit {
  /** Of the environment, which must stay open in this thread until the commit is done. */
  options: LmdbOptions;
  reset: boolean;
  changes: Iterable<Change>;
  last: LastChanges;
  closing: () => ClosingRecord;
}

/** What the thread makes is gone at once; without a limit V8 takes some MiB more for it. */
const YOUNG_GENERATION_MIB = 2;

export class LmdbCommitter {
  #worker: Worker | undefined;
  /** Ends the wait for an answer; `undefined` when none is awaited. */
  #answer: ((error?: Error) => void) | undefined;
  /** Raised while the thread commits. */
  readonly #flag: CommitFlag = newCommitFlag();
  /** Changes with every message, so that a thread within a transaction can wait for one. */
  readonly #sent = new Int32Array(new SharedArrayBuffer(4));
  /** Memory of a chunk that has come back. */
  readonly #spare: ArrayBuffer[] = [];
  /** Why the thread is no more. */
  #death: Error | undefined;
  /** Resolves when no commit runs. */
  #before: Promise<unknown> = Promise.resolve();

  /** Durable when it resolves; commits follow each other. */
  async commit(commit: LmdbCommit): Promise<void> {
    const done = this.#before.then(() => this.#commit(commit));
    this.#before = done.catch(() => undefined);
    return done;
  }

  async #commit({ options, reset, changes, last, closing }: LmdbCommit): Promise<void> {
    const worker = (this.#worker ??= this.#start());
    let bytes = SLACK_BYTES;
    const send = async (message: Message, transfer?: ArrayBuffer[]): Promise<void> => {
      try {
        await this.#send(worker, message, transfer);
      } catch (cause) {
        throw await commitError(options.path, bytes, cause);
      }
    };
    const sendAll = async (some: Iterable<Change>): Promise<void> => {
      for (const chunk of packChanges(some, this.#spare)) {
        bytes += chunk.length;
        await send({ chunk }, [chunk.buffer]);
      }
    };
    worker.ref();
    raise(this.#flag, () => this.#post(worker, { abandoned: true }));
    try {
      await send({ begin: { options, reset } });
      try {
        await sendAll(changes);
        await sendAll(await last());
        const key = encodeKey(kinds.closing, CLOSING_ID);
        await send({ closing: { key, value: encodeClosing(closing()) } });
      } catch (error) {
        await this.#giveUp(worker);
        throw error;
      }
    } finally {
      lower(this.#flag);
      worker.unref();
    }
  }

  /** Ends the thread, which has the environments of all its commits open; the next starts one. */
  async end(): Promise<void> {
    await this.#before;
    const worker = this.#worker;
    this.#worker = undefined;
    this.#death = undefined;
    await worker?.terminate();
  }

  /** Resolves when the thread has answered that it goes on, or that the commit is durable. */
  async #send(worker: Worker, message: Message, transfer: ArrayBuffer[] = []): Promise<void> {
    try {
      await new Promise<void>((resolve, reject) => {
        if (this.#death) throw this.#death;
        this.#answer = (error) => (error === undefined ? resolve() : reject(error));
        this.#post(worker, message, transfer);
      });
    } finally {
      this.#answer = undefined;
    }
  }

  /** Ends the transaction, unless the thread has done so itself. */
  async #giveUp(worker: Worker): Promise<void> {
    if (Atomics.load(this.#flag, 0) === 0) return;
    await this.#send(worker, { abandoned: true }).catch(() => undefined);
  }

  #post(worker: Worker, message: Message, transfer: ArrayBuffer[] = []): void {
    worker.postMessage(message, transfer);
    Atomics.add(this.#sent, 0, 1);
    Atomics.notify(this.#sent, 0);
  }

  #start(): Worker {
    const worker = new Worker(new URL("./lmdb-worker.js", import.meta.url), {
      name: "blockspace checkpoint",
      workerData: { flag: this.#flag, sent: this.#sent },
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MIB },
    });
    worker.on("message", (answer: Answer) => {
      if ("buffer" in answer) this.#spare.push(answer.buffer);
      else this.#answer?.(answer.done ? undefined : answer.error);
    });
    const die = (error: Error): void => {
      // One that was ended does not concern the next.
      if (this.#worker !== worker) return;
      this.#death ??= error;
      this.#answer?.(this.#death);
    };
    worker.on("error", die);
    worker.on("exit", (code) => die(new Error(`the thread ended with code ${code}`)));
    return worker;
  }
}

/** LMDB reports a full disk as an input/output error, so the file system is asked as well. */
async function commitError(path: string, bytes: number, cause: unknown): Promise<BlockspaceError> {
  const space = await statfs(path).catch(() => undefined);
  const free = space ? space.bavail * space.bsize : Infinity;
  const full = free < bytes ? `; ENOSPC: its file system has ${formatSize(free)} left` : "";
  const message = `the commit of checkpoint ${path} failed: ${messageOf(cause)}${full}`;
  return new BlockspaceError("EIO", message, { path, cause });
}
