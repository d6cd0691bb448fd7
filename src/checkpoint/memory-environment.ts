/**
 * The checkpoint environments of a store in memory: the twin of LMDB that most tests and the crash
 * harness run on. It keeps the promises of `environment.ts` and nothing else; what it holds dies
 * with the process.
 *
 * A crash is simulated with `copy()`: the copy holds what a process would find that opens the store
 * after this one was killed now. A hook stops a commit just before it takes effect, or just after.
 */
import { BlockspaceError, messageOf } from "../base/errors.ts";
import { kinds } from "../format/checkpoint-values.ts";
import {
  CLOSING_ID,
  decodeClosing,
  decodeOwnClosing,
  encodeClosing,
} from "../format/closing-record.ts";
import { STORE_ID_BYTES } from "../format/superblock.ts";
import { CommitGuard } from "./commit-guard.ts";
import type {
  Change,
  Closing,
  CommitOptions,
  Environment,
  OpenEnvironment,
} from "./environment.ts";
import { Tally } from "./tally.ts";

export interface MemoryOptions {
  /**
   * Called at the boundary of every commit. When it throws `before`, nothing has changed; `after`,
   * the table has changed but the caller sees a failure, as in a crash right after.
   */
  onCommit?: (name: "a" | "b", phase: "before" | "after") => void;
  /** Where the tables are kept; in two variables unless told. */
  cells?: Record<"a" | "b", TableCell>;
}

/** Kind, then id. Never changed once it is in a cell, so that copies may share it. */
export type Table = ReadonlyMap<number, ReadonlyMap<number, Uint8Array>>;

/** Keeps a whole table, which is replaced at once; `fingerprint` is the same for equal tables. */
export interface TableCell {
  get(): Table;
  set(table: Table, fingerprint: number): void;
}

/** Environments `a` and `b` of one store. */
export class MemoryEnvironments {
  readonly #cells: Record<"a" | "b", TableCell>;
  /** Opens an environment as whosever it is; its table outlives `close`. */
  readonly open: OpenEnvironment;
  /** Opens environments of one store, as its host does. */
  readonly openFor: (storeId: Uint8Array | undefined) => OpenEnvironment;

  constructor(options: MemoryOptions = {}) {
    this.#cells = options.cells ?? { a: variable(new Map()), b: variable(new Map()) };
    this.openFor =
      (storeId) =>
      async (name, anew = false) => {
        const cell = this.#cells[name];
        if (anew && cell.get().size > 0) cell.set(new Map(), 0);
        const atBoundary = (phase: "before" | "after"): void => options.onCommit?.(name, phase);
        return new MemoryEnvironment(name, cell, storeId, atBoundary);
      };
    this.open = this.openFor(undefined);
  }

  /**
   * What is left when the process dies now; later commits on either side do not show on the other.
   */
  copy(options: MemoryOptions = {}): MemoryEnvironments {
    const { a, b } = this.#cells;
    const cells = { a: variable(a.get()), b: variable(b.get()) };
    return new MemoryEnvironments({ ...options, cells });
  }
}

function variable(table: Table): TableCell {
  let current = table;
  return { get: () => current, set: (next) => void (current = next) };
}

class MemoryEnvironment implements Environment {
  readonly name: "a" | "b";
  readonly #cell: TableCell;
  /** `undefined`: whosever it is, it stays so. */
  readonly #storeId: Uint8Array | undefined;
  readonly #atBoundary: (phase: "before" | "after") => void;
  readonly #guard: CommitGuard;

  constructor(
    name: "a" | "b",
    cell: TableCell,
    storeId: Uint8Array | undefined,
    atBoundary: (phase: "before" | "after") => void,
  ) {
    this.name = name;
    this.#cell = cell;
    this.#storeId = storeId;
    this.#atBoundary = atBoundary;
    this.#guard = new CommitGuard(`checkpoint ${name} in memory`);
  }

  closing(): Closing | undefined {
    const value = this.get(kinds.closing, CLOSING_ID);
    return value && decodeOwnClosing(value, this.#owner);
  }

  get(kind: number, id: number): Uint8Array | undefined {
    this.#guard.checkOpen();
    return this.#cell.get().get(kind)?.get(id);
  }

  *scan(kind: number): Generator<{ id: number; value: Uint8Array }> {
    this.#guard.checkOpen();
    const snapshot = [...(this.#cell.get().get(kind) ?? [])].toSorted(([a], [b]) => a - b);
    for (const [id, value] of snapshot) {
      this.#guard.checkOpen();
      yield { id, value };
    }
  }

  commit(changes: Iterable<Change>, options: CommitOptions): Promise<Closing> {
    const { epoch, lsn, reset, last } = options;
    return this.#guard.commit(async () => {
      const storeId = this.#owner;
      const tally = reset
        ? new Tally(undefined, () => undefined)
        : new Tally(this.closing(), (kind, id) => this.#cell.get().get(kind)?.get(id));
      const staged: Change[] = [];
      for (const change of tally.over(changes)) {
        staged.push(change);
        // As on disk, others get a turn before all is taken.
        await Promise.resolve();
      }
      staged.push(...tally.over((await last?.()) ?? []));
      this.#boundary("before");
      const closing = tally.closing(epoch, lsn);
      const value = encodeClosing({ ...closing, storeId });
      // As on disk, others get a turn before the commit is done; nothing can fail from here on.
      await Promise.resolve();
      const record = { kind: kinds.closing, id: CLOSING_ID, value };
      const before = reset ? new Map<number, never>() : this.#cell.get();
      this.#replace(changed(before, [...staged, record]), closing);
      this.#boundary("after");
      return closing;
    });
  }

  close(): Promise<void> {
    return this.#guard.close(async () => {});
  }

  get #owner(): Uint8Array {
    const value = this.get(kinds.closing, CLOSING_ID);
    const owner = this.#storeId ?? (value && decodeClosing(value).storeId);
    return owner ?? new Uint8Array(STORE_ID_BYTES);
  }

  #replace(table: Table, { epoch, lsn, digest }: Closing): void {
    const fingerprint = (digest + epoch * 0x9e3779b1 + lsn * 0x85ebca6b) % 2 ** 53;
    try {
      this.#cell.set(table, fingerprint);
    } catch (cause) {
      throw this.#failed(cause);
    }
  }

  #boundary(phase: "before" | "after"): void {
    try {
      this.#atBoundary(phase);
    } catch (cause) {
      throw this.#failed(cause);
    }
  }

  #failed(cause: unknown): BlockspaceError {
    const message = `the commit of checkpoint ${this.name} failed: ${messageOf(cause)}`;
    return new BlockspaceError("EIO", message, { cause });
  }
}

/** The table after some changes; what they leave alone is shared. */
function changed(before: Table, changes: readonly Change[]): Table {
  const after = new Map(before);
  const copied = new Map<number, Map<number, Uint8Array>>();
  for (const { kind, id, value } of changes) {
    let values = copied.get(kind);
    if (!values) {
      values = new Map(before.get(kind));
      copied.set(kind, values);
      after.set(kind, values);
    }
    if (value === null) values.delete(id);
    else values.set(id, value);
  }
  return after;
}
