/**
 * Fingerprints of what is on a simulated disk, by which states that are the same are known again
 * and counted once.
 *
 * 64 bits in two lanes, so that among some millions of states no two are likely to share one by
 * chance. The fingerprint of a whole is a sum over its parts, each mixed with its place; the order
 * in which the parts are visited does not count. Not made against forgers.
 */

export interface Fingerprint {
  /** 32 bits each. */
  readonly a: number;
  readonly b: number;
}

export const NOTHING: Fingerprint = { a: 0, b: 0 };

/** The fingerprint of a run of bytes; that of zeroes, however many, is {@link NOTHING}. */
export function fingerprintOf(bytes: Uint8Array): Fingerprint {
  const aligned = bytes.byteOffset % 4 === 0 && bytes.length % 4 === 0 ? bytes : padded(bytes);
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4);
  let a = 0;
  let b = 0;
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (word === 0) continue;
    // Every bit of a word must reach every bit of both lanes (the end of MurmurHash3, public
    // domain, by Austin Appleby): else the same bit in two words makes the same difference.
    let mixed = word ^ Math.imul(i + 1, 0x9e3779b1);
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    mixed ^= mixed >>> 16;
    a = (a + mixed) | 0;
    mixed = Math.imul(mixed + 0x165667b1, 0x27d4eb2f);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d);
    b = (b + (mixed ^ (mixed >>> 13))) | 0;
  }
  return a === 0 && b === 0 ? NOTHING : { a, b };
}

export function fingerprintOfText(text: string): Fingerprint {
  return fingerprintOf(Buffer.from(`${text}.`, "utf8"));
}

/** The fingerprint of `part` at a place of a whole. */
export function placed(part: Fingerprint, place: number): Fingerprint {
  const salt = Math.imul(place + 1, 0x9e3779b1);
  let a = Math.imul(part.a ^ salt, 0x85ebca6b);
  let b = Math.imul(part.b ^ (salt >>> 7), 0xc2b2ae35);
  a = Math.imul(a ^ (a >>> 16) ^ part.b, 0x27d4eb2f);
  b = Math.imul(b ^ (b >>> 13) ^ a, 0x165667b1);
  return { a: a ^ (a >>> 15), b: b ^ (b >>> 16) };
}

export function sum(one: Fingerprint, other: Fingerprint): Fingerprint {
  return { a: (one.a + other.a) | 0, b: (one.b + other.b) | 0 };
}

/** As a number: 53 of the 64 bits, exact. */
export function toNumber({ a, b }: Fingerprint): number {
  return (a >>> 0) * 2 ** 21 + (b >>> 11);
}

function padded(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  copy.set(bytes);
  return copy;
}
