/** System calls that change descriptors and no file, as steps on those of a traced program. */
import { numberOf, wordOf } from "./call-arguments.ts";
import { WORKING_FOLDER } from "./descriptors.ts";
import type { SystemCall } from "./strace-log.ts";
import type { TracedProgram } from "./traced-program.ts";

/** `dup`, `dup2`, `dup3` and what `fcntl` has of them. */
export function duplicated(program: TracedProgram, call: SystemCall): void {
  if (call.result === undefined || call.result < 0) return;
  const flags = call.name === "dup3" ? wordOf(call, 2) : call.name === "fcntl" && wordOf(call, 1);
  const closesOnExec = flags !== false && flags.includes("CLOEXEC");
  program.descriptors.duplicate(call.thread, numberOf(call, 0), call.result, closesOnExec);
}

/** `fcntl`: also what was said when the file was opened can be changed. */
export function control(program: TracedProgram, call: SystemCall): void {
  const request = wordOf(call, 1);
  if (request === "F_DUPFD" || request === "F_DUPFD_CLOEXEC") return duplicated(program, call);
  if (call.result !== 0) return;
  if (request === "F_SETFL") {
    const open = program.file(call);
    if (open) open.appends = wordOf(call, 2).includes("O_APPEND");
  }
  if (request === "F_SETFD") {
    const closesOnExec = wordOf(call, 2).includes("FD_CLOEXEC");
    program.descriptors.setClosesOnExec(call.thread, numberOf(call, 0), closesOnExec);
  }
}

export function closeRange(program: TracedProgram, call: SystemCall): void {
  const { descriptors } = program;
  const { thread } = call;
  const flags = wordOf(call, 2);
  if (flags.includes("CLOSE_RANGE_UNSHARE")) descriptors.part(thread);
  for (const number of descriptors.openIn(thread, numberOf(call, 0), numberOf(call, 1))) {
    if (flags.includes("CLOSE_RANGE_CLOEXEC")) descriptors.setClosesOnExec(thread, number, true);
    else descriptors.close(thread, number);
  }
}

/** The folder from which relative paths start. */
export function enter(program: TracedProgram, { thread }: SystemCall, path: string): void {
  const descriptor = { type: "folder", path } as const;
  program.descriptors.open(thread, WORKING_FOLDER, { descriptor, closesOnExec: false });
}
