/**
 * The closing record of a checkpoint environment: which state of which store its table holds. It is
 * the sealed value under kind 0, id 0, written in the same transaction as the values it speaks for.
 *
 * A record is valid if and only if (1) its seal matches, (2) its magic is right, (3) its version is
 * known, (4) it has the right length, (5) its reserved bytes are zero, (6) its numbers are below
 * 2^53 and its digest is below 2^48. (3) is `ENOTSUP`, the others are `ECORRUPT`; the version comes
 * before the length, so that a longer record of a later version is told from damage.
 *
 * A valid one may still be that of another store, whose environment was copied over ours: with an
 * LSN that our journal has not reached, nothing but the store's id tells.
 */
import { viewOf } from "../base/bytes.ts";
import { BlockspaceError, type ErrorCode } from "../base/errors.ts";
import { kinds } from "./checkpoint-values.ts";
import { open, seal, SEAL_BYTES } from "./sealed-value.ts";
import { struct, type Struct } from "./struct.ts";
import { STORE_ID_BYTES } from "./superblock.ts";

export interface ClosingRecord {
  /** Counts checkpoints of the store. */
  epoch: number;
  /** The last commit that the values include. */
  lsn: number;
  /** Number of values, this record not counted. */
  count: number;
  /** Sum modulo 2^48 of the digests of all values. */
  digest: number;
  storeId: Uint8Array;
}

interface ClosingFields extends ClosingRecord {
  magic: number;
  version: number;
}

export const closingStruct: Struct<ClosingFields> = struct("closing record", {
  magic: "u32",
  version: "u16",
  reserved: { zero: 2 },
  epoch: "u64",
  lsn: "u64",
  count: "u64",
  digest: "u64",
  storeId: { bytes: STORE_ID_BYTES },
});

/** There is one closing record in an environment, under `kinds.closing` and this id. */
export const CLOSING_ID = 0;
export const CLOSING_VERSION = 1;
/** `BSCR` as bytes. */
const MAGIC = 0x52435342;
const DIGEST_LIMIT = 2 ** 48;

export function encodeClosing(closing: ClosingRecord): Uint8Array {
  const body = new Uint8Array(closingStruct.size);
  closingStruct.write(body, 0, { ...closing, magic: MAGIC, version: CLOSING_VERSION });
  return seal(kinds.closing, CLOSING_ID, body);
}

/** The record in a stored value, or the reason why it is none. */
export function decodeClosing(value: Uint8Array): ClosingRecord {
  const body = open(kinds.closing, CLOSING_ID, value);
  const view = viewOf(body);
  if (body.length < 6) refuse("ECORRUPT", "is cut short");
  if (view.getUint32(0, true) !== MAGIC) refuse("ECORRUPT", "does not begin with BSCR");
  const version = view.getUint16(4, true);
  if (version !== CLOSING_VERSION) {
    refuse("ENOTSUP", `has version ${version}; this library knows ${CLOSING_VERSION}`);
  }
  if (body.length !== closingStruct.size) {
    refuse("ECORRUPT", `has ${value.length} bytes, not ${closingStruct.size + SEAL_BYTES}`);
  }
  const { epoch, lsn, count, digest, storeId } = closingStruct.read(body, 0);
  if (digest >= DIGEST_LIMIT) refuse("ECORRUPT", "has a digest of more than 48 bits");
  return { epoch, lsn, count, digest, storeId };
}

/** What the record says of the table; `ECORRUPT` also where it is not that of this store. */
export function decodeOwnClosing(
  value: Uint8Array,
  own: Uint8Array,
): Omit<ClosingRecord, "storeId"> {
  const { storeId, ...closing } = decodeClosing(value);
  if (Buffer.compare(storeId, own) !== 0) refuse("ECORRUPT", "belongs to another store");
  return closing;
}

function refuse(code: ErrorCode, reason: string): never {
  throw new BlockspaceError(code, `the closing record ${reason}`);
}
