/**
 * A directory of the file system as a {@link Directory}.
 *
 * A name is durable only when the directory itself has been synced (`fsync` on its descriptor):
 * a file that was flushed can still be lost with its name.
 */
import { mkdir, readdir, rename, unlink } from "node:fs/promises";
import fs from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { CreateOptions, Device, Directory, Lock } from "./device.ts";
import { FileDevice } from "./file-device.ts";
import { lockFile } from "./file-lock.ts";
import { entryError, isMissing } from "./medium-error.ts";
import * as system from "./system-calls.ts";

const { O_DIRECTORY, O_RDONLY } = fs.constants;

export class FileDirectory implements Directory {
  readonly path: string;

  constructor(path: string) {
    this.path = resolve(path);
  }

  async list(): Promise<string[]> {
    try {
      return (await readdir(this.path)).toSorted();
    } catch (error) {
      if (isMissing(error)) return [];
      throw entryError("listing", this.path, error);
    }
  }

  open(name: string, mode: "read" | "write"): Promise<Device> {
    return FileDevice.open(join(this.path, name), mode);
  }

  create(name: string, options: CreateOptions): Promise<Device> {
    return FileDevice.create(join(this.path, name), options);
  }

  async rename(from: string, to: string): Promise<void> {
    const path = join(this.path, from);
    try {
      await rename(path, join(this.path, to));
    } catch (error) {
      throw entryError("renaming", path, error);
    }
  }

  async remove(name: string): Promise<void> {
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
    return new FileDirectory(join(this.path, name));
  }

  async ensure(): Promise<void> {
    let topmost: string | undefined;
    try {
      topmost = await mkdir(this.path, { recursive: true });
    } catch (error) {
      throw entryError("creation", this.path, error);
    }
    if (topmost === undefined) return;
    for (let path = this.path; path.length >= topmost.length; path = dirname(path)) {
      await syncDirectory(dirname(path));
    }
  }

  lock(name: string, mode: "exclusive" | "shared"): Promise<Lock> {
    return lockFile(join(this.path, name), mode);
  }
}

async function syncDirectory(path: string): Promise<void> {
  try {
    const fd = await system.open(path, O_RDONLY | O_DIRECTORY);
    try {
      await system.fsync(fd);
    } finally {
      await system.close(fd);
    }
  } catch (error) {
    throw entryError("sync", path, error);
  }
}
