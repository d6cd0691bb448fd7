/**
 * Files in the memory of the processes of a system-call trace. What is mapped shared and writable
 * changes its file unseen; what is mapped shared to be read may be made writable afterwards, and
 * that call names an address and no file.
 *
 * What is unmapped is not looked for: another mapping takes its place before the address can be
 * made writable again.
 */
import { Inherited } from "./inherited.ts";
import type { SystemCall } from "./strace-log.ts";

interface Mapping {
  start: number;
  end: number;
  /** Of the file. */
  path: string;
}

export class Mappings {
  readonly #of: Inherited<Mapping[]>;

  constructor(calls: readonly SystemCall[]) {
    this.#of = new Inherited(calls, { flag: "CLONE_VM", first: () => [], copy: copyOf });
  }

  /** `path` where a file is mapped shared; whatever was there before is there no more. */
  map(thread: number, start: number, length: number, path: string | undefined): void {
    const mappings = this.#of.get(thread);
    const end = start + length;
    const left = mappings.flatMap((other) => without(other, start, end));
    if (path !== undefined) left.push({ start, end, path });
    mappings.splice(0, Infinity, ...left);
  }

  /** The files that are mapped shared in a range. */
  pathsIn(thread: number, start: number, length: number): string[] {
    const end = start + length;
    const found = this.#of.get(thread).filter((one) => one.start < end && start < one.end);
    return found.map(({ path }) => path);
  }

  /** A new program has nothing mapped. */
  execute(thread: number): void {
    this.#of.set(thread, []);
  }

  /** A thread or a process is born. */
  begin(thread: number): void {
    this.#of.get(thread);
  }
}

/** What a range leaves of a mapping. */
function without({ path, ...old }: Mapping, start: number, end: number): Mapping[] {
  const before = { start: old.start, end: Math.min(old.end, start), path };
  const behind = { start: Math.max(old.start, end), end: old.end, path };
  return [before, behind].filter((one) => one.start < one.end);
}

function copyOf(mappings: readonly Mapping[]): Mapping[] {
  return [...mappings];
}
