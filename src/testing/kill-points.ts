/** The places at which a program is killed: the calls by which it changes its directory or speaks. */
import { resolve, sep } from "node:path";
import type { Argument, SystemCall } from "./strace-log.ts";

export interface KillPoint {
  call: string;
  /** Which call of this name it is in its thread, from 1, as strace counts. */
  ordinal: number;
  where: string;
}

/** Calls whose strings are names of files. */
const nameCalls: readonly string[] = [
  ...["open", "openat", "creat", "rename", "renameat", "renameat2", "link", "linkat", "unlink"],
  ...["unlinkat", "rmdir", "mkdir", "mkdirat", "symlink", "symlinkat", "truncate"],
];

/** Calls that change files, make changes durable, or tell others of them. */
export const killCalls: readonly string[] = [
  ...nameCalls,
  ...["write", "writev", "pwrite64", "pwritev", "pwritev2", "ftruncate", "fallocate"],
  ...["fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync"],
  ...["copy_file_range", "sendfile", "splice"],
];

/**
 * Those of a first run, in the order of its calls. Two threads that both come to their k-th call of
 * a name make one point of it.
 */
export function killPointsOf(calls: readonly SystemCall[], directory: string): KillPoint[] {
  const counts = new Map<string, number>();
  const points = new Map<string, KillPoint>();
  for (const call of calls) {
    const counted = `${call.thread} ${call.name}`;
    const ordinal = (counts.get(counted) ?? 0) + 1;
    counts.set(counted, ordinal);
    const what = subjectOf(call, directory);
    const key = `${call.name} ${ordinal}`;
    if (what === undefined || points.has(key)) continue;
    points.set(key, { call: call.name, ordinal, where: `${call.name} #${ordinal} (${what})` });
  }
  return [...points.values()];
}

/** What the call is about, when that is in the directory or standard output. */
function subjectOf(call: SystemCall, directory: string): string | undefined {
  if (/^open/.test(call.name) && !call.args.some(makesSomething)) return undefined;
  if (call.name === "sync" || call.name === "msync") return "everything";
  for (const arg of call.args) {
    const path = pathOf(call, arg, directory);
    if (path === directory) return ".";
    if (path?.startsWith(directory + sep)) return path.slice(directory.length + 1);
  }
  const [first] = call.args;
  const speaks = /^writev?$/.test(call.name) && first?.type === "word" && first.text === "1";
  return speaks ? "standard output" : undefined;
}

function makesSomething(arg: Argument): boolean {
  return arg.type === "word" && /O_(?:CREAT|TRUNC)/.test(arg.text);
}

/** A descriptor's path, or a name; relative ones are taken from the directory. */
function pathOf({ name }: SystemCall, arg: Argument, directory: string): string | undefined {
  if (arg.type === "word") return arg.text === "AT_FDCWD" ? undefined : arg.path;
  if (arg.type !== "bytes" || !nameCalls.includes(name)) return undefined;
  return resolve(directory, Buffer.from(arg.bytes).toString("utf8"));
}
