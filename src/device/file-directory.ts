/**
 * A directory of the file system as a {@link Directory}.
 *
 * A name is durable only when the directory itself has been synced (`fsync` on its descriptor):
 * a file that was flushed can still be lost with its name.
 */
import { lstat, mkdir, readdir, rename, stat, unlink } from "node:fs/promises";
import fs from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { CreateOptions, Device, Directory, Lock, LockMode } from "./device.ts";
import { FileDevice, linkError, type Links } from "./file-device.ts";
import { lockFile } from "./file-lock.ts";
import { codeOf, entryError, isMissing } from "./medium-error.ts";
import * as system from "./system-calls.ts";

const { O_DIRECTORY, O_RDONLY } = fs.constants;

export class FileDirectory implements Directory {
  readonly path: string;
  readonly #links: Links;
  /** It was reached from another one, whose owner may have put a link in its place. */
  readonly #isInner: boolean;

  /** `links`: what to do with symbolic links in it; the directory itself may be one. */
  constructor(path: string, links: Links = "follow", isInner = false) {
    this.path = resolve(path);
    this.#links = links;
    this.#isInner = isInner;
  }

  async list(): Promise<string[]> {
    await this.#refuseLink();
    try {
      return (await readdir(this.path)).toSorted();
    } catch (error) {
      if (isMissing(error)) return [];
      throw entryError("listing", this.path, error);
    }
  }

  /** The names in it that are symbolic links. */
  async symbolicLinks(): Promise<string[]> {
    await this.#refuseLink();
    try {
      const entries = await readdir(this.path, { withFileTypes: true });
      return entries.filter((entry) => entry.isSymbolicLink()).map(({ name }) => name);
    } catch (error) {
      if (isMissing(error) || codeOf(error) === "ENOTDIR") return [];
      throw entryError("listing", this.path, error);
    }
  }

  async open(name: string, mode: "read" | "write"): Promise<Device> {
    await this.#refuseLink();
    return FileDevice.open(join(this.path, name), mode, this.#links);
  }

  async create(name: string, options: CreateOptions): Promise<Device> {
    await this.#refuseLink();
    return FileDevice.create(join(this.path, name), options, this.#links);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#refuseLink();
    const path = join(this.path, from);
    try {
      await rename(path, join(this.path, to));
    } catch (error) {
      throw entryError("renaming", path, error);
    }
  }

  async remove(name: string): Promise<void> {
    await this.#refuseLink();
    const path = join(this.path, name);
    try {
      await unlink(path);
    } catch (error) {
      throw entryError("removal", path, error);
    }
  }

  sync(): Promise<void> {
    return syncDirectory(this.path);
  }

  directory(name: string): FileDirectory {
    return new FileDirectory(join(this.path, name), this.#links, true);
  }

  async ensure(): Promise<void> {
    await this.#refuseLink();
    try {
      await makeDurably(this.path);
    } catch (error) {
      throw entryError("creation", this.path, error);
    }
  }

  async lock(name: string, mode: LockMode): Promise<Lock> {
    await this.#refuseLink();
    return lockFile(join(this.path, name), mode, this.#links);
  }

  async #refuseLink(): Promise<void> {
    if (this.#links === "follow" || !this.#isInner) return;
    const stats = await lstat(this.path).catch((error: unknown) => {
      if (!isMissing(error)) throw entryError("opening", this.path, error);
    });
    if (stats?.isSymbolicLink()) throw linkError(this.path);
  }
}

async function syncDirectory(path: string): Promise<void> {
  try {
    await syncEntries(path);
  } catch (error) {
    throw entryError("sync", path, error);
  }
}

async function syncEntries(path: string): Promise<void> {
  const fd = await system.open(path, O_RDONLY | O_DIRECTORY);
  try {
    await system.fsync(fd);
  } finally {
    await system.close(fd);
  }
}

/**
 * A directory is made when the name of the one above is durable. So whatever a killed process has
 * left, only the name of the last one that is there may not be.
 */
async function makeDurably(path: string): Promise<void> {
  if (await isDirectory(path)) return syncNameOf(path);
  if (path !== dirname(path)) await makeDurably(dirname(path));
  // Somebody else may be making it as well.
  await mkdir(path).catch(async (error: unknown) => {
    if (!(await isDirectory(path))) throw error;
  });
  await syncDirectory(dirname(path));
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/**
 * What says that the name of a directory is not ours to make durable: it lies in one that we may
 * not read, as where somebody else has made it for us; or it is where a device is mounted, on a
 * file system that cannot be written or knows no sync.
 */
const beyondUs: ReadonlySet<unknown> = new Set(["EACCES", "EPERM", "EINVAL", "EROFS"]);

/** For a directory that was there. By `..`, since its path may end in a link to it. */
async function syncNameOf(path: string): Promise<void> {
  try {
    await syncEntries(`${path}/..`);
  } catch (error) {
    if (!beyondUs.has(codeOf(error))) throw entryError("sync", dirname(path), error);
  }
}
