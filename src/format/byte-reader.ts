/**
 * Reads structures and arrays one after the other from bytes that are not trusted: every length is
 * held against the bytes that remain before anything is allocated.
 */
import { viewOf } from "../base/bytes.ts";
import { BlockspaceError } from "../base/errors.ts";
import type { Struct } from "./struct.ts";

/** Takes a byte order mark for the character that it is: a name may begin with one. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #at = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get position(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** The next byte, without moving on. */
  peek(): number {
    this.#require(1);
    return this.#bytes[this.#at]!;
  }

  struct<T>(layout: Struct<T>): T {
    this.#require(layout.size);
    const value = layout.read(this.#bytes, this.#at);
    this.#at += layout.size;
    return value;
  }

  u32s(count: number): Uint32Array {
    this.#require(count * 4);
    const view = viewOf(this.#bytes);
    const values = new Uint32Array(count);
    for (let i = 0; i < count; i++) values[i] = view.getUint32(this.#at + i * 4, true);
    this.#at += count * 4;
    return values;
  }

  /** The next `count` bytes as a view into the source. */
  bytes(count: number): Uint8Array {
    this.#require(count);
    const values = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    return values;
  }

  /** UTF-8 text of `count` bytes; malformed text is damage. */
  text(count: number): string {
    const bytes = this.bytes(count);
    try {
      return decoder.decode(bytes);
    } catch (cause) {
      throw new BlockspaceError("ECORRUPT", `${this.#what} holds malformed text`, { cause });
    }
  }

  /** Refuses bytes left over. */
  end(): void {
    if (this.remaining !== 0) {
      throw new BlockspaceError("ECORRUPT", `${this.#what} has ${this.remaining} bytes too many`);
    }
  }

  #require(count: number): void {
    if (count > this.remaining) {
      throw new BlockspaceError("ECORRUPT", `${this.#what} is cut short`);
    }
  }
}
