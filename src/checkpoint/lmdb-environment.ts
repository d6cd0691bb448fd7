/**
 * A checkpoint environment on disk: one LMDB environment in a directory of its own, `a` or `b`.
 *
 * The main thread has it open to read, synchronously; a worker thread has the same environment open
 * to commit (lmdb shares it within a process), so that `fdatasync` never blocks the event loop.
 * What the worker has committed counts as done when the main thread, in a fresh read transaction,
 * has read the closing record back.
 *
 * The changes of a commit are taken over several turns of the event loop, so their source must not
 * change meanwhile. What it puts can be read a moment before `commit` resolves. A scan sees the
 * state it began with and pins its pages, so none should be left unfinished.
 */
import { join, resolve } from "node:path";
import { BlockspaceError } from "../base/errors.ts";
import { CHECKPOINT_KEY_BYTES, decodeKey, encodeKey, MAX_ID } from "../format/checkpoint-key.ts";
import { kinds } from "../format/checkpoint-values.ts";
import { CLOSING_ID, decodeOwnClosing } from "../format/closing-record.ts";
import { CommitGuard } from "./commit-guard.ts";
import type {
  Change,
  Closing,
  CommitOptions,
  Environment,
  OpenEnvironment,
} from "./environment.ts";
import { LmdbCommitter } from "./lmdb-committer.ts";
import {
  type Database,
  lmdbError,
  openDatabase,
  openReadOnly,
  removeDatabase,
} from "./lmdb-database.ts";
import { lmdbOptions } from "./lmdb-files.ts";
import { Tally } from "./tally.ts";

export interface LmdbEnvironmentOptions {
  /** The store that they belong to; one of another store is taken for damaged. */
  storeId: Uint8Array;
  /** Creates and changes nothing on disk; an environment that is not there is an empty one. */
  readOnly?: boolean;
}

/** The two environments in `directory`, which is `checkpoint/` of a store. */
export function lmdbEnvironments(
  directory: string,
  { storeId, readOnly = false }: LmdbEnvironmentOptions,
): OpenEnvironment {
  const committer = readOnly ? undefined : new LmdbCommitter();
  return async (name, anew = false) => {
    const path = resolve(join(directory, name));
    try {
      if (anew) await removeDatabase(path);
      const db = await (readOnly ? openReadOnly(path) : openDatabase(path));
      return new LmdbEnvironment(name, path, storeId, db, committer);
    } catch (error) {
      throw lmdbError(path, error);
    }
  };
}

/** Takes an environment away, sound or not, without looking into it. */
export function removeEnvironment(directory: string, name: "a" | "b"): Promise<void> {
  return removeDatabase(resolve(join(directory, name)));
}

type Scan = Iterator<{ key: Uint8Array; value: Uint8Array }>;

class LmdbEnvironment implements Environment {
  readonly name: string;
  readonly #path: string;
  readonly #storeId: Uint8Array;
  /** `undefined` when the environment is read-only and not there. */
  readonly #db: Database | undefined;
  /** Both environments of a store share one. */
  readonly #committer: LmdbCommitter | undefined;
  readonly #guard: CommitGuard;
  readonly #key: Uint8Array = new Uint8Array(CHECKPOINT_KEY_BYTES);
  /** Scans that have begun and not ended: lmdb must not be closed under them. */
  readonly #scans = new Set<Scan>();

  constructor(
    name: string,
    path: string,
    storeId: Uint8Array,
    db: Database | undefined,
    committer: LmdbCommitter | undefined,
  ) {
    this.name = name;
    this.#path = path;
    this.#storeId = storeId;
    this.#db = db;
    this.#committer = committer;
    this.#guard = new CommitGuard(`checkpoint ${path}`);
  }

  closing(): Closing | undefined {
    this.#guard.checkOpen();
    return this.#closing();
  }

  get(kind: number, id: number): Uint8Array | undefined {
    this.#guard.checkOpen();
    return this.#get(kind, id);
  }

  *scan(kind: number): Generator<{ id: number; value: Uint8Array }> {
    this.#guard.checkOpen();
    const range = { start: encodeKey(kind, 0), end: encodeKey(kind, MAX_ID), inclusiveEnd: true };
    const scan = this.#read((db) => db.getRange(range)[Symbol.iterator]());
    if (!scan) return;
    this.#scans.add(scan);
    try {
      for (;;) {
        this.#guard.checkOpen();
        const step = this.#read(() => scan.next());
        if (!step || step.done) return;
        yield { id: decodeKey(step.value.key).id, value: step.value.value };
      }
    } finally {
      this.#endScan(scan);
    }
  }

  async commit(changes: Iterable<Change>, options: CommitOptions): Promise<Closing> {
    const { epoch, lsn, reset, last } = options;
    const committer = this.#committer;
    if (!committer) {
      const message = `checkpoint ${this.#path} is open for reading only`;
      throw new BlockspaceError("EROFS", message, { path: this.#path });
    }
    return this.#guard.commit(async () => {
      const tally = reset
        ? new Tally(undefined, () => undefined)
        : new Tally(this.#closing(), (kind, id) => this.#peek(kind, id));
      const closing = (): Closing => tally.closing(epoch, lsn);
      await committer.commit({
        options: lmdbOptions(this.#path),
        reset,
        changes: tally.over(changes),
        last: async () => tally.over((await last?.()) ?? []),
        closing: () => ({ ...closing(), storeId: this.#storeId }),
      });
      return this.#readBack(closing());
    });
  }

  close(): Promise<void> {
    return this.#guard.close(async () => {
      for (const scan of this.#scans) this.#endScan(scan);
      // The thread goes first, so that lmdb takes the environment down in the thread that reads it.
      await this.#committer?.end();
      await this.#db?.close();
    });
  }

  #closing(): Closing | undefined {
    const value = this.#get(kinds.closing, CLOSING_ID);
    return value && decodeOwnClosing(value, this.#storeId);
  }

  /** A copy of the value. */
  #get(kind: number, id: number): Uint8Array | undefined {
    return this.#read((db) => db.getBinary(encodeKey(kind, id, this.#key)));
  }

  /** The value without a copy: the next get, of whichever environment, overwrites it. */
  #peek(kind: number, id: number): Uint8Array | undefined {
    return this.#read((db) => db.getBinaryFast(encodeKey(kind, id, this.#key)));
  }

  #readBack(written: Closing): Closing {
    this.#read((db) => db.resetReadTxn());
    const found = this.#closing();
    const same = (Object.keys(written) as (keyof Closing)[]).every(
      (k) => found?.[k] === written[k],
    );
    if (found && same) return found;
    const [wrote, reads] = [JSON.stringify(written), JSON.stringify(found)];
    const message = `checkpoint ${this.#path} reads back ${reads} where ${wrote} was written`;
    throw new BlockspaceError("ECORRUPT", message, { path: this.#path });
  }

  #read<T>(work: (db: Database) => T): T | undefined {
    try {
      return this.#db && work(this.#db);
    } catch (error) {
      throw lmdbError(this.#path, error);
    }
  }

  #endScan(scan: Scan): void {
    if (this.#scans.delete(scan)) scan.return?.();
  }
}
