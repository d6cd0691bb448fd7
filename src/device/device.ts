/**
 * What a medium promises to the rooms above it. Every medium (file, block device, memory) keeps
 * the same promises and runs the same suite of tests.
 *
 * A **device** is a run of bytes, of a size that is fixed unless it is extended:
 *  1. `read` fills the whole target or throws; never-written bytes read as zeroes.
 *  2. `write` writes all chunks one after the other at `offset`, or throws; a later `read` in this
 *     process sees them. Until `flush` resolves, a loss of power may keep any subset of the
 *     512-byte sectors written, in any order.
 *  3. `flush` resolves when everything whose `write` resolved before the call is durable. A failed
 *     flush says nothing about what is durable, and must not be retried (promise I7).
 *  4. `discard` gives the range back to the medium; afterwards it reads as zeroes, or as before.
 *  5. Ranges beyond `size` are a programming error and throw `ERANGE`.
 *  6. `extend` makes a file longer and never shorter; a block device is as long as it is. A `flush`
 *     makes the new size durable.
 *
 * Errors of the medium are thrown as {@link BlockspaceError} `EIO` with the system's error as
 * cause.
 */
import { BlockspaceError } from "../base/errors.ts";

export interface Device {
  /** Where it is, for messages. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  read(target: Uint8Array, offset: number): Promise<void>;
  /**
   * Reads the whole target at once, where the medium has all of it at hand; `false` when it has
   * not, and `target` may be anything then. A medium that never has need not offer it.
   */
  readNow?(target: Uint8Array, offset: number): boolean;
  write(chunks: readonly Uint8Array[], offset: number): Promise<void>;
  /**
   * As `write` and then `flush`, but for what it writes alone, in one call to the system; a medium
   * that has none need not offer it. A failure is one of a flush.
   */
  writeThrough?(chunks: readonly Uint8Array[], offset: number): Promise<void>;
  /**
   * As `writeThrough`, but it keeps the calling thread until it is done; `false`, with nothing
   * written, when that cannot be had (yet). For a medium that answers in less time than a way
   * through the thread pool takes.
   */
  writeThroughNow?(chunks: readonly Uint8Array[], offset: number): boolean;
  flush(): Promise<void>;
  discard(offset: number, length: number): Promise<void>;
  /** To `size` bytes at least, the new ones zeroes; `ENOSPC` where it cannot be made so long. */
  extend(size: number): Promise<void>;
  close(): Promise<void>;
}

/** How {@link Directory.create} lays a file out. */
export interface CreateOptions {
  /** Bytes. */
  size: number;
  /**
   * `sparse`: no space is taken yet; `preallocated`: written with zeroes, so that appends are
   * cheap.
   */
  layout: "sparse" | "preallocated";
}

/** Many may hold a shared lock at once; an exclusive one is held alone. */
export type LockMode = "exclusive" | "shared";

/** A held lock; `release` gives it back, and so does the death of the process. */
export interface Lock {
  release(): Promise<void>;
}

/**
 * A **directory** holds named devices. Creations, renames and removals are durable only after
 * `sync` has resolved.
 */
export interface Directory {
  readonly path: string;
  /** The names in it, sorted; nothing when it does not exist. */
  list(): Promise<string[]>;
  /** Opens a file; `ENOENT` when it is not there. */
  open(name: string, mode: "read" | "write"): Promise<Device>;
  /** Creates a file (or empties one that is there) and opens it for writing. */
  create(name: string, options: CreateOptions): Promise<Device>;
  rename(from: string, to: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Makes the directory's own entries durable. */
  sync(): Promise<void>;
  /** A directory inside this one; it need not exist yet. */
  directory(name: string): Directory;
  /**
   * Creates this directory (and its parents), if it is not there. When it resolves the names are
   * durable, since the topmost directory has none above it that its caller could sync; that of a
   * directory which was there as well, for a killed process may have made it a moment ago.
   */
  ensure(): Promise<void>;
  /**
   * Takes an operating-system lock on a file of this directory (which `exclusive` creates when it
   * is not there); `ELOCKED` at once when another holder is in the way.
   */
  lock(name: string, mode: LockMode): Promise<Lock>;
}

/** Writes chunks; what they are is durable when it resolves. */
export async function writeDurably(
  device: Device,
  chunks: readonly Uint8Array[],
  offset: number,
): Promise<void> {
  if (device.writeThrough) {
    await device.writeThrough(chunks, offset);
  } else {
    await device.write(chunks, offset);
    await device.flush();
  }
}

/** Promise 5 of a device: a range of whole bytes within it, or `ERANGE` (also for `NaN`). */
export function checkWithin(device: Device, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (!whole || offset < 0 || length < 0 || offset + length > device.size) {
    throw new BlockspaceError(
      "ERANGE",
      `${length} bytes at ${offset} are not within ${device.path} of ${device.size} bytes`,
      { path: device.path, offset, length },
    );
  }
}
