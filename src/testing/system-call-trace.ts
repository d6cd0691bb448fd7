/**
 * Makes the trace of a simulated disk from the system calls of a real program, in any language: it
 * runs once under strace, and what it did to one directory is played again on a disk that records.
 * From the trace every crash state of the directory can be made, written out with `writeImage`, and
 * opened by the real program again.
 *
 * Each line that the program writes to its standard output becomes a mark in the trace, in its
 * place among the calls: let it say what it holds for durable, and when.
 *
 * Not to be seen are stores into memory that is mapped shared and writable, from the start or by
 * `mprotect`, bytes that the system itself brings from files elsewhere (`copy_file_range`,
 * `sendfile`), from pipes (`splice`) or as reflinks, symbolic links, files without a name
 * (`O_TMPFILE`), and names that come from outside or lead there. Where the log shows one of them on
 * a file of the directory, the trace is refused, unless the file's content does not matter to
 * anybody. So it is where a program uses io_uring or `io_submit`, or `chroot`, at all, which count
 * as the directory itself, and where what it says comes from such a place.
 */
import { realpath } from "node:fs/promises";
import { BlockspaceError } from "../base/errors.ts";
import { readImage } from "./directory-image.ts";
import { SimulatedDisk } from "./disk.ts";
import type { SystemCall } from "./strace-log.ts";
import { type ProgramEnd, type ProgramToRun, runUnderStrace } from "./strace.ts";
import { atEnd, atStart, rawCalls, tracedCalls } from "./system-call-steps.ts";
import { TracedProgram, type UnseenChange } from "./traced-program.ts";

export interface TraceOptions extends ProgramToRun {
  /**
   * The directory whose files are followed, also the one in which the program starts. What it holds
   * before is the start of the trace, and counts as durable.
   */
  directory: string;
  /** What a line of standard output means as a mark; without it the line itself. */
  mark?: (line: string) => unknown;
  /**
   * Files that may change unseen, such as a lock file that no crash needs to keep; by their path
   * relative to the directory.
   */
  mayChangeUnseen?: (path: string) => boolean;
  /** The most that one write may hold; 16 MiB unless told. */
  maxWriteBytes?: number;
}

export interface SystemCallTrace extends ProgramEnd {
  /** Whose files were followed, without symbolic links in its path. */
  directory: string;
  /** Its `start` and its `trace` are what crash states are made from. */
  disk: SimulatedDisk;
  /** What happened unseen to files that may change so. */
  unseen: readonly UnseenChange[];
  /** All calls that were followed. */
  calls: readonly SystemCall[];
}

/**
 * Runs a program to its end and returns its trace. `ENOTSUP` where strace is missing, `EINVAL`
 * where files changed unseen.
 */
export async function traceSystemCalls(options: TraceOptions): Promise<SystemCallTrace> {
  const directory = await realpath(options.directory);
  const disk = new SimulatedDisk({ image: await readImage(directory), record: true });
  const end = await runUnderStrace({
    ...options,
    directory,
    calls: tracedCalls,
    raw: rawCalls,
    ...(options.maxWriteBytes === undefined ? {} : { maxBytes: options.maxWriteBytes }),
  });
  const mark = options.mark ?? ((line) => line);
  const program = new TracedProgram(disk, directory, end.calls, (line) => disk.mark(mark(line)));
  replay(program, end.calls);
  const unseen = program.unseen.filter(({ path }) => !(options.mayChangeUnseen?.(path) ?? false));
  if (unseen.length > 0) {
    const list = unseen.map(({ call, path }) => `${call} of "${path}"`).join(", ");
    throw new BlockspaceError("EINVAL", `files changed in ways that no trace shows: ${list}`);
  }
  return { ...end, directory, disk, unseen: program.unseen };
}

/** Takes both moments of every call in the order of the log. */
function replay(program: TracedProgram, calls: readonly SystemCall[]): void {
  const { trace } = program.disk;
  const moments = calls.flatMap((call) => [
    { line: call.startedAt, call, starts: true },
    { line: call.endedAt, call, starts: false },
  ]);
  // Equal lines stay as they are: a call that stands on one line starts and ends.
  moments.sort((one, other) => (one.line === other.line ? 0 : one.line - other.line));
  const underWay = new Map<SystemCall, { calledAt: number; issued: number }>();
  for (const { call, starts, line } of moments) {
    if (line === Infinity) break;
    if (starts) {
      const calledAt = trace.length;
      if (call.error === undefined) atStart[call.name]?.(program, call, calledAt);
      underWay.set(call, { calledAt, issued: trace.length });
      // Until it returns, no flush covers it.
      for (const entry of trace.slice(calledAt)) entry.doneAt = Infinity;
    } else {
      const { calledAt, issued } = underWay.get(call)!;
      for (const entry of trace.slice(calledAt, issued)) entry.doneAt = trace.length;
      atEnd[call.name]?.(program, call, calledAt);
      underWay.delete(call);
    }
  }
}
