/**
 * What the closing record of a table must say, computed the slow way from every value in it.
 */
import type { Change, Environment } from "../../src/checkpoint/environment.ts";
import { digestOf } from "../../src/checkpoint/digest.ts";
import { open, seal } from "../../src/format/sealed-value.ts";

/** Of the store that the environments of these tests belong to. */
export const storeId: Uint8Array = Uint8Array.of(0x57, 1, 2, 3, 4, 5, 6, 7);

/** Count and digest of what is stored under `kinds`; every value must open. */
export function naiveClosing(
  environment: Environment,
  kinds: readonly number[],
): { count: number; digest: number } {
  let count = 0;
  let digest = 0n;
  for (const kind of kinds) {
    for (const { id, value } of environment.scan(kind)) {
      open(kind, id, value);
      count++;
      const crc = Buffer.from(value).readUInt32LE(value.length - 4);
      digest += BigInt(digestOf(kind, id, crc));
    }
  }
  return { count, digest: Number(digest % 2n ** 48n) };
}

/** A change that puts a sealed value of `length` equal bytes. */
export function put(kind: number, id: number, length: number, byte = 1): Change {
  return { kind, id, value: seal(kind, id, new Uint8Array(length).fill(byte)) };
}

export function remove(kind: number, id: number): Change {
  return { kind, id, value: null };
}
