/**
 * The twin in memory of a directory of files: the same promises, and a loss of power or a kill
 * whenever a test wants one.
 *
 * `crash` and `killed` leave the tree as it is and return another one; whatever still runs over the
 * old tree can do no harm to the new. Neither locks nor the hook go over into it.
 */
import { BlockspaceError } from "../base/errors.ts";
import type { CreateOptions, Directory, Lock } from "./device.ts";
import { MemoryDevice } from "./memory-device.ts";
import { MemoryFile, type Random } from "./memory-file.ts";
import { type MemoryEntry, MemoryNode } from "./memory-tree.ts";
import { type OnOperation, announce } from "./operation.ts";

export interface MemoryDirectoryOptions {
  /** For messages and operations; `memory:` unless told. */
  path?: string;
  onOperation?: OnOperation;
}

export class MemoryDirectory implements Directory {
  readonly path: string;
  readonly #onOperation: OnOperation | undefined;
  /** The top of a tree, or the name of a directory (which need not be there) in another one. */
  #place: MemoryNode | { above: MemoryDirectory; name: string } = new MemoryNode();

  /** The top of a new, empty tree. */
  constructor(options: MemoryDirectoryOptions = {}) {
    this.path = options.path ?? "memory:";
    this.#onOperation = options.onOperation;
  }

  /**
   * This directory after loss of power. What was not flushed or synced is lost, kept or torn as
   * `random` decides: always 0 keeps only what is durable, always nearly 1 keeps everything.
   */
  crash(random: Random, options: MemoryDirectoryOptions = {}): MemoryDirectory {
    return this.#top(this.#node().crashed(random), options);
  }

  /**
   * This directory after `kill -9`: all that was written is there, and as little durable as before.
   */
  killed(options: MemoryDirectoryOptions = {}): MemoryDirectory {
    return this.#top(this.#node().killed(), options);
  }

  async list(): Promise<string[]> {
    return [...(this.#find()?.names.keys() ?? [])].toSorted();
  }

  async open(name: string, mode: "read" | "write"): Promise<MemoryDevice> {
    return this.#device(name, this.#file(name), mode);
  }

  async create(name: string, options: CreateOptions): Promise<MemoryDevice> {
    return this.#device(name, this.#create(name, options.size), "write");
  }

  async rename(from: string, to: string): Promise<void> {
    const entry = this.#entry(from);
    this.#checkNotDirectory(to);
    announce(this.#onOperation, { kind: "rename", path: this.#pathOf(from) });
    this.#node().change({ drop: from, put: { name: to, entry } });
  }

  async remove(name: string): Promise<void> {
    this.#file(name);
    announce(this.#onOperation, { kind: "remove", path: this.#pathOf(name) });
    this.#node().change({ drop: name });
  }

  async sync(): Promise<void> {
    const node = this.#node();
    announce(this.#onOperation, { kind: "sync", path: this.path });
    node.sync();
  }

  directory(name: string): MemoryDirectory {
    const hook = this.#onOperation;
    const path = this.#pathOf(name);
    const directory = new MemoryDirectory(hook ? { path, onOperation: hook } : { path });
    directory.#place = { above: this, name };
    return directory;
  }

  /** The new names are durable only after the directories above have been synced. */
  async ensure(): Promise<void> {
    if (this.#place instanceof MemoryNode) return;
    const { above, name } = this.#place;
    await above.ensure();
    const node = above.#node();
    const entry = node.names.get(name);
    if (entry instanceof MemoryFile) throw this.#error("EIO", this.path, "is a file");
    if (entry !== undefined) return;
    announce(this.#onOperation, { kind: "create", path: this.path });
    node.change({ put: { name, entry: new MemoryNode() } });
  }

  async lock(name: string, mode: "exclusive" | "shared"): Promise<Lock> {
    const missing = !this.#node().names.has(name);
    const file = missing && mode === "exclusive" ? this.#create(name, 0) : this.#file(name);
    const inTheWay = mode === "exclusive" ? file.lockHolders !== 0 : file.lockHolders < 0;
    if (inTheWay) throw this.#error("ELOCKED", this.#pathOf(name), "is locked by another holder");
    const share = mode === "exclusive" ? -1 : 1;
    file.lockHolders += share;
    let held = true;
    return {
      release: async () => {
        if (held) file.lockHolders -= share;
        held = false;
      },
    };
  }

  #create(name: string, size: number): MemoryFile {
    const node = this.#node();
    this.#checkNotDirectory(name);
    announce(this.#onOperation, { kind: "create", path: this.#pathOf(name), length: size });
    const file = new MemoryFile(size);
    node.change({ put: { name, entry: file } });
    return file;
  }

  #device(name: string, file: MemoryFile, mode: "read" | "write"): MemoryDevice {
    return new MemoryDevice(file, this.#pathOf(name), mode, this.#onOperation);
  }

  #top(node: MemoryNode, options: MemoryDirectoryOptions): MemoryDirectory {
    const directory = new MemoryDirectory({ path: this.path, ...options });
    directory.#place = node;
    return directory;
  }

  /** This directory, if it is there. */
  #find(): MemoryNode | undefined {
    if (this.#place instanceof MemoryNode) return this.#place;
    const entry = this.#place.above.#find()?.names.get(this.#place.name);
    return entry instanceof MemoryNode ? entry : undefined;
  }

  #node(): MemoryNode {
    const node = this.#find();
    if (node === undefined) throw this.#error("ENOENT", this.path, "is not there");
    return node;
  }

  #entry(name: string): MemoryEntry {
    const entry = this.#node().names.get(name);
    if (entry === undefined) throw this.#error("ENOENT", this.#pathOf(name), "is not there");
    return entry;
  }

  #file(name: string): MemoryFile {
    this.#checkNotDirectory(name);
    return this.#entry(name) as MemoryFile;
  }

  #checkNotDirectory(name: string): void {
    if (this.#node().names.get(name) instanceof MemoryNode) {
      throw this.#error("EIO", this.#pathOf(name), "is a directory");
    }
  }

  #pathOf(name: string): string {
    return `${this.path}/${name}`;
  }

  #error(code: "ENOENT" | "EIO" | "ELOCKED", path: string, what: string): BlockspaceError {
    return new BlockspaceError(code, `${path} ${what}`, { path });
  }
}
