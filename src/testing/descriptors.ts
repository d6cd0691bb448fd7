/**
 * The descriptors of the processes in a system-call trace: what each number stands for at any
 * moment, and where in a file the next `write` goes.
 *
 * Threads of a process share one table; a forked process has a copy. What `dup` makes shares the
 * position of the original. Only what matters to the trace is kept: files and folders under its
 * directory, and the standard output of the program.
 */
import type { FoundFile } from "./disk.ts";
import { Inherited } from "./inherited.ts";
import type { SystemCall } from "./strace-log.ts";

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
  readonly #tables: Inherited<Table>;

  constructor(calls: readonly SystemCall[], workingFolder: string) {
    const first = (): Table => firstTable(workingFolder);
    this.#tables = new Inherited(calls, { flag: "CLONE_FILES", first, copy: copyOf });
  }

  get(thread: number, number: number): Descriptor | undefined {
    return this.#tables.get(thread).get(number)?.descriptor;
  }

  open(thread: number, number: number, entry: Entry): void {
    this.#tables.get(thread).set(number, entry);
  }

  close(thread: number, number: number): void {
    this.#tables.get(thread).delete(number);
  }

  /** Those that are open of a range of numbers. */
  openIn(thread: number, first: number, last: number): number[] {
    const numbers = [...this.#tables.get(thread).keys()];
    return numbers.filter((number) => number >= first && number <= last);
  }

  duplicate(thread: number, from: number, to: number, closesOnExec: boolean): void {
    if (from === to) return;
    const table = this.#tables.get(thread);
    table.set(to, { descriptor: table.get(from)?.descriptor, closesOnExec });
  }

  setClosesOnExec(thread: number, number: number, closesOnExec: boolean): void {
    const table = this.#tables.get(thread);
    const entry = table.get(number);
    // A copy of the table may have the same entry.
    if (entry) table.set(number, { ...entry, closesOnExec });
  }

  /** A new program: some are closed, and none is shared any more. */
  execute(thread: number): void {
    const kept = [...this.#tables.get(thread)].filter(([, { closesOnExec }]) => !closesOnExec);
    this.#tables.set(thread, new Map(kept));
  }

  /** A thread or a process is born: what its parent opens later is not in a copy. */
  begin(thread: number): void {
    this.#tables.get(thread);
  }

  /** A thread takes a table of its own. */
  part(thread: number): void {
    this.#tables.part(thread);
  }
}

function firstTable(workingFolder: string): Table {
  const folder: Descriptor = { type: "folder", path: workingFolder };
  return new Map([
    [STANDARD_OUTPUT, { descriptor: { type: "output" }, closesOnExec: false }],
    [WORKING_FOLDER, { descriptor: folder, closesOnExec: false }],
  ]);
}

function copyOf(table: Table): Table {
  return new Map(table);
}
