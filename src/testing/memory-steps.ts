/** System calls by which a file may be changed through memory, which no log shows. */
import { numberOf, openPathOf, wordOf } from "./call-arguments.ts";
import { unseen, unseenWrite } from "./data-steps.ts";
import type { SystemCall } from "./strace-log.ts";
import type { TracedProgram } from "./traced-program.ts";

/** `mmap`: shared and writable from the start. */
export function mayWrite(program: TracedProgram, call: SystemCall): void {
  if (isShared(call) && wordOf(call, 2).includes("PROT_WRITE")) unseenWrite(program, call, 4);
}

/** Where it was put: it may be made writable later. */
export function mapped(program: TracedProgram, call: SystemCall): void {
  if (call.result === undefined || call.error !== undefined) return;
  const path = isShared(call) ? openPathOf(call, 4) : undefined;
  const inside = path === undefined ? undefined : program.inside(path);
  program.mappings.map(call.thread, call.result, numberOf(call, 1), inside);
}

function isShared(call: SystemCall): boolean {
  return wordOf(call, 3).includes("MAP_SHARED");
}

/** `mprotect`: what is mapped there already. */
export function madeWritable(program: TracedProgram, call: SystemCall): void {
  if (!wordOf(call, 2).includes("PROT_WRITE")) return;
  const paths = program.mappings.pathsIn(call.thread, numberOf(call, 0), numberOf(call, 1));
  for (const path of paths) unseen(program, call, path);
}

/** `mremap`: it is at another address, or of another length. */
export function moved(program: TracedProgram, call: SystemCall): void {
  if (call.result === undefined || call.error !== undefined) return;
  const { mappings } = program;
  const [path] = mappings.pathsIn(call.thread, numberOf(call, 0), 1);
  mappings.map(call.thread, call.result, numberOf(call, 2), path);
}
