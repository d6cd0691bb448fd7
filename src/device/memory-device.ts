/**
 * The medium in memory: a {@link Device} over a {@link MemoryFile}, with the same promises and the
 * same refusals as one over a file descriptor, and a count of what was done.
 *
 * It takes no time: a call has done its work when it returns, and its promise resolves without
 * timers, so that a test can run hundreds of thousands of crashes over it.
 */
import { BlockspaceError } from "../base/errors.ts";
import { type Device, checkWithin } from "./device.ts";
import { closedError } from "./medium-error.ts";
import type { MemoryFile } from "./memory-file.ts";
import { type OnOperation, announce } from "./operation.ts";

export class MemoryDevice implements Device {
  readonly path: string;
  readonly size: number;
  /** Calls of each kind that succeeded through this opening of the file. */
  reads = 0;
  writes = 0;
  flushes = 0;
  discards = 0;
  readonly #file: MemoryFile;
  readonly #mode: "read" | "write";
  readonly #onOperation: OnOperation | undefined;
  #closed = false;

  constructor(
    file: MemoryFile,
    path: string,
    mode: "read" | "write" = "write",
    onOperation?: OnOperation,
  ) {
    this.path = path;
    this.size = file.size;
    this.#file = file;
    this.#mode = mode;
    this.#onOperation = onOperation;
  }

  /** Bytes that are taken by what was written and not discarded, in whole pages. */
  get occupiedBytes(): number {
    return this.#file.occupiedBytes;
  }

  async read(target: Uint8Array, offset: number): Promise<void> {
    this.#begin("read", offset, target.length);
    this.#file.read(target, offset);
    this.reads++;
  }

  async write(chunks: readonly Uint8Array[], offset: number): Promise<void> {
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    this.#begin("write", offset, length);
    const bytes = new Uint8Array(length);
    let done = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, done);
      done += chunk.length;
    }
    this.writes++;
    await this.#file.write(bytes, offset);
  }

  async flush(): Promise<void> {
    this.#checkOpen();
    announce(this.#onOperation, { kind: "flush", path: this.path });
    this.#file.flush();
    this.flushes++;
  }

  async discard(offset: number, length: number): Promise<void> {
    this.#begin("discard", offset, length);
    this.discards++;
    await this.#file.discard(offset, length);
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError(this.path);
  }

  #begin(kind: "read" | "write" | "discard", offset: number, length: number): void {
    this.#checkOpen();
    checkWithin(this, offset, length);
    if (kind !== "read" && this.#mode === "read") {
      const place = { path: this.path, offset, length };
      throw new BlockspaceError("EIO", `${this.path} was opened for reading only`, place);
    }
    announce(this.#onOperation, { kind, path: this.path, offset, length });
  }
}
