/**
 * The files of an LMDB environment, without LMDB: its options, whether its file can be one of
 * LMDB's at all, and a way to open it that leaves no trace. What stands here loads no native code,
 * so it serves those as well who have a child process read the environment for them.
 */
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import type { RootDatabaseOptionsWithPath } from "lmdb";
import { viewOf } from "../base/bytes.ts";
import { BlockspaceError } from "../base/errors.ts";
import { GiB } from "../base/units.ts";
import { FileDirectory } from "../device/file-directory.ts";

export const DATA_FILE = "data.mdb";
/** An environment has at least its two meta pages. */
const MIN_DATA_BYTES = 8192;
const META_PAGE = 8;
const LMDB_MAGIC = 0xbeefc0de;
const LMDB_VERSION = 2;

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
export async function checkHeader(path: string): Promise<number> {
  const directory = new FileDirectory(path);
  if (!(await directory.list()).includes(DATA_FILE)) refuse(path, "is not there");
  const data = await directory.open(DATA_FILE, "read");
  try {
    if (data.size < MIN_DATA_BYTES) refuse(path, `has only ${data.size} bytes`);
    const header = new Uint8Array(32);
    await data.read(header, 0);
    const view = viewOf(header);
    const meta = view.getUint16(18, true) === META_PAGE && view.getUint32(24, true) === LMDB_MAGIC;
    if (!meta || view.getUint32(28, true) !== LMDB_VERSION) refuse(path, "is not one of LMDB's");
    return data.size;
  } finally {
    await data.close();
  }
}

function refuse(path: string, reason: string): never {
  const file = join(path, DATA_FILE);
  throw new BlockspaceError("ECORRUPT", `the file ${file} ${reason}`, { path: file });
}
