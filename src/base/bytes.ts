/**
 * Little-endian numbers of 48 and 64 bits in a `DataView`, as plain JavaScript numbers.
 *
 * A u64 is read as two u32 (faster than `bigint` fields); a value beyond 2^53 is refused, never
 * rounded.
 */
import { BlockspaceError } from "./errors.ts";

const TWO_32 = 2 ** 32;

export function getU64(view: DataView, offset: number): number {
  const value = view.getUint32(offset + 4, true) * TWO_32 + view.getUint32(offset, true);
  if (value > Number.MAX_SAFE_INTEGER) {
    throw new BlockspaceError("ECORRUPT", "a stored 64-bit number is beyond 2^53");
  }
  return value;
}

export function setU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint32(offset + 4, Math.floor(value / TWO_32), true);
}

export function getU48(view: DataView, offset: number): number {
  return view.getUint16(offset + 4, true) * TWO_32 + view.getUint32(offset, true);
}

export function setU48(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setUint16(offset + 4, Math.floor(value / TWO_32), true);
}

/** A `DataView` over exactly the bytes of `bytes`. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
