/**
 * Damage that a medium does to bytes, whatever they mean: pure functions, which return other bytes
 * and leave theirs alone.
 */
import { below, type Random } from "./random.ts";

export const SECTOR = 512;

/** How bytes are hurt; `older` is the same file at an earlier time. */
export type ByteVerb = (bytes: Uint8Array, random: Random, older?: Uint8Array) => Uint8Array;

/** A sector that lies whole within the bytes. */
function sector(bytes: Uint8Array, random: Random): number {
  return below(random, Math.max(1, Math.floor(bytes.length / SECTOR))) * SECTOR;
}

export const byteVerbs: Readonly<Record<string, ByteVerb>> = {
  /** One bit is another. */
  flip(bytes, random) {
    const copy = Uint8Array.from(bytes);
    copy[below(random, copy.length)]! ^= 1 << below(random, 8);
    return copy;
  },
  /** A sector reads as zeroes. */
  zero(bytes, random) {
    const at = sector(bytes, random);
    return Uint8Array.from(bytes).fill(0, at, at + SECTOR);
  },
  /** A sector holds noise. */
  noise(bytes, random) {
    const copy = Uint8Array.from(bytes);
    const at = sector(copy, random);
    for (let i = at; i < Math.min(at + SECTOR, copy.length); i++) copy[i] = below(random, 256);
    return copy;
  },
  /** Two sectors have changed places. */
  swap(bytes, random) {
    const copy = Uint8Array.from(bytes);
    const [one, other] = [sector(bytes, random), sector(bytes, random)];
    copy.set(bytes.subarray(one, one + SECTOR), other);
    copy.set(bytes.subarray(other, other + SECTOR), one);
    return copy;
  },
  /** The file ends early. */
  truncate(bytes, random) {
    return bytes.slice(0, below(random, bytes.length));
  },
  /** A sector was written to the place of another. */
  misdirect(bytes, random) {
    const copy = Uint8Array.from(bytes);
    const [from, to] = [sector(bytes, random), sector(bytes, random)];
    copy.set(bytes.subarray(from, from + SECTOR), to);
    return copy;
  },
  /** A write of a sector was lost: it holds what it held before. */
  replay(bytes, random, older = new Uint8Array(bytes.length)) {
    const copy = Uint8Array.from(bytes);
    const at = sector(bytes, random);
    copy.set(older.subarray(at, Math.min(at + SECTOR, copy.length)), at);
    return copy;
  },
};
