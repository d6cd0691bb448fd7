/** System calls that change, flush or read the bytes of files, as steps on the simulated disk. */
import { statSync } from "node:fs";
import { bytesOf, numberOf, offsetOf, openPathOf, wordOf } from "./call-arguments.ts";
import type { Descriptor, OpenFile } from "./descriptors.ts";
import type { FlushScope } from "./operation.ts";
import type { SystemCall } from "./strace-log.ts";
import { SAID, type TracedProgram } from "./traced-program.ts";

/** Where a write goes: without an offset where the file stands, or as the file was opened. */
interface Place {
  offset?: number | undefined;
  /** In spite of how the file was opened. */
  appends?: boolean | undefined;
}

/** At an offset, or where the file stands; to standard output as well. */
export function write(program: TracedProgram, call: SystemCall, place: Place = {}): void {
  const descriptor = program.descriptor(call);
  if (!descriptor || descriptor.type === "folder") return unseenWrite(program, call, 0);
  put(program, descriptor, bytesOf(call, 1).subarray(0, call.result ?? Infinity), place);
}

/** As {@link write}; the offset -1 is no offset, and a flag may say whether it appends. */
export function writeWithFlags(program: TracedProgram, call: SystemCall): void {
  const offset = numberOf(call, 3);
  const flags = wordOf(call, 4);
  // Not every strace has a name for RWF_NOAPPEND.
  const isAnywhere = flags.includes("RWF_NOAPPEND") || (unnamed(flags) & RWF_NOAPPEND) !== 0;
  const appends = flags.includes("RWF_APPEND") ? true : isAnywhere ? false : undefined;
  write(program, call, { offset: offset < 0 ? undefined : offset, appends });
}

const RWF_NOAPPEND = 0x20;

/** Those of flags that strace has no names for. */
function unnamed(flags: string): number {
  return Number(/0x[\da-f]+/.exec(flags)?.[0] ?? 0);
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
  const target = program.descriptor(call, indices.to);
  const offset = offsetOf(call, indices.fromAt);
  const at = offset ?? source?.position ?? 0;
  // Its place moves also where the bytes go elsewhere.
  if (source && offset === undefined) source.position += call.result ?? 0;
  if (!source || program.isUnseen(source.file.path) || !target || target.type === "folder") {
    return unseenWrite(program, call, indices.to);
  }
  const most = Math.max(0, program.disk.sizeOf(source.file.node) - at);
  const bytes = new Uint8Array(Math.min(call.result ?? numberOf(call, indices.count), most));
  program.disk.read(source.file, bytes, at);
  const toAt = indices.toAt === undefined ? undefined : offsetOf(call, indices.toAt);
  put(program, target, bytes, { offset: toAt });
}

/** From a pipe to a file or back: what is in a pipe is not known. */
export function splice(program: TracedProgram, call: SystemCall): void {
  const source = program.file(call, 0);
  if (source && offsetOf(call, 1) === undefined) source.position += call.result ?? 0;
  unseenWrite(program, call, 2);
}

function put(
  program: TracedProgram,
  target: Exclude<Descriptor, { type: "folder" }>,
  bytes: Uint8Array,
  place: Place,
): void {
  if (target.type === "output") return program.say(bytes);
  const at = placeOf(program, target, place);
  if (bytes.length > 0) program.disk.write(target.file, bytes, at);
  if (place.offset === undefined) target.position = at + bytes.length;
}

/** Linux appends also where an offset is given. */
function placeOf(program: TracedProgram, open: OpenFile, { offset, appends }: Place): number {
  if (appends ?? open.appends) return program.disk.sizeOf(open.file.node);
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
  // The offset -1 is the place of the file.
  if (call.name === "preadv2" && BigInt(wordOf(call, 3)) !== MINUS_ONE) return;
  const open = program.file(call);
  if (open && call.result !== undefined && call.result > 0) open.position += call.result;
}

const MINUS_ONE: bigint = 2n ** 64n - 1n;

/** It gets another size. */
export function resize(program: TracedProgram, call: SystemCall): void {
  const open = program.file(call);
  if (open) program.disk.resize(open.file, numberOf(call, 1));
  else unseenWrite(program, call, 0);
}

/** What `fallocate` is asked for and leaves every byte at its place. */
const FOLLOWED_MODES: ReadonlySet<string> = new Set([
  "0",
  "FALLOC_FL_KEEP_SIZE",
  "FALLOC_FL_PUNCH_HOLE",
  "FALLOC_FL_ZERO_RANGE",
  "FALLOC_FL_UNSHARE_RANGE",
]);

export function allocate(program: TracedProgram, call: SystemCall): void {
  const open = program.file(call);
  const mode = wordOf(call, 1);
  const [offset, length] = [numberOf(call, 2), numberOf(call, 3)];
  const isFollowed = mode.split("|").every((one) => FOLLOWED_MODES.has(one));
  if (!open || !isFollowed) return unseenWrite(program, call, 0);
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

/** The file system of a descriptor is made durable; only where it is that of the directory. */
export function flushFileSystem(program: TracedProgram, call: SystemCall, calledAt: number): void {
  if (call.result !== 0) return;
  const path = openPathOf(call, 0);
  const isOurs =
    path !== undefined && (program.inside(path) !== undefined || isSame(path, program));
  if (isOurs) flushAll(program, "", calledAt);
}

function isSame(path: string, { directory }: TracedProgram): boolean {
  const found = statSync(path, { throwIfNoEntry: false });
  return found?.dev === statSync(directory).dev;
}

/** Bytes that the log does not show go to the file of a descriptor, or to standard output. */
export function unseenWrite(program: TracedProgram, call: SystemCall, index: number): void {
  if (program.descriptor(call, index)?.type === "output") return program.noteUnseen(call, SAID);
  const path = openPathOf(call, index);
  if (path !== undefined) unseen(program, call, program.inside(path));
}

/** `path` as of {@link TracedProgram.inside}: what happens elsewhere does not matter. */
export function unseen(program: TracedProgram, call: SystemCall, path: string | undefined): void {
  if (path !== undefined) program.noteUnseen(call, path);
}
