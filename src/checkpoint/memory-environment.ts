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
import { CLOSING_ID, decodeClosing, encodeClosing } from "../format/closing-record.ts";
import { CommitGuard } from "./commit-guard.ts";
import type { Change, Closing, Environment, OpenEnvironment } from "./environment.ts";
import { Tally } from "./tally.ts";

export interface MemoryOptions {
  /**
   * Called at the boundary of every commit. When it throws `before`, nothing has changed; `after`,
   * the table has changed but the caller sees a failure, as in a crash right after.
   */
  onCommit?: (name: "a" | "b", phase: "before" | "after") => void;
}

/** Kind, then id. Values are never changed in place, so that copies may share them. */
type Table = Map<number, Map<number, Uint8Array>>;

/** Environments `a` and `b` of one store. */
export class MemoryEnvironments {
  readonly #tables: Record<"a" | "b", Table> = { a: new Map(), b: new Map() };
  /** Opens an environment; its table outlives `close`. */
  readonly open: OpenEnvironment;

  constructor(options: MemoryOptions = {}) {
    this.open = async (name, anew = false) => {
      if (anew) this.#tables[name].clear();
      return new MemoryEnvironment(name, this.#tables[name], (phase) =>
        options.onCommit?.(name, phase),
      );
    };
  }

  /**
   * What is left when the process dies now; later commits on either side do not show on the other.
   */
  copy(options: MemoryOptions = {}): MemoryEnvironments {
    const copy = new MemoryEnvironments(options);
    for (const name of ["a", "b"] as const) {
      for (const [kind, values] of this.#tables[name]) {
        copy.#tables[name].set(kind, new Map(values));
      }
    }
    return copy;
  }
}

class MemoryEnvironment implements Environment {
  readonly name: "a" | "b";
  readonly #table: Table;
  readonly #atBoundary: (phase: "before" | "after") => void;
  readonly #guard: CommitGuard;

  constructor(name: "a" | "b", table: Table, atBoundary: (phase: "before" | "after") => void) {
    this.name = name;
    this.#table = table;
    this.#atBoundary = atBoundary;
    this.#guard = new CommitGuard(`checkpoint ${name} in memory`);
  }

  closing(): Closing | undefined {
    const value = this.get(kinds.closing, CLOSING_ID);
    return value && decodeClosing(value);
  }

  get(kind: number, id: number): Uint8Array | undefined {
    this.#guard.checkOpen();
    return this.#table.get(kind)?.get(id);
  }

  *scan(kind: number): Generator<{ id: number; value: Uint8Array }> {
    this.#guard.checkOpen();
    const snapshot = [...(this.#table.get(kind) ?? [])].toSorted(([a], [b]) => a - b);
    for (const [id, value] of snapshot) {
      this.#guard.checkOpen();
      yield { id, value };
    }
  }

  commit(
    changes: Iterable<Change>,
    state: { epoch: number; lsn: number; reset: boolean },
  ): Promise<Closing> {
    return this.#guard.commit(async () => {
      this.#boundary("before");
      const tally = state.reset
        ? new Tally(undefined, () => undefined)
        : new Tally(this.closing(), (kind, id) => this.#table.get(kind)?.get(id));
      const staged = [...tally.over(changes)];
      const closing = encodeClosing(tally.closing(state.epoch, state.lsn));
      // As on disk, others get a turn before the commit is done; nothing can fail from here on.
      await Promise.resolve();
      if (state.reset) this.#table.clear();
      for (const change of staged) this.#apply(change);
      this.#apply({ kind: kinds.closing, id: CLOSING_ID, value: closing });
      this.#boundary("after");
      return decodeClosing(closing);
    });
  }

  close(): Promise<void> {
    return this.#guard.close(async () => {});
  }

  #apply({ kind, id, value }: Change): void {
    if (value === null) {
      this.#table.get(kind)?.delete(id);
      return;
    }
    let values = this.#table.get(kind);
    if (!values) this.#table.set(kind, (values = new Map()));
    values.set(id, value);
  }

  #boundary(phase: "before" | "after"): void {
    try {
      this.#atBoundary(phase);
    } catch (cause) {
      const message = `the commit of checkpoint ${this.name} failed: ${messageOf(cause)}`;
      throw new BlockspaceError("EIO", message, { cause });
    }
  }
}
