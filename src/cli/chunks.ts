/**
 * Data on its way between files and subvolumes: large chunks, and within them the runs of blocks
 * that are not all zeroes.
 */
import { MiB } from "../base/units.ts";
import type { ByteRange } from "../host/host.ts";

/** Bytes in a chunk at most; chunks end at multiples of it. */
export const CHUNK_BYTES: number = MiB;

/** Bytes that belong at an offset. */
export interface Chunk {
  offset: number;
  bytes: Uint8Array;
}

/** Cuts ranges into chunks; all but the first of a range begin at multiples of `size`. */
export function* cut(
  ranges: Iterable<ByteRange>,
  size: number = CHUNK_BYTES,
): Generator<ByteRange, void> {
  for (const { offset, length } of ranges) {
    const end = offset + length;
    for (let at = offset; at < end;) {
      const next = Math.min(end, nextBoundary(at, size));
      yield { offset: at, length: next - at };
      at = next;
    }
  }
}

/** A stream of bytes as chunks, the first of them at `offset`. Each has memory of its own. */
export async function* chunksOf(
  stream: AsyncIterable<Uint8Array>,
  offset: number,
): AsyncGenerator<Chunk, void> {
  let start = offset;
  let buffer = newBuffer(nextBoundary(start) - start);
  let filled = 0;
  for await (const piece of stream) {
    let rest = piece;
    while (rest.length > 0) {
      const taken = rest.subarray(0, buffer.length - filled);
      buffer.set(taken, filled);
      filled += taken.length;
      rest = rest.subarray(taken.length);
      if (filled < buffer.length) continue;
      yield { offset: start, bytes: buffer };
      start += filled;
      buffer = newBuffer(CHUNK_BYTES);
      filled = 0;
    }
  }
  if (filled > 0) yield { offset: start, bytes: buffer.subarray(0, filled) };
}

/** Memory that is to be filled to the end: clearing it first can cost more than the filling. */
export function newBuffer(length: number): Buffer {
  return Buffer.allocUnsafeSlow(length);
}

/** A chunk of zeroes, not to be changed. */
export const ZEROES: Buffer = Buffer.alloc(CHUNK_BYTES);

/**
 * The runs of a chunk that are worth writing: whole blocks (and the parts of blocks at its ends)
 * that hold more than zeroes.
 */
export function* nonZeroRuns({ offset, bytes }: Chunk, blockSize: number): Generator<Chunk, void> {
  if (isZero(bytes)) return;
  let start: number | undefined;
  let at = 0;
  while (at < bytes.length) {
    const next = Math.min(bytes.length, at + blockSize - ((offset + at) % blockSize));
    const zero = isZero(bytes.subarray(at, next));
    if (zero && start !== undefined) {
      yield { offset: offset + start, bytes: bytes.subarray(start, at) };
      start = undefined;
    } else if (!zero) start ??= at;
    at = next;
  }
  if (start !== undefined) yield { offset: offset + start, bytes: bytes.subarray(start) };
}

function isZero(bytes: Uint8Array): boolean {
  if (bytes.length <= ZEROES.length)
    return ZEROES.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;
  return isZero(bytes.subarray(0, ZEROES.length)) && isZero(bytes.subarray(ZEROES.length));
}

function nextBoundary(at: number, size: number = CHUNK_BYTES): number {
  return (Math.floor(at / size) + 1) * size;
}
