/**
 * The checksum of everything we write: CRC-32C (Castagnoli), the one of iSCSI, ext4 and btrfs.
 *
 * `@node-rs/crc32` computes it with the processor's own instruction; every other room takes it
 * from here, so that the choice stands in one place.
 */
import { crc32c as native } from "@node-rs/crc32";

/** CRC-32C of `bytes` as an unsigned 32-bit number, continuing from `initial` when given. */
export function crc32c(bytes: Uint8Array, initial = 0): number {
  return native(bytes, initial) >>> 0;
}

/** The checksum of each block of `data`, whose length is a multiple of `blockSize`. */
export function blockChecksums(data: Uint8Array, blockSize: number): Uint32Array {
  const sums = new Uint32Array(data.length / blockSize);
  for (let i = 0; i < sums.length; i++) {
    sums[i] = crc32c(data.subarray(i * blockSize, (i + 1) * blockSize));
  }
  return sums;
}
