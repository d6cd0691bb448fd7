/**
 * Promise I4, as a waiting room: a block that lost its last reference is *busy*, and not written
 * again, for as long as one of the two checkpoints may refer to it.
 *
 * Four generations of bitmaps pass through. A block freed now is in `current`. When checkpoint E
 * freezes the state, `current` becomes `frozen`: E no longer refers to these blocks, but checkpoint
 * E-1 does. When E has become durable in place of E-2, what was frozen at E-1 (`former`) is in
 * neither of the two checkpoints that are left: it is `leaving`, holes are punched into it, and
 * then it is free. A checkpoint stores its `frozen` generation, so that a reopened store goes on
 * waiting.
 */
import { BlockspaceError } from "../base/errors.ts";
import { countsPerSegment, eachSegment, type Geometry } from "./geometry.ts";

/** By segment: one bit for each block. */
type Bitmaps = Map<number, Uint8Array>;

/** A run of physical blocks. */
export interface BlockRun {
  pblock: number;
  count: number;
}

export class BusyBlocks {
  readonly #geometry: Geometry;
  #current: Bitmaps = new Map();
  #frozen: Bitmaps = new Map();
  #former: Bitmaps = new Map();
  #leaving: Bitmaps = new Map();
  #count = 0;
  #currentCount = 0;
  /** How often blocks that were leaving have come free. */
  releases = 0;
  /** Busy blocks in each segment. */
  perSegment: Uint16Array;

  constructor(geometry: Geometry) {
    this.#geometry = geometry;
    this.perSegment = countsPerSegment(geometry);
  }

  /** There are more segments. */
  grow(): void {
    this.perSegment = countsPerSegment(this.#geometry, this.perSegment);
  }

  get count(): number {
    return this.#count;
  }

  /** About how many of them came free since the last checkpoint began. */
  get currentCount(): number {
    return this.#currentCount;
  }

  add(pblock: number, count: number): void {
    eachSegment(this.#geometry, pblock, count, (segment, index, part) => {
      const bits = this.#bitmap(this.#current, segment);
      for (let i = index; i < index + part; i++) bits[i >> 3]! |= 1 << (i & 7);
      this.perSegment[segment]! += part;
    });
    this.#count += count;
    this.#currentCount += count;
  }

  has(segment: number, index: number): boolean {
    if (this.perSegment[segment] === 0) return false;
    const at = index >> 3;
    const bit = 1 << (index & 7);
    const any =
      (this.#current.get(segment)?.[at] ?? 0) |
      (this.#frozen.get(segment)?.[at] ?? 0) |
      (this.#former.get(segment)?.[at] ?? 0) |
      (this.#leaving.get(segment)?.[at] ?? 0);
    return (any & bit) !== 0;
  }

  /**
   * Blocks are allocated. A running host allocates no busy block; but a replay that begins at the
   * older checkpoint, or at none, comes past allocations of blocks that had left in the meantime.
   */
  allocated(segment: number, index: number, count: number): void {
    if (this.perSegment[segment] === 0) return;
    for (let i = index; i < index + count; i++) {
      if (this.has(segment, i)) this.#forget(segment, i);
    }
  }

  #forget(segment: number, index: number): void {
    for (const generation of [this.#current, this.#frozen, this.#former, this.#leaving]) {
      const bits = generation.get(segment);
      if (bits) bits[index >> 3]! &= ~(1 << (index & 7));
    }
    this.perSegment[segment]! -= 1;
    this.#count--;
  }

  /** A checkpoint begins. */
  freeze(): void {
    this.#frozen = this.#current;
    this.#current = new Map();
    this.#currentCount = 0;
  }

  /** What the checkpoint stores: a bitmap for each segment with blocks it just stopped using. */
  frozen(): ReadonlyMap<number, Uint8Array> {
    return this.#frozen;
  }

  /** The segments whose bitmaps the checkpoint before stored. */
  formerSegments(): number[] {
    return [...this.#former.keys()];
  }

  /** Takes up what the newest checkpoint stored. */
  load(segment: number, bitmap: Uint8Array): void {
    this.#former.set(segment, new Uint8Array(bitmap));
    const blocks = blocksSet(bitmap);
    this.perSegment[segment]! += blocks;
    this.#count += blocks;
  }

  /** The checkpoint is durable: what was frozen by the one before it starts to leave. */
  thaw(): void {
    if (this.#leaving.size > 0) {
      throw new BlockspaceError("EINVAL", "the blocks that were leaving have not been released");
    }
    this.#leaving = this.#former;
    this.#former = this.#frozen;
    this.#frozen = new Map();
  }

  /** By segment, the runs that are leaving; a block that is `pinned` waits two checkpoints more. */
  leaving(pinned: ReadonlySet<number>): Map<number, BlockRun[]> {
    for (const pblock of pinned) this.#stay(pblock);
    const { segmentBlocks } = this.#geometry;
    const runs = new Map<number, BlockRun[]>();
    for (const [segment, bitmap] of this.#leaving) {
      const own = runsIn(bitmap, segment * segmentBlocks);
      if (own.length > 0) runs.set(segment, own);
    }
    return runs;
  }

  #stay(pblock: number): void {
    const { segmentBlocks } = this.#geometry;
    const segment = Math.floor(pblock / segmentBlocks);
    const index = pblock % segmentBlocks;
    const at = index >> 3;
    const bit = 1 << (index & 7);
    const leaving = this.#leaving.get(segment);
    if (!leaving || (leaving[at]! & bit) === 0) return;
    leaving[at]! &= ~bit;
    this.#bitmap(this.#current, segment)[at]! |= bit;
  }

  /** What was leaving is free now. */
  release(): void {
    for (const [segment, bitmap] of this.#leaving) {
      const blocks = blocksSet(bitmap);
      this.perSegment[segment]! -= blocks;
      this.#count -= blocks;
    }
    this.#leaving = new Map();
    this.releases++;
  }

  #bitmap(generation: Bitmaps, segment: number): Uint8Array {
    let bits = generation.get(segment);
    if (!bits) {
      bits = new Uint8Array(Math.ceil(this.#geometry.segmentBlocks / 8));
      generation.set(segment, bits);
    }
    return bits;
  }
}

/** How many bits are set. */
function blocksSet(bitmap: Uint8Array): number {
  let blocks = 0;
  for (let byte of bitmap) for (; byte !== 0; byte &= byte - 1) blocks++;
  return blocks;
}

/** The runs of set bits, the first of which stands for `pblock`. Most bytes are 0. */
function runsIn(bitmap: Uint8Array, pblock: number): BlockRun[] {
  const runs: BlockRun[] = [];
  let last: BlockRun | undefined;
  for (let at = 0; at < bitmap.length; at++) {
    const byte = bitmap[at]!;
    if (byte === 0) continue;
    for (let bit = 0; bit < 8; bit++) {
      if (((byte >> bit) & 1) === 0) continue;
      const block = pblock + at * 8 + bit;
      if (last && last.pblock + last.count === block) last.count++;
      else runs.push((last = { pblock: block, count: 1 }));
    }
  }
  return runs;
}
