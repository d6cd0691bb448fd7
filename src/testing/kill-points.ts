/**
 * The places at which a program is killed: the calls by which it changes its directory or speaks.
 */
import { relative, resolve, sep } from "node:path";
import { wordsOf } from "./call-arguments.ts";
import type { SystemCall } from "./strace-log.ts";

export interface KillPoint {
  call: string;
  /** The file, folder or entry that it is about; `null` for standard output. */
  path: string | null;
  /** As the program names it, where that is not the whole path. */
  alias?: string;
  /** Which call of this name on this path it is in its thread, from 1, as strace counts. */
  ordinal: number;
  where: string;
}

/** Calls whose strings are names of files. */
const nameCalls: readonly string[] = (
  "open openat openat2 creat mknod mknodat rename renameat renameat2 link linkat unlink unlinkat " +
  "rmdir mkdir mkdirat symlink symlinkat truncate"
).split(" ");

const dataCalls: readonly string[] = (
  "write writev pwrite64 pwritev pwritev2 ftruncate fallocate fsync fdatasync syncfs " +
  "sync_file_range copy_file_range sendfile splice"
).split(" ");

/** Calls that change files, make changes durable, or tell others of them. */
export const killCalls: readonly string[] = [...nameCalls, ...dataCalls];

/**
 * Those of a first run, in the order of its calls, with paths relative to the directory. Two
 * threads that both come to their k-th call of a name on one path make one point of it.
 */
export function killPointsOf(calls: readonly SystemCall[], directory: string): KillPoint[] {
  const counts = new Map<string, number>();
  const points = new Map<string, KillPoint>();
  for (const call of calls) {
    const subject = subjectOf(call, directory);
    if (!subject) continue;
    const of = `${call.name} of ${subject.path ?? "standard output"}`;
    const ordinal = (counts.get(`${call.thread} ${of}`) ?? 0) + 1;
    counts.set(`${call.thread} ${of}`, ordinal);
    const where = `${call.name} #${ordinal} of ${subject.path ?? "standard output"}`;
    if (points.has(where) || (call.name.startsWith("open") && !makesSomething(call))) continue;
    points.set(where, { call: call.name, ...subject, ordinal, where });
  }
  return [...points.values()];
}

/** What the call is about, when that is in the directory or standard output. */
function subjectOf(
  call: SystemCall,
  directory: string,
): Pick<KillPoint, "path" | "alias"> | undefined {
  const name = nameCalls.includes(call.name) ? nameOf(call, directory) : undefined;
  const [first] = call.args;
  if (/^writev?$/.test(call.name) && first?.type === "word" && first.text === "1") {
    return { path: null };
  }
  const paths = call.args.map((arg) => (arg.type === "word" ? arg.path : undefined));
  const subject = name?.path ?? paths.find((path) => path !== undefined && within(path, directory));
  if (subject === undefined || !within(subject, directory)) return undefined;
  const path = relative(directory, subject);
  return name && name.text !== subject ? { path, alias: name.text } : { path };
}

/** The first name in the arguments, from the folder whose descriptor stands before it. */
function nameOf(call: SystemCall, directory: string): { path: string; text: string } | undefined {
  const index = call.args.findIndex(({ type }) => type === "bytes");
  const [name, folder] = [call.args[index], call.args[index - 1]];
  if (name?.type !== "bytes") return undefined;
  const text = Buffer.from(name.bytes).toString("utf8");
  const base = folder?.type === "word" ? folder.path : undefined;
  return { path: resolve(base ?? directory, text), text };
}

function within(path: string, directory: string): boolean {
  return path === directory || path.startsWith(directory + sep);
}

function makesSomething(call: SystemCall): boolean {
  return wordsOf(call).some((word) => /O_(?:CREAT|TRUNC)/.test(word));
}
