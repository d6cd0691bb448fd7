/**
 * Fixed layouts as data: a structure is declared once, field by field in the order of its bytes,
 * and that declaration writes it, reads it, and is held against the tables of FORMAT.md by a test.
 *
 * All numbers are little-endian and unsigned. A `zero` field is reserved: written as zeroes, and
 * refused when it reads as anything else, so that it can be given a meaning later. A value that
 * does not fit into its field is refused before a byte is written: cut off, it would be a lie with
 * a good checksum.
 */
import { show } from "../base/arguments.ts";
import { getU48, getU64, setU48, setU64, viewOf } from "../base/bytes.ts";
import { BlockspaceError } from "../base/errors.ts";

/** The type of a field: a number of so many bits, raw bytes, or reserved bytes. */
export type FieldType = "u8" | "u16" | "u32" | "u48" | "u64" | { bytes: number } | { zero: number };

/** One field as it lies on disk; `offset` and `size` in bytes. */
export interface Field {
  name: string;
  offset: number;
  size: number;
}

/** A structure of fixed size that holds a `T`. */
export interface Struct<T> {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly fields: readonly Field[];
  /**
   * Throws `ERANGE` when a value does not fit into its field. Who writes often hands in a `view` of
   * the target.
   */
  write(target: Uint8Array, at: number, value: T, view?: DataView): void;
  /** Throws `ECORRUPT` when the bytes are too few or a reserved field is not zero. */
  read(source: Uint8Array, at: number): T;
}

const numbers = {
  u8: {
    size: 1,
    get: (view: DataView, at: number) => view.getUint8(at),
    set: (view: DataView, at: number, value: number) => view.setUint8(at, value),
  },
  u16: {
    size: 2,
    get: (view: DataView, at: number) => view.getUint16(at, true),
    set: (view: DataView, at: number, value: number) => view.setUint16(at, value, true),
  },
  u32: {
    size: 4,
    get: (view: DataView, at: number) => view.getUint32(at, true),
    set: (view: DataView, at: number, value: number) => view.setUint32(at, value, true),
  },
  u48: { size: 6, get: getU48, set: setU48 },
  u64: { size: 8, get: getU64, set: setU64 },
} as const;

/** A field with what its type needs to know. */
interface Slot extends Field {
  type: FieldType;
  /** The greatest number that fits. */
  most: number;
}

/** Declares a structure from its fields in the order of their bytes. */
export function struct<T>(name: string, layout: Record<string, FieldType>): Struct<T> {
  const slots: Slot[] = [];
  let size = 0;
  for (const [field, type] of Object.entries(layout)) {
    const width = sizeOf(type);
    const most = Math.min(2 ** (8 * width) - 1, Number.MAX_SAFE_INTEGER);
    slots.push({ name: field, offset: size, size: width, type, most });
    size += width;
  }
  return {
    name,
    size,
    fields: slots.map((slot) => ({ name: slot.name, offset: slot.offset, size: slot.size })),
    write(target, at, value, view = viewOf(target)) {
      for (const slot of slots) checkFits(name, slot, value[slot.name as keyof T]);
      for (const slot of slots) writeField(view, target, at, slot, value[slot.name as keyof T]);
    },
    read(source, at) {
      if (at + size > source.length) {
        throw new BlockspaceError("ECORRUPT", `${name} is cut short`);
      }
      const view = viewOf(source);
      const value: Record<string, unknown> = {};
      for (const slot of slots) {
        const read = readField(view, source, at, slot, name);
        if (read !== undefined) value[slot.name] = read;
      }
      return value as T;
    },
  };
}

function sizeOf(type: FieldType): number {
  if (typeof type === "string") return numbers[type].size;
  return "bytes" in type ? type.bytes : type.zero;
}

function checkFits(owner: string, { name, type, most }: Slot, value: unknown): void {
  const fits =
    typeof type === "string"
      ? typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= most
      : !("bytes" in type) || (value as Uint8Array).length === type.bytes;
  if (fits) return;
  throw new BlockspaceError("ERANGE", `${owner}.${name} cannot hold ${show(value)}`);
}

function writeField(
  view: DataView,
  target: Uint8Array,
  base: number,
  { type, offset }: Slot,
  value: unknown,
): void {
  const at = base + offset;
  if (typeof type === "string") numbers[type].set(view, at, value as number);
  else if ("bytes" in type) target.set(value as Uint8Array, at);
  else target.fill(0, at, at + type.zero);
}

function readField(
  view: DataView,
  source: Uint8Array,
  base: number,
  { name, type, offset }: Slot,
  owner: string,
): number | Uint8Array | undefined {
  const at = base + offset;
  if (typeof type === "string") return numbers[type].get(view, at);
  // A copy also of a Buffer, whose own `slice` makes none.
  if ("bytes" in type) return new Uint8Array(source.subarray(at, at + type.bytes));
  for (let i = at; i < at + type.zero; i++) {
    if (source[i] === 0) continue;
    throw new BlockspaceError("ECORRUPT", `${owner}.${name} is reserved and not zero`);
  }
  return undefined;
}
