/**
 * The medium on a real system: a regular file or a block device, read and written through a file
 * descriptor at explicit offsets.
 *
 * What the system leaves to its callers is done here:
 *  - A transfer may be cut short; the rest is asked for until all is done or the system says why
 *    not.
 *  - A descriptor number is used again as soon as it is closed. `close` therefore waits for the
 *    calls under way, or a late write could land in a file that somebody else has opened since.
 *  - A flush is `fdatasync`, which includes the size of the file but not its entry in the
 *    directory.
 *  - A discard punches a hole. Not every file system can; then it does nothing, as promise 4
 *    allows.
 */
import fs from "node:fs";
import { lstat, readFile, stat } from "node:fs/promises";
import { trim } from "fs-native-extensions";
import { BlockspaceError } from "../base/errors.ts";
import { MiB } from "../base/units.ts";
import { type CachedRead, loadCachedRead } from "./cached-read.ts";
import { type CreateOptions, type Device, checkWithin } from "./device.ts";
import { closedError, codeOf, entryError, ioError, tooShortError } from "./medium-error.ts";
import * as system from "./system-calls.ts";

const { O_CREAT, O_DSYNC, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } = fs.constants;

/** The system takes no more chunks than this in one `writev` (`IOV_MAX` on Linux). */
const MAX_CHUNKS = 1024;
/** Block devices punch whole logical blocks only; none in use here has larger ones than a page. */
const PUNCH_ALIGNMENT = 4096;
const SECTOR_BYTES = 512;
const ZEROES: Uint8Array = new Uint8Array(MiB);

type Kind = "file" | "block device";

/** What becomes of a symbolic link in the place of a file; `refuse`: `EIO`. */
export type Links = "follow" | "refuse";

export class FileDevice implements Device {
  readonly path: string;
  #size: number;
  readonly #fd: number;
  readonly #kind: Kind;
  readonly #cachedRead: CachedRead | undefined;
  /** A descriptor whose writes are durable when they return, once it was asked for. */
  #through: Promise<number> | undefined;
  /** The same, as soon as it is open. */
  #throughNow: number | undefined;
  #running = 0;
  #whenIdle: (() => void) | undefined;
  #closed: Promise<void> | undefined;

  private constructor(fd: number, path: string, size: number, kind: Kind, cached?: CachedRead) {
    this.#fd = fd;
    this.path = path;
    this.#size = size;
    this.#kind = kind;
    this.#cachedRead = cached;
  }

  /**
   * Opens what is at `path`; `ENOENT` when nothing is. A block device that the system uses itself
   * (a mounted file system, a swap area) is not opened for writing: `EIO`, with `EBUSY` as cause.
   */
  static async open(
    path: string,
    mode: "read" | "write",
    links: Links = "follow",
  ): Promise<FileDevice> {
    try {
      const stats = await (links === "follow" ? stat(path) : lstat(path));
      if (stats.isSymbolicLink()) throw linkError(path);
      // Asked before opening, since to open a FIFO waits for its other end.
      if (!stats.isFile() && !stats.isBlockDevice()) {
        throw new BlockspaceError("EIO", `${path} is neither a file nor a block device`, { path });
      }
      const kind = stats.isBlockDevice() ? "block device" : "file";
      const exclusively = kind === "block device" ? O_EXCL : 0;
      const flags = (mode === "read" ? O_RDONLY : O_RDWR | exclusively) | flagsFor(links);
      const fd = await system.open(path, flags);
      return await orClose(
        fd,
        async () => new FileDevice(fd, path, await sizeOf(fd, kind), kind, await cachedRead()),
      );
    } catch (error) {
      throw entryError("opening", path, error);
    }
  }

  /** Creates the file at `path`, or empties the one that is there, and lays it out. */
  static async create(
    path: string,
    options: CreateOptions,
    links: Links = "follow",
  ): Promise<FileDevice> {
    try {
      const fd = await system.open(path, O_RDWR | O_CREAT | O_TRUNC | flagsFor(links));
      return await orClose(fd, async () => {
        if (options.layout === "sparse") await system.ftruncate(fd, options.size);
        else await fillWithZeroes(fd, options.size);
        return new FileDevice(fd, path, options.size, "file", await cachedRead());
      });
    } catch (error) {
      throw entryError("creation", path, error);
    }
  }

  get size(): number {
    return this.#size;
  }

  async read(target: Uint8Array, offset: number): Promise<void> {
    await this.#perform("read", offset, target.length, () => readAll(this.#fd, target, offset));
  }

  readNow(target: Uint8Array, offset: number): boolean {
    if (this.#closed) throw closedError(this.path);
    checkWithin(this, offset, target.length);
    return this.#cachedRead?.(this.#fd, target, offset) === true;
  }

  async write(chunks: readonly Uint8Array[], offset: number): Promise<void> {
    await this.#write(this.#fd, chunks, offset);
  }

  async #write(fd: number, chunks: readonly Uint8Array[], offset: number): Promise<void> {
    await this.#perform("write", offset, lengthOf(chunks), () => writeAll(fd, chunks, offset));
  }

  /**
   * Through a descriptor with `O_DSYNC`: one way through the thread pool in place of two, which is
   * a sixth of the time of a small write that is made durable.
   */
  async writeThrough(chunks: readonly Uint8Array[], offset: number): Promise<void> {
    const fd = await (this.#through ??= this.#openThrough());
    if (fd !== this.#fd) this.#throughNow = fd;
    await this.#write(fd, chunks, offset);
    if (fd === this.#fd) await this.flush();
  }

  /** Not before a `writeThrough` has opened the descriptor. */
  writeThroughNow(chunks: readonly Uint8Array[], offset: number): boolean {
    if (this.#closed) throw closedError(this.path);
    const length = lengthOf(chunks);
    checkWithin(this, offset, length);
    if (this.#throughNow === undefined) return false;
    try {
      writeAllNow(this.#throughNow, chunks, offset);
    } catch (error) {
      throw ioError(`write of ${this.path}`, { path: this.path, offset, length }, error);
    }
    return true;
  }

  async flush(): Promise<void> {
    await this.#perform("flush", 0, 0, () => system.fdatasync(this.#fd));
  }

  async discard(offset: number, length: number): Promise<void> {
    await this.#perform("discard", offset, length, async () => {
      const unit = this.#kind === "file" ? 1 : PUNCH_ALIGNMENT;
      const start = Math.ceil(offset / unit) * unit;
      const end = Math.floor((offset + length) / unit) * unit;
      if (end > start) await punch(this.#fd, start, end - start);
    });
  }

  async extend(size: number): Promise<void> {
    await this.#perform("extension", 0, 0, async () => {
      this.#size = await sizeOf(this.#fd, this.#kind);
      if (this.#size >= size) return;
      if (this.#kind === "block device") throw tooShortError(this.path, this.#size, size);
      await system.ftruncate(this.#fd, size);
      this.#size = size;
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle = resolve;
      });
    }
    try {
      const through = await this.#through;
      if (through !== undefined && through !== this.#fd) await system.close(through);
      await system.close(this.#fd);
    } catch (error) {
      throw ioError(`closing of ${this.path}`, { path: this.path }, error);
    }
  }

  /** The same file once more; or what is there, when its name leads to another file by now. */
  async #openThrough(): Promise<number> {
    const fd = await system.open(this.path, O_WRONLY | O_DSYNC | O_NOFOLLOW).catch(() => this.#fd);
    const [one, other] = [await system.fstat(fd), await system.fstat(this.#fd)];
    if (one.dev === other.dev && one.ino === other.ino) return fd;
    await system.close(fd);
    return this.#fd;
  }

  /** Runs one call: not after `close`, within the device, and counted until it is over. */
  async #perform(
    what: string,
    offset: number,
    length: number,
    work: () => Promise<void>,
  ): Promise<void> {
    if (this.#closed) throw closedError(this.path);
    checkWithin(this, offset, length);
    this.#running++;
    try {
      await work();
    } catch (error) {
      const place = { path: this.path, ...(what === "flush" ? {} : { offset, length }) };
      throw ioError(`${what} of ${this.path}`, place, error);
    } finally {
      if (--this.#running === 0) this.#whenIdle?.();
    }
  }
}

let loading: ReturnType<typeof loadCachedRead> | undefined;

function cachedRead(): ReturnType<typeof loadCachedRead> {
  return (loading ??= loadCachedRead());
}

/** `path` is a symbolic link, and links are not followed. */
export function linkError(path: string): BlockspaceError {
  return new BlockspaceError("EIO", `${path} is a symbolic link, and is not followed`, { path });
}

export function flagsFor(links: Links): number {
  return links === "refuse" ? O_NOFOLLOW : 0;
}

/** The result of `work`, which owns `fd` from then on; closes `fd` when it fails. */
async function orClose<T>(fd: number, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    await system.close(fd);
    throw error;
  }
}

/** `stat` gives the size of a file; that of a block device stands in sysfs, in sectors. */
async function sizeOf(fd: number, kind: Kind): Promise<number> {
  const { size, rdev } = await system.fstat(fd);
  if (kind === "file") return Number(size);
  // How Linux packs the two halves of a device number: 12 + 20 bits, and more of each above.
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn & 0xffffffffn);
  const path = `/sys/dev/block/${major}:${minor}/size`;
  try {
    return Number(await readFile(path, "utf8")) * SECTOR_BYTES;
  } catch (error) {
    throw ioError(`reading the size of the block device from ${path}`, { path }, error);
  }
}

async function readAll(fd: number, target: Uint8Array, offset: number): Promise<void> {
  let done = 0;
  while (done < target.length) {
    const count = await system.read(fd, done === 0 ? target : target.subarray(done), offset + done);
    if (count === 0) throw new Error(`it ends at ${offset + done}: it was cut since it was opened`);
    done += count;
  }
}

async function writeAll(fd: number, chunks: readonly Uint8Array[], offset: number): Promise<void> {
  let rest = chunks.filter((chunk) => chunk.length > 0);
  let position = offset;
  while (rest.length > 0) {
    const [first] = rest as [Uint8Array];
    const count = await (rest.length === 1
      ? system.write(fd, first, position)
      : system.writev(fd, rest.slice(0, MAX_CHUNKS), position));
    if (count === 0) throw new Error(`the system took nothing at ${position}`);
    position += count;
    rest = without(rest, count);
  }
}

function writeAllNow(fd: number, chunks: readonly Uint8Array[], offset: number): void {
  let rest = chunks.filter((chunk) => chunk.length > 0);
  let position = offset;
  while (rest.length > 0) {
    const count = fs.writevSync(fd, rest.slice(0, MAX_CHUNKS), position);
    if (count === 0) throw new Error(`the system took nothing at ${position}`);
    position += count;
    rest = without(rest, count);
  }
}

function lengthOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, chunk) => sum + chunk.length, 0);
}

/** What is left of `chunks` after their first `count` bytes. */
function without(chunks: Uint8Array[], count: number): Uint8Array[] {
  let index = 0;
  let left = count;
  for (let chunk = chunks[0]; chunk !== undefined && chunk.length <= left; chunk = chunks[index]) {
    left -= chunk.length;
    index++;
  }
  const rest = chunks.slice(index);
  if (left > 0 && rest[0]) rest[0] = rest[0].subarray(left);
  return rest;
}

async function fillWithZeroes(fd: number, size: number): Promise<void> {
  for (let offset = 0; offset < size; offset += ZEROES.length) {
    await writeAll(fd, [ZEROES.subarray(0, Math.min(ZEROES.length, size - offset))], offset);
  }
}

async function punch(fd: number, offset: number, length: number): Promise<void> {
  try {
    await trim(fd, offset, length);
  } catch (error) {
    const code = codeOf(error);
    if (code !== "EOPNOTSUPP" && code !== "ENOTSUP") throw error;
  }
}
