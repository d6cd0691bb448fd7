/**
 * What a program does to names: every system call of `node:fs` that takes a path and changes or
 * looks up one name. The order in which things are looked at is that of Linux, since it decides
 * which error a program is told.
 */
import type { BigIntStats, Dirent, OpenMode, PathLike, Stats, StatOptions } from "node:fs";
import { asCall, systemError } from "./disk-errors.ts";
import type { Done, FoundFile, SimulatedDisk } from "./disk.ts";
import { accessOf, type FileAccess } from "./file-flags.ts";
import { entryOf, type FoundNode, statsOf } from "./file-stats.ts";
import { OpenFiles } from "./open-files.ts";
import {
  checkAbove,
  endsInSlash,
  existing,
  lastPart,
  lookup,
  nameOf,
  type PathName,
} from "./path-names.ts";
import type { Steps } from "./steps.ts";

export class NameCalls {
  readonly #disk: SimulatedDisk;
  readonly #files: OpenFiles;

  constructor(disk: SimulatedDisk) {
    this.#disk = disk;
    this.#files = OpenFiles.of(disk);
  }

  /** A descriptor. */
  *open(path: PathLike, flags?: OpenMode | null): Steps<number> {
    const name = nameOf(path);
    const access = accessOf(flags);
    const call = { syscall: "open", path: name.given };
    const { done, fd } = asCall(call, () => this.#openNow(name, access));
    yield done;
    return fd;
  }

  *rename(from: PathLike, to: PathLike): Steps<void> {
    yield this.#onTwo("rename", from, to, (source, target) => {
      checkAbove(this.#disk, source);
      checkAbove(this.#disk, target);
      if (isNoName(source) || isNoName(target)) throw systemError("EBUSY", "rename");
      const found = existing(this.#disk, source);
      if (found.is === "file" && endsInSlash(target)) throw systemError("ENOTDIR", "rename");
      return this.#disk.rename(source.path, target.path);
    });
  }

  *link(from: PathLike, to: PathLike): Steps<void> {
    yield this.#onTwo("link", from, to, (source, target) => {
      const found = existing(this.#disk, source);
      checkAbove(this.#disk, target);
      if (this.#disk.find(target.path)) throw systemError("EEXIST", "link");
      if (endsInSlash(target)) throw systemError("ENOENT", "link");
      if (found.is === "folder") throw systemError("EPERM", "link");
      return this.#disk.link(source.path, target.path);
    });
  }

  *unlink(path: PathLike): Steps<void> {
    yield this.#on("unlink", path, (name) => {
      existing(this.#disk, name);
      return this.#disk.remove(name.path, "file");
    });
  }

  *rmdir(path: PathLike): Steps<void> {
    yield this.#on("rmdir", path, (name) => {
      if (name.path === "/") throw systemError("EBUSY", "rmdir");
      existing(this.#disk, name);
      if (lastPart(name) === ".") throw systemError("EINVAL", "rmdir");
      return this.#disk.remove(name.path, "folder");
    });
  }

  *mkdir(path: PathLike): Steps<void> {
    yield this.#on("mkdir", path, (name) => {
      checkAbove(this.#disk, name);
      if (this.#disk.find(name.path)) throw systemError("EEXIST", "mkdir");
      return this.#disk.createFolder(name.path);
    });
  }

  /** The names in a folder, sorted. */
  list(path: PathLike): string[] {
    return this.#on("scandir", path, (name) => {
      if (existing(this.#disk, name).is === "file") throw systemError("ENOTDIR", "scandir");
      return this.#disk.list(name.path);
    });
  }

  /** The same with what each of them is. */
  entries(path: PathLike): Dirent[] {
    const { given, path: folder } = nameOf(path);
    return this.list(path).map((name) =>
      entryOf(name, given, this.#disk.find(`${folder}/${name}`)!.is),
    );
  }

  stat(path: PathLike, options?: StatOptions, syscall = "stat"): Stats | BigIntStats {
    return statsOf(this.#disk, this.find(path, syscall), options);
  }

  /** What is there: `ENOENT`, `ENOTDIR`. */
  find(path: PathLike, syscall: string): FoundNode {
    return this.#on(syscall, path, (name) => existing(this.#disk, name));
  }

  /** The path from the root on. */
  realpath(path: PathLike): string {
    this.find(path, "realpath");
    return nameOf(path).path;
  }

  /** Opening is one call of the system, also where it makes the file or empties it. */
  #openNow(name: PathName, access: FileAccess): { done: Done; fd: number } {
    this.#files.checkFree();
    const asked = this.#disk.open(name.path);
    const { found, changed } = this.#findOrCreate(name, access);
    const fd = this.#files.add({ ...found, path: name.path, access, position: 0 });
    if (!changed) return { done: asked, fd };
    return { done: { ...changed, delayTurns: asked.delayTurns + changed.delayTurns }, fd };
  }

  #findOrCreate(name: PathName, access: FileAccess): { found: FoundNode; changed?: Done } {
    const disk = this.#disk;
    if (access.create && endsInSlash(name)) {
      checkAbove(disk, name);
      throw systemError("EISDIR", "open");
    }
    const found = lookup(disk, name);
    if (!found && !access.create) throw systemError("ENOENT", "open");
    if (!found) {
      const { node, done } = disk.createFile(name.path);
      return { found: { node, is: "file" }, changed: done };
    }
    if (access.create && access.exclusive) throw systemError("EEXIST", "open");
    if (found.is === "folder" && (access.write || access.create || access.truncate)) {
      throw systemError("EISDIR", "open");
    }
    if (found.is === "file" && access.folderOnly) throw systemError("ENOTDIR", "open");
    const file: FoundFile = { node: found.node, path: name.path };
    const empties = found.is === "file" && access.truncate && disk.sizeOf(found.node) > 0;
    return empties ? { found, changed: disk.resize(file, 0) } : { found };
  }

  #on<T>(syscall: string, path: PathLike, work: (name: PathName) => T): T {
    const name = nameOf(path);
    return asCall({ syscall, path: name.given }, () => work(name));
  }

  #onTwo(
    syscall: string,
    from: PathLike,
    to: PathLike,
    work: (source: PathName, target: PathName) => Done,
  ): Done {
    const source = nameOf(from);
    const target = nameOf(to);
    return asCall({ syscall, path: source.given, dest: target.given }, () => work(source, target));
  }
}

/** What cannot be renamed, nor be the new name of anything. */
function isNoName(name: PathName): boolean {
  return name.path === "/" || lastPart(name) === "." || lastPart(name) === "..";
}
