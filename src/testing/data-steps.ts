/** System calls that change, flush or read the bytes of files, as steps on the simulated disk. */
import { bytesOf, numberOf, offsetOf, openPathOf, wordOf } from "./call-arguments.ts";
import type { Descriptor, OpenFile } from "./descriptors.ts";
import type { FlushScope } from "./operation.ts";
import type { SystemCall } from "./strace-log.ts";
import type { TracedProgram } from "./traced-program.ts";

/** At an offset, or where the file stands; to standard output as well. */
export function write(program: TracedProgram, call: SystemCall, offset?: number): void {
  const descriptor = program.descriptors.get(call.thread, numberOf(call, 0));
  if (!descriptor || descriptor.type === "folder") return unseenWrite(program, call, 0);
  put(program, descriptor, bytesOf(call, 1).subarray(0, call.result ?? Infinity), offset);
}

/**
 * The system copies bytes from one file to another. The log does not show them, but where all that
 * happened to the source is known, so are they. `from` and `to` are the indices of the descriptors,
 * `at` those of their offsets.
 */
export function copy(
  program: TracedProgram,
  call: SystemCall,
  indices: { from: number; fromAt: number; to: number; toAt?: number; count: number },
): void {
  const source = program.file(call, indices.from);
  const target = program.descriptors.get(call.thread, numberOf(call, indices.to));
  if (!source || program.isUnseen(source.file.path) || !target || target.type === "folder") {
    return unseenWrite(program, call, indices.to);
  }
  const offset = offsetOf(call, indices.fromAt);
  const at = offset ?? source.position;
  const most = Math.max(0, program.disk.sizeOf(source.file.node) - at);
  const bytes = new Uint8Array(Math.min(call.result ?? numberOf(call, indices.count), most));
  program.disk.read(source.file, bytes, at);
  if (offset === undefined) source.position = at + bytes.length;
  const toAt = indices.toAt === undefined ? undefined : offsetOf(call, indices.toAt);
  put(program, target, bytes, toAt);
}

function put(
  program: TracedProgram,
  target: Exclude<Descriptor, { type: "folder" }>,
  bytes: Uint8Array,
  offset: number | undefined,
): void {
  if (target.type === "output") return program.say(bytes);
  const at = placeOf(program, target, offset);
  if (bytes.length > 0) program.disk.write(target.file, bytes, at);
  if (offset === undefined) target.position = at + bytes.length;
}

/** Linux appends also where an offset is given. */
function placeOf(program: TracedProgram, open: OpenFile, offset?: number): number {
  if (open.appends) return program.disk.sizeOf(open.file.node);
  return offset ?? open.position;
}

/** A write has returned: with `O_DSYNC` it is durable now, it alone. */
export function writtenThrough(program: TracedProgram, call: SystemCall, calledAt: number): void {
  const open = program.file(call);
  if (!open || call.error !== undefined || !call.result) return;
  const flags = call.name === "pwritev2" ? wordOf(call, 4) : "";
  if (open.writesThrough || /RWF_D?SYNC/.test(flags)) {
    program.disk.flush(open.file, { only: calledAt });
  }
}

/** Reading moves the place at which the next write goes. */
export function advance(program: TracedProgram, call: SystemCall): void {
  const open = program.file(call);
  if (open && call.result !== undefined && call.result > 0) open.position += call.result;
}

export function allocate(program: TracedProgram, call: SystemCall): void {
  const open = program.file(call);
  if (!open) return;
  const mode = wordOf(call, 1);
  const [offset, length] = [numberOf(call, 2), numberOf(call, 3)];
  if (/COLLAPSE|INSERT/.test(mode)) return unseenWrite(program, call, 0);
  const size = program.disk.sizeOf(open.file.node);
  const keepsSize = mode.includes("FALLOC_FL_KEEP_SIZE");
  if (/PUNCH_HOLE|ZERO_RANGE/.test(mode)) {
    const end = Math.min(offset + length, keepsSize ? size : Infinity);
    if (end > offset) program.disk.discard(open.file, offset, end - offset);
  }
  if (!keepsSize && offset + length > size) program.disk.resize(open.file, offset + length);
}

/** A flush of a file or a sync of a folder, which may have failed. */
export function flush(program: TracedProgram, call: SystemCall, calledAt: number): void {
  if (call.result === undefined) return;
  const folder = program.folder(call);
  if (folder !== undefined && call.error === undefined) {
    program.disk.syncFolder(folder, { calledAt });
  }
  const open = program.file(call);
  if (!open) return;
  if (call.error === undefined) program.disk.flush(open.file, { calledAt });
  else failFlush(program, open, call.error, { calledAt });
}

function failFlush(program: TracedProgram, open: OpenFile, code: string, scope: FlushScope): void {
  const { disk } = program;
  disk.onOperation = () => ({ type: "fail", code });
  try {
    disk.flush(open.file, scope);
  } catch {
    // As it did for the program.
  } finally {
    disk.onOperation = undefined;
  }
}

/** Everything in a folder and below. */
export function flushAll(program: TracedProgram, folder: string, calledAt: number): void {
  program.disk.syncFolder(folder, { calledAt });
  for (const name of program.disk.list(folder)) {
    const path = folder === "" ? name : `${folder}/${name}`;
    const found = program.disk.find(path);
    if (found?.is === "folder") flushAll(program, path, calledAt);
    else if (found) program.disk.flush({ node: found.node, path }, { calledAt });
  }
}

/** Bytes that the log does not show go to the file of a descriptor. */
export function unseenWrite(program: TracedProgram, call: SystemCall, index: number): void {
  const path = openPathOf(call, index);
  if (path !== undefined) unseen(program, call, program.inside(path));
}

/** `path` as of {@link TracedProgram.inside}: what happens elsewhere does not matter. */
export function unseen(program: TracedProgram, call: SystemCall, path: string | undefined): void {
  if (path !== undefined) program.noteUnseen(call, path);
}
