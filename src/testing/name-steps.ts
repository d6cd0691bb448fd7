/**
 * System calls that open, make, move and remove files and folders, as steps on the simulated disk.
 */
import { numberOf, wordOf } from "./call-arguments.ts";
import { unseen } from "./data-steps.ts";
import type { SystemCall } from "./strace-log.ts";
import type { TracedProgram } from "./traced-program.ts";

/** What opening with these flags makes or empties. */
export function create(
  program: TracedProgram,
  call: SystemCall,
  path: string | undefined,
  flags: string,
): void {
  const { disk } = program;
  const inside = call.resultPath === undefined ? path : program.inside(call.resultPath);
  if (inside === undefined) return;
  if (flags.includes("O_TMPFILE")) return unseen(program, call, inside);
  const found = disk.find(inside);
  if (!found && flags.includes("O_CREAT")) disk.createFile(inside);
  if (found?.is === "file" && flags.includes("O_TRUNC")) {
    if (disk.sizeOf(found.node) > 0) disk.resize({ node: found.node, path: inside }, 0);
  }
}

/** It is open, and has a descriptor. */
export function opened(program: TracedProgram, call: SystemCall, flags: string): void {
  const { thread, result, resultPath } = call;
  if (result === undefined || result < 0) return;
  const closesOnExec = flags.includes("O_CLOEXEC");
  const path = resultPath === undefined ? undefined : program.inside(resultPath);
  const found = path === undefined ? undefined : program.disk.find(path);
  if (path === undefined || !found) {
    if (path !== undefined) unseen(program, call, path);
    return program.descriptors.open(thread, result, { descriptor: undefined, closesOnExec });
  }
  if (found.is === "folder") {
    const descriptor = { type: "folder", path: resultPath! } as const;
    return program.descriptors.open(thread, result, { descriptor, closesOnExec });
  }
  const descriptor = {
    type: "file",
    file: { node: found.node, path },
    position: 0,
    appends: flags.includes("O_APPEND"),
    writesThrough: /O_D?SYNC/.test(flags),
  } as const;
  program.descriptors.open(thread, result, { descriptor: { ...descriptor }, closesOnExec });
}

/** `dup`, `dup2`, `dup3` and what `fcntl` has of them. */
export function duplicated(program: TracedProgram, call: SystemCall): void {
  if (call.result === undefined || call.result < 0) return;
  const flags = call.name === "dup3" ? wordOf(call, 2) : call.name === "fcntl" && wordOf(call, 1);
  const closesOnExec = flags !== false && flags.includes("CLOEXEC");
  program.descriptors.duplicate(call.thread, numberOf(call, 0), call.result, closesOnExec);
}

export function rename(
  program: TracedProgram,
  call: SystemCall,
  from: string | undefined,
  to: string | undefined,
): void {
  if (from !== undefined && to !== undefined) program.disk.rename(from, to);
  else unseen(program, call, from ?? to);
}

export function link(
  program: TracedProgram,
  call: SystemCall,
  from: string | undefined,
  to: string | undefined,
): void {
  if (from !== undefined && to !== undefined) program.disk.link(from, to);
  else unseen(program, call, to);
}

export function remove(
  program: TracedProgram,
  path: string | undefined,
  is: "file" | "folder",
): void {
  if (path !== undefined) program.disk.remove(path, is);
}

export function makeFolder(program: TracedProgram, path: string | undefined): void {
  if (path !== undefined) program.disk.createFolder(path);
}
