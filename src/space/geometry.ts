/**
 * The numbers of a store that space is counted in, and the way from a physical block to its
 * segment. They are fixed, but that a store can be made larger.
 */
import { PAGE_ENTRIES } from "../format/checkpoint-values.ts";
import type { Superblock } from "../format/superblock.ts";

export interface Geometry {
  /** Bytes. */
  readonly blockSize: number;
  readonly segmentBlocks: number;
  /** This and `segments` change with {@link growGeometry} alone. */
  readonly capacityBlocks: number;
  readonly segments: number;
  /** Byte address of physical block 0. */
  readonly dataOffset: number;
  /** Largest encoded map node in bytes. */
  readonly nodeSize: number;
}

export function geometryOf(superblock: Superblock): Geometry {
  const { blockSize, segmentBlocks, capacityBlocks, dataOffset, nodeSize } = superblock;
  const segments = Math.ceil(capacityBlocks / segmentBlocks);
  return { blockSize, segmentBlocks, capacityBlocks, segments, dataOffset, nodeSize };
}

/** Gives a geometry more blocks, for all who share it. */
export function growGeometry(geometry: Geometry, capacityBlocks: number): void {
  const segments = Math.ceil(capacityBlocks / geometry.segmentBlocks);
  Object.assign(geometry, { capacityBlocks, segments });
}

/** A count for each segment: what `former` says of those that it has, 0 for the others. */
export function countsPerSegment(geometry: Geometry, former?: Uint16Array): Uint16Array {
  const counts = new Uint16Array(geometry.segments);
  if (former) counts.set(former);
  return counts;
}

/** Blocks in a segment: all but the last one are whole. */
export function blocksIn(geometry: Geometry, segment: number): number {
  const { segmentBlocks, capacityBlocks } = geometry;
  return Math.min(segmentBlocks, capacityBlocks - segment * segmentBlocks);
}

/** Segments on a page of their counts of blocks in use: all but the last page are full. */
export function segmentsOnPage(geometry: Geometry, page: number): number {
  return Math.max(0, Math.min(PAGE_ENTRIES, geometry.segments - page * PAGE_ENTRIES));
}

/** Byte address of a physical block. */
export function addressOf(geometry: Geometry, pblock: number): number {
  return geometry.dataOffset + pblock * geometry.blockSize;
}

/** Calls `visit` for each part of a run of blocks that lies in one segment. */
export function eachSegment(
  geometry: Geometry,
  pblock: number,
  count: number,
  visit: (segment: number, index: number, count: number) => void,
): void {
  const { segmentBlocks } = geometry;
  let at = pblock;
  const end = pblock + count;
  while (at < end) {
    const segment = Math.floor(at / segmentBlocks);
    const index = at % segmentBlocks;
    const part = Math.min(end - at, segmentBlocks - index);
    visit(segment, index, part);
    at += part;
  }
}
