/**
 * Opening one LMDB environment on disk: with which options, how it comes into being, and how it is
 * read without leaving a trace.
 *
 * **Options.** `overlappingSync: false`, because otherwise lmdb goes back to its last flushed state
 * only when the machine has booted since, which a lost cache does not imply. Keys and values are
 * plain bytes; nothing is cached, compressed or encoded.
 *
 * **Creation.** LMDB writes its first two pages without a flush, so a loss of power could leave a
 * file that is no environment at all. It is therefore made under another name, flushed, and
 * renamed: a directory that is there holds a sound, if empty, environment, or is damaged. That much
 * is checked here, because lmdb takes the process down with it over a header that it does not know.
 * (So it may over damage further in; a file that there is reason to doubt belongs into a child
 * process.)
 *
 * **Reading only.** A reader of LMDB writes to `lock.mdb`, creating it if need be. To leave the
 * store as it is, the environment is opened through a symbolic link to its data file in a temporary
 * directory, where the lock file then goes; once it is open, the directory is removed. Writers do
 * not learn of such a reader from LMDB: the lock of the store must keep them away. (Where the data
 * file may not be written by this process, lmdb keeps it mapped after `close`, until the process
 * ends.)
 */
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { open, type RootDatabase, type RootDatabaseOptionsWithPath } from "lmdb";
import { viewOf } from "../base/bytes.ts";
import { BlockspaceError, isBlockspaceError, messageOf } from "../base/errors.ts";
import { GiB } from "../base/units.ts";
import { FileDirectory } from "../device/file-directory.ts";

export type Database = RootDatabase<Uint8Array, Uint8Array>;

const DATA_FILE = "data.mdb";
/** An environment has at least its two meta pages. */
const MIN_DATA_BYTES = 8192;
const META_PAGE = 8;
const LMDB_MAGIC = 0xbeefc0de;
const LMDB_VERSION = 2;

/** Not a cap: lmdb maps more when the file outgrows it. It is address space, not memory. */
const MAP_BYTES: number = 16 * GiB;

/** What lmdb says when its file makes no sense: MDB_PAGE_NOTFOUND to MDB_INVALID. */
const damageCodes: readonly unknown[] = [-30797, -30796, -30794, -30793];

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

/** Opens the environment at `path` for writing, and creates it if it is not there. */
export async function openDatabase(path: string): Promise<Database> {
  if (await isThere(path)) await checkHeader(path);
  else await create(path);
  return open(lmdbOptions(path));
}

/** Opens the environment at `path` for reading only; `undefined` when it is not there. */
export async function openReadOnly(path: string): Promise<Database | undefined> {
  if (!(await isThere(path))) return undefined;
  await checkHeader(path);
  const link = await mkdtemp(join(tmpdir(), "blockspace-"));
  try {
    await symlink(join(path, DATA_FILE), join(link, DATA_FILE));
    return open(lmdbOptions(link, true));
  } finally {
    await rm(link, { recursive: true });
  }
}

/** Removes the environment at `path`, sound or not; durable when it resolves. */
export async function removeDatabase(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await new FileDirectory(dirname(path)).sync();
}

/** What lmdb or the system threw, as one of our own errors. */
export function lmdbError(path: string, cause: unknown): BlockspaceError {
  if (isBlockspaceError(cause)) return cause;
  const damaged = cause instanceof Error && "code" in cause && damageCodes.includes(cause.code);
  const message = `checkpoint ${path}: ${messageOf(cause)}`;
  return new BlockspaceError(damaged ? "ECORRUPT" : "EIO", message, { path, cause });
}

async function isThere(path: string): Promise<boolean> {
  const names = await new FileDirectory(dirname(path)).list();
  return names.includes(basename(path));
}

async function create(path: string): Promise<void> {
  const parent = new FileDirectory(dirname(path));
  const draft = parent.directory(`${basename(path)}.new`);
  await rm(draft.path, { recursive: true, force: true });
  await draft.ensure();
  await open(lmdbOptions(draft.path)).close();
  const data = await draft.open(DATA_FILE, "write");
  try {
    await data.flush();
  } finally {
    await data.close();
  }
  await draft.sync();
  await parent.rename(basename(draft.path), basename(path));
  await parent.sync();
}

/** `ECORRUPT` when the data file is missing, or does not begin as lmdb writes it. */
async function checkHeader(path: string): Promise<void> {
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
  } finally {
    await data.close();
  }
}

function refuse(path: string, reason: string): never {
  const file = join(path, DATA_FILE);
  throw new BlockspaceError("ECORRUPT", `the file ${file} ${reason}`, { path: file });
}
