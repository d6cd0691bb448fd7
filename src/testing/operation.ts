/**
 * What happens on a simulated disk: the operations that a program asks for, the effects that each
 * has, and the trace that a recording keeps of them.
 *
 * An **operation** is announced before it happens, so that a hook can count it, or answer with a
 * {@link Fault}. Its **effects** are what a crash may lose. A **trace** is the list of everything
 * that had an effect, in the order in which it was issued, and of the program's own marks; a crash
 * falls between two of its entries.
 */
import type { CellImage, NodeNumber } from "./disk-image.ts";

export interface Operation {
  kind:
    /** Asking for a descriptor has no effect, but may fail, as with `EMFILE`. */
    | "open"
    | "read"
    | "write"
    | "resize"
    | "flush"
    | "discard"
    | "create"
    | "remove"
    | "rename"
    | "sync"
    /** Of a cell. */
    | "commit";
  /** The file or entry; for `sync` the folder, for `rename` the name that it had. */
  path: string;
  /** For `rename`, the name that it gets. */
  to?: string;
  /** Bytes; both for `read`, `write` and `discard`, and the length (the size) for `create`. */
  offset?: number;
  length?: number;
}

/** What becomes of an operation that does not simply succeed. */
export type Fault =
  /**
   * It fails with this code. What it did before: nothing, or all of it; a failed flush may have
   * made anything durable, and what it did not make durable no later flush will.
   */
  | { type: "fail"; code: string; effect?: "none" | "all" }
  /** Only the first bytes are read or written; the count is returned. */
  | { type: "short"; bytes: number }
  /** It is said to have been done, and was not: a lost write, a flush that lies. */
  | { type: "lie" }
  /** The bytes are read from, or written to, another offset of the file. */
  | { type: "misdirect"; offset: number }
  /** One bit of the bytes read or written is the other way round. */
  | { type: "flip"; bit: number }
  /** It is done only after so many turns of the event loop; nothing to a synchronous call. */
  | { type: "delay"; turns: number };

/**
 * Called before the operation happens. When it throws, the operation fails with that error and has
 * no effect.
 */
export type OnOperation = (operation: Operation) => Fault | undefined | void;

/** A name in a folder. */
export interface NamePlace {
  folder: NodeNumber;
  name: string;
}

export interface NameChange {
  drop?: NamePlace;
  put?: NamePlace & { node: NodeNumber; is: "file" | "folder" };
}

/** Bytes for a place in a file; `null` stands for zeroes. */
export interface DataEffect {
  type: "data";
  file: NodeNumber;
  offset: number;
  length: number;
  bytes: Uint8Array | null;
}

/** What a flush covers, where that is not all that was done before its entry. */
export interface FlushScope {
  /** Entries there were when it was called, where others came before its end. */
  calledAt?: number;
  /** The index of the one operation that it covers: a write that itself waits for the medium. */
  only?: number;
}

export type Effect =
  | DataEffect
  | { type: "size"; file: NodeNumber; size: number }
  | ({ type: "names" } & NameChange)
  | ({ type: "flushed"; file: NodeNumber } & FlushScope)
  /** The system has forgotten what was not durable yet: no later flush covers it. */
  | ({ type: "flushFailed"; file: NodeNumber } & FlushScope)
  | { type: "synced"; folder: NodeNumber; calledAt?: number }
  | { type: "syncFailed"; folder: NodeNumber; calledAt?: number }
  | { type: "cell"; name: string; cell: CellImage };

const changes: ReadonlySet<Effect["type"]> = new Set(["data", "size", "names", "cell"]);

/** One entry of a trace. */
export interface TraceEntry {
  /** From 0. */
  index: number;
  operation: Operation | { kind: "mark"; value: unknown };
  effects: readonly Effect[];
  /**
   * Entries there were when its call returned (or its promise resolved), `Infinity` while it has
   * not: a flush covers only what was done before it was called, and only when it has returned.
   */
  doneAt: number;
}

/** Whether something on the disk is not as it was before, durable or not. */
export function isChange({ effects }: TraceEntry): boolean {
  return effects.some(({ type }) => changes.has(type));
}

/** The values of the marks among the first `count` entries. */
export function marksOf(trace: readonly TraceEntry[], count: number = trace.length): unknown[] {
  const marks: unknown[] = [];
  for (const { operation } of trace.slice(0, count)) {
    if (operation.kind === "mark") marks.push(operation.value);
  }
  return marks;
}
