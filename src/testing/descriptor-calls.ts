/**
 * What a program does to files that it has open, by descriptor: every system call of `node:fs`
 * that takes one, and the loops that node itself makes of them to read or write whole files.
 */
import type { BigIntStats, StatOptions, Stats } from "node:fs";
import { KiB } from "../base/units.ts";
import { asCall, systemError } from "./disk-errors.ts";
import type { Done, SimulatedDisk } from "./disk.ts";
import { statsOf } from "./file-stats.ts";
import { type OpenFile, OpenFiles } from "./open-files.ts";
import { step, type Steps } from "./steps.ts";
import { outOfRange } from "./transfer-arguments.ts";

/** Node reads and writes whole files in parts of this size. */
const PART_BYTES: number = 512 * KiB;

export class DescriptorCalls {
  readonly #disk: SimulatedDisk;
  readonly #files: OpenFiles;

  constructor(disk: SimulatedDisk) {
    this.#disk = disk;
    this.#files = OpenFiles.of(disk);
  }

  /** The number of bytes that were read; 0 at the end. */
  *read(fd: number, target: Uint8Array, position: number | null): Steps<number> {
    const file = this.#file(fd, "read");
    if (!file.access.read) throw systemError("EBADF", "read");
    if (file.is === "folder") throw systemError("EISDIR", "read");
    if (target.length === 0) return 0;
    const at = position ?? file.position;
    const { bytes } = yield* step({ syscall: "read" }, () => {
      const done = this.#disk.read(file, target, at);
      if (position === null) file.position += done.bytes;
      return done;
    });
    return bytes;
  }

  /** One read into many buffers, one after the other. */
  *readv(fd: number, targets: readonly Uint8Array[], position: number | null): Steps<number> {
    const whole = new Uint8Array(targets.reduce((sum, { length }) => sum + length, 0));
    // Where there is nothing to fill the system does not look further; one buffer is no `readv`.
    const isFolder = this.#file(fd, "read").is === "folder";
    if (isFolder && whole.length === 0 && targets.length > 1) return 0;
    const count = yield* this.read(fd, whole, position);
    let taken = 0;
    for (const target of targets) {
      const part = whole.subarray(taken, Math.min(taken + target.length, count));
      target.set(part);
      taken += part.length;
    }
    return count;
  }

  /** The number of bytes that were written, which may be less than there are. */
  *write(fd: number, bytes: Uint8Array, position: number | null): Steps<number> {
    const file = this.#file(fd, "write");
    if (!file.access.write) throw systemError("EBADF", "write");
    if (bytes.length === 0) return 0;
    const written = yield* step({ syscall: "write" }, () => this.#writeOnce(file, bytes, position));
    return written.bytes;
  }

  *truncate(fd: number, size: number): Steps<void> {
    if (!Number.isSafeInteger(size)) throw outOfRange("len", "a whole number", size);
    const file = this.#file(fd, "ftruncate");
    if (!file.access.write) throw systemError("EINVAL", "ftruncate");
    yield* step({ syscall: "ftruncate" }, () => this.#disk.resize(file, Math.max(0, size)));
  }

  /** Of a file its data and size become durable, of a folder its names. */
  *sync(fd: number, syscall: "fsync" | "fdatasync"): Steps<void> {
    const file = this.#file(fd, syscall);
    yield* step({ syscall }, () =>
      file.is === "folder" ? this.#disk.syncFoundFolder(file) : this.#disk.flush(file),
    );
  }

  stat(fd: number, options?: StatOptions): Stats | BigIntStats {
    return statsOf(this.#disk, this.#file(fd, "fstat"), options);
  }

  /** That it is there, and nothing else: owners, modes and times are not simulated. */
  check(fd: number, syscall: string): void {
    this.#file(fd, syscall);
  }

  close(fd: number): void {
    this.#files.close(fd);
  }

  /** From where the descriptor stands to what is the end when it begins, as node does it. */
  *readToEnd(fd: number): Steps<Buffer> {
    const file = this.#file(fd, "read");
    const size = file.is === "file" ? this.#disk.sizeOf(file.node) : 0;
    const parts: Uint8Array[] = [];
    do {
      const part = new Uint8Array(Math.min(Math.max(size - file.position, 1), PART_BYTES));
      const count = yield* this.read(fd, part, null);
      if (count === 0) break;
      parts.push(part.subarray(0, count));
    } while (file.position < size);
    return Buffer.concat(parts);
  }

  /** Node does not ask the system to read nothing. */
  *readSome(fd: number, target: Uint8Array, position: number | null): Steps<number> {
    return target.length === 0 ? 0 : yield* this.read(fd, target, position);
  }

  /** Nor to write nothing, where promises are. */
  *writeSome(fd: number, bytes: Uint8Array, position: number | null): Steps<number> {
    return bytes.length === 0 ? 0 : yield* this.write(fd, bytes, position);
  }

  /** All of it, however little each write takes. */
  *writeAll(fd: number, bytes: Uint8Array): Steps<void> {
    for (let done = 0; done < bytes.length;) {
      done += yield* this.write(fd, bytes.subarray(done, done + PART_BYTES), null);
    }
  }

  /**
   * Where a write must be durable when it returns, a flush follows at once. It covers this write
   * alone, not what was written before through a descriptor that does not wait.
   */
  #writeOnce(file: OpenFile, bytes: Uint8Array, position: number | null): Done {
    const { append, durable } = file.access;
    const at = append ? this.#disk.sizeOf(file.node) : (position ?? file.position);
    const done = this.#disk.write(file, bytes, at);
    if (position === null) file.position = at + done.bytes;
    if (!durable) return done;
    const flushed = this.#disk.flush(file, { only: done.entry!.index });
    const delayTurns = done.delayTurns + flushed.delayTurns;
    return { entry: flushed.entry, bytes: done.bytes, delayTurns };
  }

  #file(fd: number, syscall: string): OpenFile {
    return asCall({ syscall }, () => this.#files.get(fd, syscall));
  }
}
