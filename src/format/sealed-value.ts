/**
 * The values of a checkpoint environment: a body that its own codec understands, and a seal.
 *
 * | offset | size | field                                                    |
 * | ------ | ---- | -------------------------------------------------------- |
 * | 0      | n    | body                                                     |
 * | n      | 4    | CRC-32 of the 8-byte key followed by the body, u32       |
 *
 * LMDB does not notice damage to its file. The seal does, and since it covers the key as well, a
 * sound value in the wrong place (a misdirected page) is noticed too (promise I6).
 */
import { viewOf } from "../base/bytes.ts";
import { crc32 } from "../base/checksum.ts";
import { BlockspaceError } from "../base/errors.ts";
import { CHECKPOINT_KEY_BYTES, encodeKey } from "./checkpoint-key.ts";

export const SEAL_BYTES = 4;

const key = new Uint8Array(CHECKPOINT_KEY_BYTES);

function checksum(kind: number, id: number, body: Uint8Array): number {
  return crc32(body, crc32(encodeKey(kind, id, key)));
}

/** Memory for a body that {@link sealOwn} need not copy: there is room for its seal behind it. */
export function newBody(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(length + SEAL_BYTES), 0, length);
}

/**
 * As {@link seal}, of a body that is nobody else's. A checkpoint seals thousands; a copy of each
 * was 10 MiB of memory that the collector had not come to yet.
 */
export function sealOwn(kind: number, id: number, body: Uint8Array): Uint8Array {
  const { buffer, byteOffset, length } = body;
  const hasRoom = byteOffset + length + SEAL_BYTES === buffer.byteLength;
  if (!hasRoom) return seal(kind, id, body);
  const value = new Uint8Array(buffer, byteOffset, length + SEAL_BYTES);
  viewOf(value).setUint32(length, checksum(kind, id, body), true);
  return value;
}

/** The value to store: a copy of the body with its seal. */
export function seal(kind: number, id: number, body: Uint8Array): Uint8Array {
  const value = new Uint8Array(body.length + SEAL_BYTES);
  value.set(body);
  viewOf(value).setUint32(body.length, checksum(kind, id, body), true);
  return value;
}

/** The body of a stored value, as a view into it; `ECORRUPT` when the seal does not match. */
export function open(kind: number, id: number, value: Uint8Array): Uint8Array {
  if (isSealed(kind, id, value)) return bodyOf(value);
  // One that has no room for a seal is told of there.
  sealOf(kind, id, value);
  throw new BlockspaceError("ECORRUPT", `value ${id} of kind ${kind} does not match its checksum`);
}

/** True when the value has the seal of this key and of its body. */
export function isSealed(kind: number, id: number, value: Uint8Array): boolean {
  if (value.length < SEAL_BYTES) return false;
  return checksum(kind, id, bodyOf(value)) === sealOf(kind, id, value);
}

function bodyOf(value: Uint8Array): Uint8Array {
  return value.subarray(0, value.length - SEAL_BYTES);
}

/**
 * The checksum that a value carries, taken as it stands; `ECORRUPT` when there is no room for one.
 */
export function sealOf(kind: number, id: number, value: Uint8Array): number {
  if (value.length < SEAL_BYTES) {
    throw new BlockspaceError(
      "ECORRUPT",
      `value ${id} of kind ${kind} has ${value.length} bytes, too few for a checksum`,
    );
  }
  return viewOf(value).getUint32(value.length - SEAL_BYTES, true);
}
