/**
 * The keys of a checkpoint environment: which kind of value, and which one of them.
 *
 * | offset | size | field                   |
 * | ------ | ---- | ----------------------- |
 * | 0      | 1    | kind                    |
 * | 1      | 1    | zero                    |
 * | 2      | 6    | id, **big-endian** u48  |
 *
 * Keys are the one thing we write big-endian: LMDB compares them byte by byte, so they sort by kind
 * and then by id. Kind 0 belongs to the closing record alone.
 */
import { checkWhole } from "../base/arguments.ts";
import { viewOf } from "../base/bytes.ts";
import { BlockspaceError } from "../base/errors.ts";

export const CHECKPOINT_KEY_BYTES = 8;
/** The greatest id, 2^48 - 1. */
export const MAX_ID: number = 2 ** 48 - 1;

const MAX_KIND = 255;
const TWO_32 = 2 ** 32;

/** Throws `EINVAL` unless kind and id fit into a key. */
export function checkKey(kind: number, id: number): void {
  if (checkWhole("the kind", kind) > MAX_KIND || checkWhole("the id", id) > MAX_ID) {
    throw new BlockspaceError(
      "EINVAL",
      `kind ${kind} and id ${id} make no key; allowed are up to ${MAX_KIND} and 2^48 - 1`,
    );
  }
}

/** Writes the key into `target` (a new array unless one is handed in) and returns it. */
export function encodeKey(
  kind: number,
  id: number,
  target: Uint8Array = new Uint8Array(CHECKPOINT_KEY_BYTES),
): Uint8Array {
  checkKey(kind, id);
  const view = viewOf(target);
  view.setUint8(0, kind);
  view.setUint8(1, 0);
  view.setUint16(2, Math.floor(id / TWO_32));
  view.setUint32(4, id % TWO_32);
  return target;
}

/** Kind and id of a key that was read, or `ECORRUPT`. */
export function decodeKey(key: Uint8Array): { kind: number; id: number } {
  const view = viewOf(key);
  if (key.length !== CHECKPOINT_KEY_BYTES || view.getUint8(1) !== 0) {
    const bytes = Buffer.from(key).toString("hex");
    throw new BlockspaceError(
      "ECORRUPT",
      `a checkpoint key reads ${bytes}, which is no kind and id`,
    );
  }
  return { kind: view.getUint8(0), id: view.getUint16(2) * TWO_32 + view.getUint32(4) };
}
