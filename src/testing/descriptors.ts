/**
 * The descriptors of the processes in a system-call trace: what each number stands for at any
 * moment, and where in a file the next `write` goes.
 *
 * Threads of a process share one table; a forked process has a copy. What `dup` makes shares the
 * position of the original. Only what matters to the trace is kept: files and folders under its
 * directory, and the standard output of the program.
 */
import type { FoundFile } from "./disk.ts";
import type { Argument, SystemCall } from "./strace-log.ts";

export interface OpenFile {
  type: "file";
  file: FoundFile;
  /** Where the next read or write goes that names no offset. */
  position: number;
  appends: boolean;
  /** A write is durable when it returns (`O_DSYNC`, `O_SYNC`). */
  writesThrough: boolean;
}

export type Descriptor = OpenFile | { type: "folder"; path: string } | { type: "output" };

interface Entry {
  /** `undefined` for what is of no interest. */
  descriptor: Descriptor | undefined;
  closesOnExec: boolean;
}

type Table = Map<number, Entry>;

const STANDARD_OUTPUT = 1;
/** `AT_FDCWD`: the folder from which relative paths start, kept as one more descriptor. */
export const WORKING_FOLDER: number = -100;

export class Descriptors {
  readonly #tables = new Map<number, Table>();
  /** The thread that made each thread, and whether the two share their descriptors. */
  readonly #origins = new Map<number, { parent: number; shared: boolean }>();

  readonly #workingFolder: string;

  /** Looks for the births of threads ahead, since a child may act before its `clone` returns. */
  constructor(calls: readonly SystemCall[], workingFolder: string) {
    this.#workingFolder = workingFolder;
    for (const { thread, name, args, result } of calls) {
      if (!isClone(name) || result === undefined || result <= 0) continue;
      const shared = flagsOf(args).includes("CLONE_FILES");
      this.#origins.set(result, { parent: thread, shared });
    }
  }

  get(thread: number, number: number): Descriptor | undefined {
    return this.#table(thread).get(number)?.descriptor;
  }

  open(thread: number, number: number, entry: Entry): void {
    this.#table(thread).set(number, entry);
  }

  close(thread: number, number: number): void {
    this.#table(thread).delete(number);
  }

  duplicate(thread: number, from: number, to: number, closesOnExec: boolean): void {
    if (from === to) return;
    const table = this.#table(thread);
    table.set(to, { descriptor: table.get(from)?.descriptor, closesOnExec });
  }

  /** A new program: some are closed, and none is shared any more. */
  execute(thread: number): void {
    const kept = [...this.#table(thread)].filter(([, { closesOnExec }]) => !closesOnExec);
    this.#tables.set(thread, new Map(kept));
  }

  /** A thread or a process is born: what its parent opens later is not in a copy. */
  begin(thread: number): void {
    this.#table(thread);
  }

  #table(thread: number): Table {
    let table = this.#tables.get(thread);
    if (!table) {
      const origin = this.#origins.get(thread);
      const parents = origin && this.#table(origin.parent);
      if (parents) table = origin.shared ? parents : new Map(parents);
      else table = this.#first();
      this.#tables.set(thread, table);
    }
    return table;
  }

  #first(): Table {
    const folder: Descriptor = { type: "folder", path: this.#workingFolder };
    return new Map([
      [STANDARD_OUTPUT, { descriptor: { type: "output" }, closesOnExec: false }],
      [WORKING_FOLDER, { descriptor: folder, closesOnExec: false }],
    ]);
  }
}

/** Whether a call makes a thread or a process. */
function isClone(name: string): boolean {
  return name === "clone" || name === "clone3" || name === "fork" || name === "vfork";
}

function flagsOf(args: readonly Argument[]): string {
  return args
    .map((arg) => {
      if (arg.type === "word") return arg.text;
      const flags = arg.type === "fields" ? arg.fields.get("flags") : undefined;
      return flags?.type === "word" ? flags.text : "";
    })
    .join(" ");
}
