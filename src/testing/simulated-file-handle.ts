/**
 * The `FileHandle` of a simulated disk: what `open` of the face like `node:fs/promises` resolves
 * to. A call does its first step when it is made; `close` waits for the calls under way.
 */
import type { BigIntStats, Stats, StatOptions } from "node:fs";
import { KiB } from "../base/units.ts";
import { type ContentArgument, contentOf, contentOptions } from "./call-options.ts";
import type { SimulatedDisk } from "./disk.ts";
import { runInTurns, type Steps } from "./steps.ts";
import {
  bytesOf,
  placeOf,
  readTransfer,
  type TransferOptions,
  viewOf,
  writeTransfer,
} from "./transfer-arguments.ts";
import type { WholeCalls } from "./whole-calls.ts";

type View = NodeJS.ArrayBufferView;
type ReadOptions = TransferOptions & { buffer?: View };

/** `read` without a buffer makes one of this size. */
const READ_BYTES: number = 16 * KiB;

export class SimulatedFileHandle {
  readonly #disk: SimulatedDisk;
  readonly #calls: WholeCalls;
  #fd: number;
  readonly #underWay = new Set<Promise<unknown>>();
  #closing: Promise<void> | undefined;

  constructor(disk: SimulatedDisk, calls: WholeCalls, fd: number) {
    this.#disk = disk;
    this.#calls = calls;
    this.#fd = fd;
  }

  /** The descriptor, which the synchronous calls take; -1 once it is closed. */
  get fd(): number {
    return this.#fd;
  }

  async read(
    bufferOrOptions?: View | ReadOptions | null,
    offsetOrOptions?: number | TransferOptions | null,
    length?: number | null,
    position?: number | bigint | null,
  ): Promise<{ bytesRead: number; buffer: View }> {
    const given = ArrayBuffer.isView(bufferOrOptions) ? bufferOrOptions : undefined;
    const options = given ? offsetOrOptions : (bufferOrOptions as ReadOptions | null | undefined);
    const fresh =
      typeof options === "object" && options !== null && (options as ReadOptions).buffer;
    const buffer = given ?? (fresh || Buffer.alloc(READ_BYTES));
    const { bytes, position: at } = readTransfer(buffer, options, length, position);
    const bytesRead = await this.#run("read", (fd) =>
      this.#calls.descriptors.readSome(fd, bytes, at),
    );
    return { bytesRead, buffer };
  }

  async readv(
    buffers: readonly View[],
    position?: number | null,
  ): Promise<{ bytesRead: number; buffers: readonly View[] }> {
    const at = placeOf(position);
    const targets = buffers.map(viewOf);
    const bytesRead = await this.#run("readv", (fd) =>
      this.#calls.descriptors.readv(fd, targets, at),
    );
    return { bytesRead, buffers };
  }

  async write<T extends View | string>(
    data: T,
    offsetOrOptions?: number | TransferOptions | null,
    lengthOrEncoding?: number | string | null,
    position?: number | null,
  ): Promise<{ bytesWritten: number; buffer: T }> {
    const place = writeTransfer(data, offsetOrOptions, lengthOrEncoding, position);
    const { bytes, position: at } = place;
    const bytesWritten = await this.#run("write", (fd) =>
      typeof data === "string"
        ? this.#calls.descriptors.write(fd, bytes, at)
        : this.#calls.descriptors.writeSome(fd, bytes, at),
    );
    return { bytesWritten, buffer: data };
  }

  async writev(
    buffers: readonly View[],
    position?: number | null,
  ): Promise<{ bytesWritten: number; buffers: readonly View[] }> {
    const bytes = Buffer.concat(buffers.map(viewOf));
    const at = placeOf(position);
    const bytesWritten = await this.#run("writev", (fd) =>
      this.#calls.descriptors.write(fd, bytes, at),
    );
    return { bytesWritten, buffers };
  }

  /** From where it stands to the end. */
  async readFile(options?: ContentArgument): Promise<Buffer | string> {
    return contentOf(
      await this.#run("readFile", (fd) => this.#calls.descriptors.readToEnd(fd)),
      options,
    );
  }

  /** From where it stands on; nothing is cut off. */
  async writeFile(data: unknown, options?: ContentArgument): Promise<void> {
    const bytes = bytesOf(data, contentOptions(options).encoding);
    await this.#run("writeFile", (fd) => this.#calls.descriptors.writeAll(fd, bytes));
  }

  /** As node has it: the same as `writeFile`. */
  async appendFile(data: unknown, options?: ContentArgument): Promise<void> {
    await this.writeFile(data, options);
  }

  async truncate(size?: number | null): Promise<void> {
    await this.#run("ftruncate", (fd) => this.#calls.descriptors.truncate(fd, size ?? 0));
  }

  async sync(): Promise<void> {
    await this.#run("fsync", (fd) => this.#calls.descriptors.sync(fd, "fsync"));
  }

  async datasync(): Promise<void> {
    await this.#run("fdatasync", (fd) => this.#calls.descriptors.sync(fd, "fdatasync"));
  }

  async stat(options?: StatOptions): Promise<Stats | BigIntStats> {
    return this.#calls.descriptors.stat(this.#fd, options);
  }

  /** Modes are not simulated: this only looks whether the file is open. */
  async chmod(): Promise<void> {
    this.#calls.descriptors.check(this.#fd, "fchmod");
  }

  /** Owners are not simulated, either. */
  async chown(): Promise<void> {
    this.#calls.descriptors.check(this.#fd, "fchown");
  }

  /** Nor are times. */
  async utimes(): Promise<void> {
    this.#calls.descriptors.check(this.#fd, "futime");
  }

  /** Further calls do nothing. */
  async close(): Promise<void> {
    this.#closing ??= this.#closeWhenIdle();
    await this.#closing;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** `call` is what node calls it when the handle is closed. */
  async #run<T>(call: string, steps: (fd: number) => Steps<T>): Promise<T> {
    this.#calls.descriptors.check(this.#fd, call);
    const result = runInTurns(this.#disk, steps(this.#fd));
    this.#underWay.add(result);
    try {
      return await result;
    } finally {
      this.#underWay.delete(result);
    }
  }

  async #closeWhenIdle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
    const fd = this.#fd;
    this.#fd = -1;
    this.#calls.descriptors.close(fd);
  }
}
