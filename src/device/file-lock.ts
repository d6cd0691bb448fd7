/**
 * Promise I8, one writer: a lock of the operating system on a file.
 *
 * It is an *open file description* lock. It belongs to one opening of the file, not to the process,
 * so two hosts in one process are in each other's way as two processes are; and the system drops it
 * with the last descriptor, however the process ends, so a killed one leaves none behind.
 *
 * The lock is on the file, not on its name. Somebody who removes the lock file and makes a new one
 * opens the door to a second holder; the first cannot be told. What can be noticed is a file that
 * was replaced between our opening and our locking it: then the lock is worth nothing, and we try
 * again.
 *
 * A shared lock needs no more than a file opened for reading, and writes nothing.
 */
import fs from "node:fs";
import { stat } from "node:fs/promises";
import { tryLock } from "fs-native-extensions";
import { BlockspaceError } from "../base/errors.ts";
import type { Lock, LockMode } from "./device.ts";
import { flagsFor, type Links } from "./file-device.ts";
import { entryError, ioError, isMissing } from "./medium-error.ts";
import * as system from "./system-calls.ts";

const { O_CREAT, O_NONBLOCK, O_RDONLY, O_RDWR } = fs.constants;
/** Losing this often means that somebody replaces the file all the time. */
const MAX_ATTEMPTS = 8;

/** Takes the lock on the file at `path`, or throws `ELOCKED` at once. */
export async function lockFile(
  path: string,
  mode: LockMode,
  links: Links = "follow",
): Promise<Lock> {
  const creation = mode === "exclusive" ? O_CREAT : 0;
  return lockWith(path, mode, creation | flagsFor(links));
}

/**
 * The same for a data device that lies outside of its store, whose own lock says nothing to those
 * who open a copy of the store. A block device needs none: it is opened exclusively. What is not
 * there is for those to tell who open it.
 */
export async function lockDataFile(path: string, mode: LockMode): Promise<Lock> {
  const isFile = await stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  );
  return isFile ? lockWith(path, mode, 0) : { release: async () => undefined };
}

async function lockWith(path: string, mode: LockMode, flags: number): Promise<Lock> {
  try {
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      const fd = await openLocked(path, mode, flags);
      if (fd !== undefined) return new FileLock(fd, path);
    }
  } catch (error) {
    throw entryError("locking", path, error);
  }
  throw new BlockspaceError("ELOCKED", `${path} was replaced while it was being locked`, { path });
}

class FileLock implements Lock {
  readonly #fd: number;
  readonly #path: string;
  #released: Promise<void> | undefined;

  constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  release(): Promise<void> {
    this.#released ??= system.close(this.#fd).catch((error: unknown) => {
      throw ioError(`release of ${this.#path}`, { path: this.#path }, error);
    });
    return this.#released;
  }
}

/**
 * The descriptor that holds the lock, or nothing when `path` no longer leads to the locked file.
 */
async function openLocked(
  path: string,
  mode: LockMode,
  flags: number,
): Promise<number | undefined> {
  const shared = mode === "shared";
  // To open a FIFO would wait for its other end.
  const fd = await system.open(path, (shared ? O_RDONLY : O_RDWR) | O_NONBLOCK | flags);
  let held = false;
  try {
    if (!(await system.fstat(fd)).isFile()) {
      throw new BlockspaceError("EIO", `${path} is no file`, { path });
    }
    if (!tryLock(fd, { shared })) {
      throw new BlockspaceError("ELOCKED", `${path} is locked by another holder`, { path });
    }
    held = await leadsTo(path, fd);
    return held ? fd : undefined;
  } finally {
    if (!held) await system.close(fd);
  }
}

async function leadsTo(path: string, fd: number): Promise<boolean> {
  const locked = await system.fstat(fd);
  try {
    const named = await stat(path, { bigint: true });
    return named.dev === locked.dev && named.ino === locked.ino;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
