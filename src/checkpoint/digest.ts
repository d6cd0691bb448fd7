/**
 * The digest of a checkpoint table: one number that tells whether every value that should be there
 * is there, and none that should not.
 *
 * The digest of a table is the sum, modulo 2^48, of the digests of its values: the order does not
 * matter, and a value leaves the sum by subtraction, so that a commit costs what it changes. The
 * digest of a value mixes its key and its checksum, so that the sums of two different tables are
 * equal only by chance (1 in 2^48):
 *
 *     a = mix(crc xor (id modulo 2^32) * 0x9e3779b1)
 *     b = mix(a xor (kind * 2^16 + floor(id / 2^32)) * 0x85ebca6b)
 *     c = mix(b + crc)
 *     digest = (c modulo 2^16) * 2^32 + b
 *
 * with all of a, b and c modulo 2^32. `mix` is the finalizer of MurmurHash3 for 32 bits, a
 * bijection in which every bit of the argument reaches every bit of the result; so under one key,
 * different checksums never have the same digest.
 */
const TWO_32 = 2 ** 32;
const MODULUS = 2 ** 48;

/** The digest of the value under a key that carries the checksum `crc`. */
export function digestOf(kind: number, id: number, crc: number): number {
  const a = mix(crc ^ Math.imul(id % TWO_32, 0x9e3779b1));
  const b = mix(a ^ Math.imul(kind * 0x10000 + Math.floor(id / TWO_32), 0x85ebca6b));
  const c = mix(b + crc);
  return (c & 0xffff) * TWO_32 + b;
}

/** The sum after a value has joined the table. */
export function addDigest(sum: number, digest: number): number {
  return (sum + digest) % MODULUS;
}

/** The sum after a value has left the table. */
export function subtractDigest(sum: number, digest: number): number {
  return (sum - digest + MODULUS) % MODULUS;
}

function mix(value: number): number {
  let hash = value | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
