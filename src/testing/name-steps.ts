/**
 * System calls that open, make, move and remove files and folders, as steps on the simulated disk.
 */
import { isEmptyPath } from "./call-arguments.ts";
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
  const isKnown = from !== undefined && program.disk.find(from) !== undefined;
  if (isKnown && to !== undefined) program.disk.link(from, to);
  // By a name outside it may be written to as well.
  else unseen(program, call, to ?? from);
}

/** A file that has no name, or a name that nobody sees, gets one. */
export function linkAt(program: TracedProgram, call: SystemCall): void {
  const [from, to] = [program.path(call, 1, 0), program.path(call, 3, 2)];
  if (isEmptyPath(call, 1)) unseen(program, call, to);
  else link(program, call, from, to);
}

/** A regular file, or something that is neither file nor folder. */
export function makeNode(
  program: TracedProgram,
  call: SystemCall,
  path: string | undefined,
  mode: string,
): void {
  if (path === undefined) return;
  if (/S_IF(?!REG)/.test(mode)) unseen(program, call, path);
  else program.disk.createFile(path);
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
