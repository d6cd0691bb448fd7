/**
 * The lock file of an LMDB environment, made ready before LMDB opens it.
 *
 * LMDB makes it longer without taking space for it, and then writes through a mapping: where the
 * file system is full by then, the process dies (`SIGBUS`). And lmdb-js dies of a lock file that it
 * cannot open (`SIGSEGV`). So the file gets its space here, and what cannot be done is told as an
 * error. Nothing of worth is in it: the lock of the store is what keeps others away.
 */
import fs from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { entryError } from "../device/medium-error.ts";
import { isNeverOverwritten, overwriteInPlace } from "../device/overwrite-in-place.ts";
import * as system from "../device/system-calls.ts";
import { isRegularFile, LOCK_FILE } from "./lmdb-files.ts";

const { O_CREAT, O_NOFOLLOW, O_RDWR, O_TRUNC } = fs.constants;
/** LMDB takes as many readers as have room in it: these are more than it would make room for. */
const ZEROES: Uint8Array = new Uint8Array(12_288);
/** One for the lock file, two for the data. */
const DESCRIPTORS = 3;

/** For the environment in the directory `path`, which nobody has open. */
export async function prepareLock(path: string): Promise<void> {
  const file = join(path, LOCK_FILE);
  try {
    const truncation = (await isNeverOverwritten(path)) ? O_TRUNC : 0;
    const isOurs = (await isRegularFile(file)) && (await canFill(file, truncation));
    if (isOurs) return;
    // What is there is no file, or one that we may not write.
    await rm(file, { recursive: true, force: true });
    await fill(file, truncation);
  } catch (error) {
    throw entryError("preparation", file, error);
  }
}

function canFill(file: string, truncation: number): Promise<boolean> {
  return fill(file, truncation).then(
    () => true,
    () => false,
  );
}

/** Holds as many descriptors for a moment as LMDB needs next: it dies without them, too. */
async function fill(file: string, truncation: number): Promise<void> {
  const fds = [await system.open(file, O_RDWR | O_CREAT | O_NOFOLLOW | truncation)];
  try {
    const [fd] = fds as [number];
    while (fds.length < DESCRIPTORS) fds.push(await system.open(file, O_RDWR | O_NOFOLLOW));
    if (truncation !== 0) await overwriteInPlace(fd);
    for (let done = 0; done < ZEROES.length;) {
      done += await system.write(fd, ZEROES.subarray(done), done);
    }
    // Where it is overwritten in place, from when it is on the disk.
    if (truncation !== 0) await system.fdatasync(fd);
  } finally {
    await Promise.allSettled(fds.map((fd) => system.close(fd)));
  }
}
