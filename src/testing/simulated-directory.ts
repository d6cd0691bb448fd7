/**
 * The {@link Directory} face of a simulated disk: what a store opens instead of a directory of
 * files. Locks are those of the running process: neither a crash nor a kill takes them along.
 */
import { dirname, resolve } from "node:path/posix";
import { BlockspaceError } from "../base/errors.ts";
import type { CreateOptions, Directory, Lock, LockMode } from "../device/device.ts";
import { entryError, ioError } from "../device/medium-error.ts";
import type { Done, SimulatedDisk } from "./disk.ts";
import { SimulatedDevice } from "./simulated-device.ts";

export class SimulatedDirectory implements Directory {
  readonly path: string;
  readonly disk: SimulatedDisk;

  /** The folder under `path`, which need not be there yet. */
  constructor(disk: SimulatedDisk, path = "") {
    this.disk = disk;
    this.path = path;
  }

  async list(): Promise<string[]> {
    return this.disk.find(this.path)?.is === "folder" ? this.disk.list(this.path) : [];
  }

  async open(name: string, mode: "read" | "write"): Promise<SimulatedDevice> {
    const path = this.#pathOf(name);
    const file = attempt("open", path, () => this.disk.file(path));
    return new SimulatedDevice(this.disk, file, mode);
  }

  async create(name: string, options: CreateOptions): Promise<SimulatedDevice> {
    const path = this.#pathOf(name);
    const file = attempt("create", path, () => this.disk.createFile(path, options.size));
    await this.disk.settle(file.done);
    return new SimulatedDevice(this.disk, file, "write");
  }

  async rename(from: string, to: string): Promise<void> {
    const path = this.#pathOf(from);
    await this.#settled("rename", path, () => this.disk.rename(path, this.#pathOf(to)));
  }

  async remove(name: string): Promise<void> {
    const path = this.#pathOf(name);
    await this.#settled("remove", path, () => this.disk.remove(path, "file"));
  }

  async sync(): Promise<void> {
    await this.#settled("sync", this.path, () => this.disk.syncFolder(this.path));
  }

  directory(name: string): SimulatedDirectory {
    return new SimulatedDirectory(this.disk, this.#pathOf(name));
  }

  async ensure(): Promise<void> {
    await this.#makeDurably(resolve("/", this.path));
  }

  async lock(name: string, mode: LockMode): Promise<Lock> {
    const path = this.#pathOf(name);
    const missing = this.disk.find(path) === undefined;
    let created: { done: Done } | undefined;
    const { node } = attempt("lock", path, () => {
      if (!missing || mode === "shared") return this.disk.file(path);
      return (created = this.disk.createFile(path));
    });
    const { locks } = this.disk;
    const holders = locks.get(node) ?? 0;
    if (mode === "exclusive" ? holders !== 0 : holders < 0) {
      throw new BlockspaceError("ELOCKED", `${path} is locked by another holder`, { path });
    }
    const share = mode === "exclusive" ? -1 : 1;
    locks.set(node, holders + share);
    if (created) await this.disk.settle(created.done);
    let held = true;
    return {
      release: async () => {
        if (held) locks.set(node, locks.get(node)! - share);
        held = false;
      },
    };
  }

  /** Each when the name of the one above is durable, and its own name if it was there already. */
  async #makeDurably(path: string): Promise<void> {
    if (path === "/") return;
    const above = dirname(path);
    const found = this.disk.find(path);
    if (found?.is === "file") throw ioError("creation", { path }, new Error(`${path} is a file`));
    if (!found) {
      await this.#makeDurably(above);
      await this.#settled("create", path, () => this.disk.createFolder(path));
    }
    await this.#settled("sync", above, () => this.disk.syncFolder(above));
  }

  async #settled(what: string, path: string, work: () => Done): Promise<void> {
    await this.disk.settle(attempt(what, path, work));
  }

  #pathOf(name: string): string {
    return `${this.path}/${name}`;
  }
}

function attempt<T>(what: string, path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw entryError(what, path, error);
  }
}
