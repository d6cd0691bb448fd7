/**
 * What the demo writes to its clones: stamps, which tell from their bytes alone which clone, place
 * and version they are. They begin and end within blocks, so that every write of one merges with
 * what was there.
 */

/** Bytes from the start of one place for a stamp to the next. */
export const STRIDE: number = 16 * 1024;
const FIRST = 77;
export const STAMP_LENGTH = 10_000;

/** Places for stamps in an image. */
export function placesIn(size: number): number {
  return Math.floor(size / STRIDE);
}

export function offsetOf(place: number): number {
  return place * STRIDE + FIRST;
}

export function stamp(clone: number, place: number, version: number): Buffer {
  const text = `clone ${clone}, place ${place}, version ${version}. `;
  return Buffer.alloc(STAMP_LENGTH, text);
}

/** The version of a stamp that is whole and in its place, or `null`. */
export function versionOf(bytes: Uint8Array, clone: number, place: number): number | null {
  const text = Buffer.from(bytes).toString("latin1", 0, 100);
  const found = /^clone \d+, place \d+, version (\d+)\. /.exec(text)?.[1];
  if (found === undefined) return null;
  const version = Number(found);
  return stamp(clone, place, version).equals(bytes) ? version : null;
}

export function cloneName(clone: number): string {
  return `clone-${String(clone).padStart(3, "0")}`;
}
