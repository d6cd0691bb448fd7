/**
 * The main thread's end of the thread that commits to one LMDB environment (`lmdb-worker.js`).
 *
 * The thread is started by the first commit and ended by `close`; it keeps the process alive only
 * while a commit runs. Chunks are sent one by one, each after the answer to the one before, so that
 * the event loop turns in between and a commit needs the memory of one chunk, whatever its size.
 */
import { statfs } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import { BlockspaceError, messageOf } from "../base/errors.ts";
import { formatSize, MiB } from "../base/units.ts";
import { encodeKey } from "../format/checkpoint-key.ts";
import { kinds } from "../format/checkpoint-values.ts";
import { CLOSING_ID, encodeClosing } from "../format/closing-record.ts";
import { packChanges } from "./change-chunks.ts";
import type { Change, Closing } from "./environment.ts";
import { type CommitFlag, lower, newCommitFlag, raise } from "./exit-guard.ts";
import type { LmdbOptions } from "./lmdb-files.ts";

type Message =
  | { begin: { reset: boolean } }
  | { chunk: Uint8Array }
  | { closing: { key: Uint8Array; value: Uint8Array } }
  | { abandoned: true };
type Answer = { buffer: ArrayBuffer } | { done: true } | { done: false; error: Error };

/** What a commit writes beside its values: less than that left means that the disk was full. */
const SLACK_BYTES: number = MiB;

export class LmdbCommitter {
  readonly #path: string;
  readonly #options: LmdbOptions;
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

  /** The environment must stay open in this thread for as long as the committer is. */
  constructor(options: LmdbOptions) {
    this.#path = options.path;
    this.#options = options;
  }

  /** Durable when it resolves; `closing` is asked for when the last change has been taken. */
  async commit(changes: Iterable<Change>, reset: boolean, closing: () => Closing): Promise<void> {
    const worker = (this.#worker ??= this.#start());
    let bytes = SLACK_BYTES;
    worker.ref();
    raise(this.#flag, () => this.#post(worker, { abandoned: true }));
    try {
      await this.#send(worker, { begin: { reset } }, bytes);
      try {
        for (const chunk of packChanges(changes, this.#spare)) {
          bytes += chunk.length;
          await this.#send(worker, { chunk }, bytes, [chunk.buffer]);
        }
        const key = encodeKey(kinds.closing, CLOSING_ID);
        await this.#send(worker, { closing: { key, value: encodeClosing(closing()) } }, bytes);
      } catch (error) {
        await this.#giveUp(worker);
        throw error;
      }
    } finally {
      lower(this.#flag);
      worker.unref();
    }
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  /** Resolves when the thread has answered that it goes on, or that the commit is durable. */
  async #send(
    worker: Worker,
    message: Message,
    bytes: number,
    transfer: ArrayBuffer[] = [],
  ): Promise<void> {
    try {
      await new Promise<void>((resolve, reject) => {
        if (this.#death) throw this.#death;
        this.#answer = (error) => (error === undefined ? resolve() : reject(error));
        this.#post(worker, message, transfer);
      });
    } catch (cause) {
      throw await commitError(this.#path, bytes, cause);
    } finally {
      this.#answer = undefined;
    }
  }

  /** Ends the transaction, unless the thread has done so itself. */
  async #giveUp(worker: Worker): Promise<void> {
    if (Atomics.load(this.#flag, 0) === 0) return;
    await this.#send(worker, { abandoned: true }, 0).catch(() => undefined);
  }

  #post(worker: Worker, message: Message, transfer: ArrayBuffer[] = []): void {
    worker.postMessage(message, transfer);
    Atomics.add(this.#sent, 0, 1);
    Atomics.notify(this.#sent, 0);
  }

  #start(): Worker {
    const worker = new Worker(new URL("./lmdb-worker.js", import.meta.url), {
      name: "blockspace checkpoint",
      workerData: { options: this.#options, flag: this.#flag, sent: this.#sent },
      execArgv: [],
    });
    worker.on("message", (answer: Answer) => {
      if ("buffer" in answer) this.#spare.push(answer.buffer);
      else this.#answer?.(answer.done ? undefined : answer.error);
    });
    worker.on("error", (error) => this.#die(error));
    worker.on("exit", (code) => this.#die(new Error(`the thread ended with code ${code}`)));
    return worker;
  }

  #die(error: Error): void {
    this.#death ??= error;
    this.#answer?.(this.#death);
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
