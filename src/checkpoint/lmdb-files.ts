/**
 * The files of an LMDB environment, without LMDB: its options, whether its file can be one of
 * LMDB's at all, and a way to open it that leaves no trace. What stands here loads no native code,
 * so it serves those as well who have a child process read the environment for them.
 */
import { lstat, mkdtemp, rm, stat, symlink } from "node:fs/promises";
import type { Stats } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { RootDatabaseOptionsWithPath } from "lmdb";
import { BlockspaceError } from "../base/errors.ts";
import { GiB } from "../base/units.ts";
import type { Device } from "../device/device.ts";
import { FileDirectory } from "../device/file-directory.ts";
import { codeOf, entryError } from "../device/medium-error.ts";
import { checkPages, isMetaPage } from "./lmdb-pages.ts";

export const DATA_FILE = "data.mdb";
export const LOCK_FILE = "lock.mdb";
/** An environment has at least its two meta pages. */
export const MIN_DATA_BYTES = 8192;

/** A part of the path that is not there, or is no directory, or a link that leads nowhere. */
const missing: readonly unknown[] = ["ENOENT", "ENOTDIR", "ELOOP"];

/** Not a cap: lmdb maps more when the file outgrows it. It is address space, not memory. */
const MAP_BYTES: number = 16 * GiB;

/** The types of lmdb do not know of every option. */
export interface LmdbOptions extends RootDatabaseOptionsWithPath {
  path: string;
  safeRestore: boolean;
}

/** The options for the environment in the directory `path`, for every thread that opens it. */
export function lmdbOptions(path: string, readOnly = false): LmdbOptions {
  return {
    path,
    readOnly,
    noSubdir: false,
    overlappingSync: false,
    safeRestore: true,
    encoding: "binary",
    keyEncoding: "binary",
    cache: false,
    compression: false,
    maxDbs: 1,
    mapSize: MAP_BYTES,
  };
}

/** True when there is an environment at `path`, sound or not. */
export async function isThere(path: string): Promise<boolean> {
  const names = await new FileDirectory(dirname(path)).list();
  return names.includes(basename(path));
}

/** True for a regular file, which no link has led to. */
export async function isRegularFile(path: string): Promise<boolean> {
  return (await entryAt(path))?.isFile() === true;
}

/** The lock file of the environment, when it is something else: opening it would end lmdb. */
export async function oddLock(path: string): Promise<string | undefined> {
  const file = join(path, LOCK_FILE);
  const stats = await entryAt(file);
  return stats && !stats.isFile() ? file : undefined;
}

function entryAt(path: string): Promise<Stats | undefined> {
  return lstat(path).catch((error: unknown) => {
    if (missing.includes(codeOf(error))) return undefined;
    throw entryError("opening", path, error);
  });
}

/** Calls `work` with a directory in which the environment at `path` can be opened to be read. */
export async function throughLink<T>(
  path: string,
  work: (link: string) => T | Promise<T>,
): Promise<T> {
  const link = await mkdtemp(join(tmpdir(), "blockspace-"));
  try {
    await symlink(join(path, DATA_FILE), join(link, DATA_FILE));
    return await work(link);
  } finally {
    await rm(link, { recursive: true });
  }
}

/** Bytes of the data file; `ECORRUPT` when it is missing, or does not begin as lmdb writes it. */
export function checkHeader(path: string): Promise<number> {
  return withDataFile(path, async (data) => {
    if (data.size < MIN_DATA_BYTES) refuse(path, `has only ${data.size} bytes`);
    const header = new Uint8Array(32);
    await data.read(header, 0);
    if (!isMetaPage(header)) refuse(path, "is not one of LMDB's");
    return data.size;
  });
}

/** As {@link checkHeader}, and looks for what takes the process down that goes on to use it. */
export async function checkFile(path: string): Promise<void> {
  await checkHeader(path);
  await withDataFile(path, checkPages);
}

/** Opens the data file for `work`; anything else in its place is damage like any other. */
async function withDataFile<T>(path: string, work: (data: Device) => Promise<T>): Promise<T> {
  const stats = await stat(join(path, DATA_FILE)).catch((error: unknown) => {
    if (!missing.includes(codeOf(error))) throw entryError("opening", path, error);
  });
  if (!stats) refuse(path, "is not there");
  if (!stats.isFile()) refuse(path, "is no file");
  const data = await new FileDirectory(path).open(DATA_FILE, "read");
  try {
    return await work(data);
  } finally {
    await data.close();
  }
}

function refuse(path: string, reason: string): never {
  const file = join(path, DATA_FILE);
  throw new BlockspaceError("ECORRUPT", `the file ${file} ${reason}`, { path: file });
}
