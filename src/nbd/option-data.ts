/**
 * The data that options carry, taken apart. It comes from anyone who can connect: every length is
 * held against the bytes that are there, and what does not fit exactly is refused as a whole.
 */
import { MAX_STRING } from "./wire.ts";

/** What `INFO` and `GO` ask for. */
export interface ExportQuery {
  name: string;
  /** Pieces of information wanted. */
  information: number[];
}

/** What `LIST_META_CONTEXT` and `SET_META_CONTEXT` ask for. */
export interface MetaQuery {
  name: string;
  queries: string[];
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A string of the protocol: up to 4,096 bytes of UTF-8. Nothing when it is none. */
export function readString(bytes: Uint8Array): string | undefined {
  if (bytes.length > MAX_STRING) return undefined;
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined;
  }
}

export function readExportQuery(data: Buffer): ExportQuery | undefined {
  const cursor = new Cursor(data);
  const name = cursor.string();
  const count = cursor.number(2);
  const information: number[] = [];
  for (let i = 0; i < count && !cursor.failed; i++) information.push(cursor.number(2));
  return cursor.atEnd ? { name, information } : undefined;
}

export function readMetaQuery(data: Buffer): MetaQuery | undefined {
  const cursor = new Cursor(data);
  const name = cursor.string();
  const count = cursor.number(4);
  const queries: string[] = [];
  for (let i = 0; i < count && !cursor.failed; i++) queries.push(cursor.string());
  return cursor.atEnd ? { name, queries } : undefined;
}

/** Reads on through bytes; once something does not fit, everything fails. */
class Cursor {
  readonly #data: Buffer;
  #at = 0;
  failed = false;

  constructor(data: Buffer) {
    this.#data = data;
  }

  /** Everything has been read, and all of it fitted. */
  get atEnd(): boolean {
    return !this.failed && this.#at === this.#data.length;
  }

  number(bytes: 2 | 4): number {
    if (!this.#has(bytes)) return 0;
    this.#at += bytes;
    return this.#data.readUIntBE(this.#at - bytes, bytes);
  }

  /** A length of 32 bits and as many bytes. */
  string(): string {
    const length = this.number(4);
    if (!this.#has(length)) return "";
    const text = readString(this.#data.subarray(this.#at, this.#at + length));
    this.#at += length;
    if (text === undefined) this.failed = true;
    return text ?? "";
  }

  #has(bytes: number): boolean {
    if (bytes > this.#data.length - this.#at) this.failed = true;
    return !this.failed;
  }
}
