/**
 * What a walk over all maps asks of each block that it comes to, side by side in memory. Maps lead
 * to blocks in no order, and a store has millions of them: what counts is how many places of memory
 * a look touches.
 */
import type { SegmentRecord } from "../format/segment-record.ts";
import type { Geometry } from "../space/geometry.ts";
import type { Values } from "./contents.ts";

/** Numbers kept of each block: its owner, its vblock, and how many leaves refer to it. */
const CELLS = 3;
/** The owner of a block that is not in use. */
const FREE = -1;

/** The blocks of one segment that maps refer to. */
export interface SegmentCells {
  cells: Float64Array;
  /** There is no record that makes sense. */
  isLost: boolean;
}

export class BlockTable {
  readonly #segments = new Map<number, SegmentCells>();
  readonly #records: Values<SegmentRecord>;
  readonly #segmentBlocks: number;

  constructor(records: Values<SegmentRecord>, { segmentBlocks }: Geometry) {
    this.#records = records;
    this.#segmentBlocks = segmentBlocks;
  }

  of(segment: number): SegmentCells {
    let found = this.#segments.get(segment);
    if (!found) this.#segments.set(segment, (found = this.#load(segment)));
    return found;
  }

  /** By block of a segment: how many leaves refer to it; nothing when none refers to any. */
  counted(segment: number): Uint32Array | undefined {
    const found = this.#segments.get(segment);
    if (!found) return undefined;
    return Uint32Array.from({ length: this.#segmentBlocks }, (_, i) => found.cells[i * CELLS + 2]!);
  }

  #load(segment: number): SegmentCells {
    const record = this.#records.get(segment);
    const cells = new Float64Array(this.#segmentBlocks * CELLS);
    for (let i = 0; i < this.#segmentBlocks; i++) {
      const isLive = record && record.refs.get(i) > 0;
      cells[i * CELLS] = isLive ? ownerOf(record.families.get(i), record.written[i] === 1) : FREE;
      cells[i * CELLS + 1] = isLive ? record.vblocks.get(i) : 0;
    }
    return { cells, isLost: !record };
  }
}

/** Counts a leaf that refers to blocks; false when their records say anything else than it does. */
export function countExtent(
  { cells }: SegmentCells,
  index: number,
  { vblock, count, written }: { vblock: number; count: number; written: boolean },
  family: number | undefined,
): boolean {
  const owner = family === undefined ? FREE : ownerOf(family, written);
  let fits = true;
  for (let i = 0, at = index * CELLS; i < count; i++, at += CELLS) {
    cells[at + 2]! += 1;
    if (cells[at] === FREE) continue;
    if (cells[at] !== owner || cells[at + 1] !== vblock + i) fits = false;
  }
  return fits;
}

/** The family in which a block is in use, if it is. */
export function familyOf({ cells }: SegmentCells, index: number): number | undefined {
  const owner = cells[index * CELLS]!;
  return owner === FREE ? undefined : Math.floor(owner / 2);
}

function ownerOf(family: number, isWritten: boolean): number {
  return family * 2 + (isWritten ? 1 : 0);
}
