/**
 * A growing buffer that structures and arrays are appended to; the commits of a journal frame are
 * written straight into one.
 */
import { viewOf } from "../base/bytes.ts";
import type { Struct } from "./struct.ts";

export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 4096) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = viewOf(this.#bytes);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  struct<T>(layout: Struct<T>, value: T): void {
    const at = this.#take(layout.size);
    layout.write(this.#bytes, at, value, this.#view);
  }

  u32s(values: Uint32Array): void {
    let at = this.#take(values.length * 4);
    for (const value of values) {
      this.#view.setUint32(at, value, true);
      at += 4;
    }
  }

  bytes(values: Uint8Array): void {
    const at = this.#take(values.length);
    this.#bytes.set(values, at);
  }

  /** Writes a u32 over four bytes that were appended before. */
  patchU32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  /** Forgets what was appended after `length`. */
  truncate(length: number): void {
    this.#length = length;
  }

  /** What was written, without a copy; valid until the next append. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #take(count: number): number {
    const at = this.#length;
    if (at + count > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, at + count));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = viewOf(grown);
    }
    this.#length = at + count;
    return at;
  }
}
