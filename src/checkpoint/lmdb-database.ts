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
 * renamed: a directory that is there holds a sound, if empty, environment, or is damaged. What a
 * look at the file can tell is checked here (`lmdb-pages.ts`), because lmdb takes the process down
 * with it. (So it may over what is damaged later, or in lists of free pages; a file that there is
 * reason to doubt belongs into a child process.)
 *
 * **Reading only.** A reader of LMDB writes to `lock.mdb`, creating it if need be. To leave the
 * store as it is, the environment is opened through a symbolic link to its data file in a temporary
 * directory, where the lock file then goes; once it is open, the directory is removed. Writers do
 * not learn of such a reader from LMDB: the lock of the store must keep them away. (Where the data
 * file may not be written by this process, lmdb keeps it mapped after `close`, until the process
 * ends.)
 */
import { rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { open, type RootDatabase } from "lmdb";
import { BlockspaceError, isBlockspaceError, messageOf } from "../base/errors.ts";
import { FileDirectory } from "../device/file-directory.ts";
import {
  checkFile,
  DATA_FILE,
  isThere,
  lmdbOptions,
  MIN_DATA_BYTES,
  throughLink,
} from "./lmdb-files.ts";
import { prepareLock } from "./lmdb-lock.ts";

export type Database = RootDatabase<Uint8Array, Uint8Array>;

/** What lmdb says when its file makes no sense: MDB_PAGE_NOTFOUND to MDB_INVALID. */
const damageCodes: readonly unknown[] = [-30797, -30796, -30794, -30793];

/** Opens the environment at `path` for writing, and creates it if it is not there. */
export async function openDatabase(path: string): Promise<Database> {
  if (await isThere(path)) await checkFile(path);
  else await create(path);
  await prepareLock(path);
  return open(lmdbOptions(path));
}

/** Opens the environment at `path` for reading only; `undefined` when it is not there. */
export async function openReadOnly(path: string): Promise<Database | undefined> {
  if (!(await isThere(path))) return undefined;
  await checkFile(path);
  return throughLink(path, async (link) => {
    await prepareLock(link);
    return open(lmdbOptions(link, true));
  });
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

async function create(path: string): Promise<void> {
  const parent = new FileDirectory(dirname(path));
  const draft = parent.directory(`${basename(path)}.new`);
  await rm(draft.path, { recursive: true, force: true });
  await draft.ensure();
  await prepareLock(draft.path);
  await proveRoom(draft);
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

/** LMDB's two first pages go there next, and lmdb-js dies where they cannot be written. */
async function proveRoom(draft: FileDirectory): Promise<void> {
  const data = await draft.create(DATA_FILE, { size: MIN_DATA_BYTES, layout: "preallocated" });
  try {
    await data.flush();
  } finally {
    await data.close();
  }
  await (await draft.create(DATA_FILE, { size: 0, layout: "sparse" })).close();
}
