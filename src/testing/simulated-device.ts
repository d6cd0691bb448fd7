/**
 * The {@link Device} face of a file on a simulated disk: the promises and refusals of a device over
 * a file descriptor. A call has done its work when it returns; its promise resolves without timers,
 * so that hundreds of thousands of crashes can be run over it.
 */
import { BlockspaceError } from "../base/errors.ts";
import { checkWithin, type Device } from "../device/device.ts";
import { closedError, ioError } from "../device/medium-error.ts";
import type { Done, FoundFile, SimulatedDisk } from "./disk.ts";

export class SimulatedDevice implements Device {
  readonly path: string;
  readonly #disk: SimulatedDisk;
  readonly #file: FoundFile;
  readonly #mode: "read" | "write";
  #size: number;
  #closed = false;

  constructor(disk: SimulatedDisk, file: FoundFile, mode: "read" | "write" = "write") {
    this.path = file.path;
    this.#size = disk.sizeOf(file.node);
    this.#disk = disk;
    this.#file = file;
    this.#mode = mode;
  }

  get size(): number {
    return this.#size;
  }

  /** Bytes that are taken by what was written and not discarded, in whole pages. */
  get occupiedBytes(): number {
    return this.#disk.occupiedBytesOf(this.#file.node);
  }

  async read(target: Uint8Array, offset: number): Promise<void> {
    this.#check("read", offset, target.length);
    await this.#do("read", { offset, length: target.length }, () => {
      const done = this.#disk.read(this.#file, target, offset);
      if (done.bytes < target.length) throw new Error(`only ${done.bytes} bytes could be read`);
      return done;
    });
  }

  /** Not where somebody watches: a fault may take its time. */
  readNow(target: Uint8Array, offset: number): boolean {
    this.#check("read", offset, target.length);
    if (this.#disk.onOperation) return false;
    return this.#disk.read(this.#file, target, offset).bytes === target.length;
  }

  async write(chunks: readonly Uint8Array[], offset: number): Promise<void> {
    const bytes = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
    this.#check("write", offset, bytes.length);
    await this.#do("write", { offset, length: bytes.length }, () => {
      const done = this.#disk.write(this.#file, bytes, offset);
      if (done.bytes < bytes.length) throw new Error(`only ${done.bytes} bytes were written`);
      return done;
    });
  }

  async flush(): Promise<void> {
    this.#checkOpen();
    await this.#do("flush", {}, () => this.#disk.flush(this.#file));
  }

  async discard(offset: number, length: number): Promise<void> {
    this.#check("discard", offset, length);
    await this.#do("discard", { offset, length }, () =>
      this.#disk.discard(this.#file, offset, length),
    );
  }

  async extend(size: number): Promise<void> {
    this.#check("extension", 0, 0);
    if (size <= this.#size) return;
    await this.#do("extension", { length: size }, () => this.#disk.resize(this.#file, size));
    this.#size = size;
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #do(
    kind: string,
    place: { offset?: number; length?: number },
    work: () => Done,
  ): Promise<void> {
    try {
      await this.#disk.settle(work());
    } catch (error) {
      throw ioError(`${kind} of ${this.path}`, { path: this.path, ...place }, error);
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError(this.path);
  }

  #check(kind: "read" | "write" | "discard" | "extension", offset: number, length: number): void {
    this.#checkOpen();
    checkWithin(this, offset, length);
    if (kind !== "read" && this.#mode === "read") {
      const place = { path: this.path, offset, length };
      throw new BlockspaceError("EIO", `${this.path} was opened for reading only`, place);
    }
  }
}
