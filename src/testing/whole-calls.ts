/**
 * The calls of `node:fs` that are many system calls in one: whole files read, written and copied,
 * folders made with those above them and removed with all that is in them. Each does what node
 * does, call by call, since a crash may fall between any two.
 */
import { constants, type Dirent, type OpenMode, type PathLike } from "node:fs";
import type { RemoveOptions } from "./call-options.ts";
import { DescriptorCalls } from "./descriptor-calls.ts";
import { systemError } from "./disk-errors.ts";
import type { SimulatedDisk } from "./disk.ts";
import { NameCalls } from "./name-calls.ts";
import { nameOf } from "./path-names.ts";
import { oneCall, type Steps } from "./steps.ts";

/** A path, or a descriptor that stays open. */
export type PathOrDescriptor = PathLike | number;

export class WholeCalls {
  readonly names: NameCalls;
  readonly descriptors: DescriptorCalls;
  readonly #disk: SimulatedDisk;
  #temporaryNames = 0;

  constructor(disk: SimulatedDisk) {
    this.#disk = disk;
    this.names = new NameCalls(disk);
    this.descriptors = new DescriptorCalls(disk);
  }

  *readFile(file: PathOrDescriptor, flag?: OpenMode): Steps<Buffer> {
    const { descriptors } = this;
    return yield* this.#withOpen(file, flag, (fd) => descriptors.readToEnd(fd));
  }

  *writeFile(
    file: PathOrDescriptor,
    bytes: Uint8Array,
    options: { flag: OpenMode; flush: boolean },
  ): Steps<void> {
    const { descriptors } = this;
    yield* this.#withOpen(file, options.flag, function* (fd) {
      yield* descriptors.writeAll(fd, bytes);
      if (options.flush) yield* descriptors.sync(fd, "fsync");
    });
  }

  *truncate(path: PathLike, size: number): Steps<void> {
    yield* this.#withOpen(path, "r+", (fd) => this.descriptors.truncate(fd, size));
  }

  *copyFile(from: PathLike, to: PathLike, mode?: number): Steps<void> {
    const call = { syscall: "copyfile", path: nameOf(from).given, dest: nameOf(to).given };
    yield* oneCall(call, this.#copy(from, to, mode));
  }

  /** Makes those above as well; the first that was new, as the program would name it. */
  *mkdirs(path: PathLike): Steps<string | undefined> {
    const { given } = nameOf(path);
    if (given === "") yield* this.names.mkdir(given);
    const parts = given.replace(/\/+$/, "").split("/");
    let first: string | undefined;
    for (let count = 1; count <= parts.length; count++) {
      const isLast = count === parts.length;
      const part = isLast ? given : parts.slice(0, count).join("/");
      if (part === "" || this.#disk.find(nameOf(part).path)?.is === "folder") continue;
      try {
        yield* this.names.mkdir(part);
      } catch (error) {
        const needsFolder = !isLast || given.endsWith("/");
        const isInTheWay = needsFolder && (error as NodeJS.ErrnoException).code === "EEXIST";
        throw isInTheWay ? systemError("ENOTDIR", "mkdir", given) : error;
      }
      first ??= part;
    }
    return first;
  }

  *remove(path: PathLike, options: RemoveOptions): Steps<void> {
    const { given } = nameOf(path);
    let found;
    try {
      found = this.names.find(path, "lstat");
    } catch (error) {
      if (options.force && (error as NodeJS.ErrnoException).code === "ENOENT") return;
      throw error;
    }
    if (found.is === "file") return yield* this.names.unlink(path);
    if (!options.recursive) throw removalOfFolder(given);
    for (const name of this.names.list(path)) yield* this.remove(`${given}/${name}`, options);
    yield* this.names.rmdir(path);
  }

  /** All entries below a folder, folder by folder. */
  entriesBelow(path: PathLike): Dirent[] {
    const found = this.names.entries(path);
    const folders = found.filter((entry) => entry.isDirectory());
    for (const { parentPath, name } of folders) {
      found.push(...this.entriesBelow(`${parentPath}/${name}`));
    }
    return found;
  }

  /** Numbers instead of chance, so that runs are the same. */
  *mkdtemp(prefix: string): Steps<string> {
    for (;;) {
      const path = prefix + String(++this.#temporaryNames).padStart(6, "0");
      if (this.#disk.find(nameOf(path).path)) continue;
      yield* this.names.mkdir(path);
      return path;
    }
  }

  /** Node removes the copy when it cannot be finished, also where a file was before. */
  *#copy(from: PathLike, to: PathLike, mode: number | undefined): Steps<void> {
    const { descriptors, names } = this;
    const source = yield* names.open(from, "r");
    try {
      // Not emptied at once, for it may be the source.
      const flags = constants.O_WRONLY | constants.O_CREAT;
      const copy = yield* names.open(to, refusesToReplace(mode) ? "wx" : flags);
      try {
        if (descriptors.stat(copy).ino === descriptors.stat(source).ino) return;
        yield* descriptors.truncate(copy, 0);
        yield* descriptors.writeAll(copy, yield* descriptors.readToEnd(source));
      } catch (error) {
        yield* names.unlink(to);
        throw error;
      } finally {
        descriptors.close(copy);
      }
    } finally {
      descriptors.close(source);
    }
  }

  *#withOpen<T>(
    file: PathOrDescriptor,
    flag: OpenMode | undefined,
    work: (fd: number) => Steps<T>,
  ): Steps<T> {
    if (typeof file === "number") return yield* work(file);
    const fd = yield* this.names.open(file, flag);
    try {
      return yield* work(fd);
    } finally {
      this.descriptors.close(fd);
    }
  }
}

/** The one error that node gives in words of its own. */
function removalOfFolder(path: string): Error {
  const error = new Error(`Path is a directory: rm returned EISDIR (is a directory) ${path}`);
  error.name = "SystemError";
  return Object.assign(error, { code: "ERR_FS_EISDIR", errno: 21, syscall: "rm", path });
}

/** `COPYFILE_EXCL` of `copyFile`; its other flags change nothing here. */
function refusesToReplace(mode: number | undefined): boolean {
  return ((mode ?? 0) & constants.COPYFILE_EXCL) !== 0;
}
