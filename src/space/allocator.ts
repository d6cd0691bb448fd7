/**
 * Where the next write goes. The log fills one open segment from its start to its end; then it
 * opens the next wholly free one, or, when there is none, the emptiest, and fills its holes: so
 * space is usable block by block, and a cleaner only makes it pleasant again.
 *
 * A block is free if and only if no map refers to it, it is not busy (promise I4), and it is not
 * held: staged blocks belong to no map yet and are held until they are committed or given back.
 * What is returned must be claimed or held before the next call.
 */
import { BlockspaceError } from "../base/errors.ts";
import type { BlockRun } from "./busy.ts";
import { EmptiestSegments } from "./emptiest-segments.ts";
import { blocksIn, countsPerSegment, eachSegment, type Geometry } from "./geometry.ts";
import type { Segments } from "./segments.ts";
import { WarmSegments } from "./warm-segments.ts";

/** Their records are no more than a fraction of what a commit may hold. */
const FEW_BLOCKS = 65_536;

export class Allocator {
  readonly #segments: Segments;
  readonly #geometry: Geometry;
  /** By segment: one byte for each block, 1 when it is held. */
  readonly #held = new Map<number, Uint8Array>();
  #heldPerSegment: Uint16Array;
  /** Wholly free segments that are used before any other. */
  readonly warm: WarmSegments = new WarmSegments();
  readonly #emptiest: EmptiestSegments;
  /** No segment was wholly free after so many releases of busy blocks, and none has come free. */
  #noneFreeAt = -1;
  #heldCount = 0;
  #open = -1;
  #next = 0;

  constructor(segments: Segments) {
    this.#segments = segments;
    this.#geometry = segments.geometry;
    this.#heldPerSegment = countsPerSegment(segments.geometry);
    this.#emptiest = new EmptiestSegments(segments.geometry, (segment) => this.used(segment));
  }

  /** There are more segments, and they are free. */
  grow(): void {
    this.#heldPerSegment = countsPerSegment(this.#geometry, this.#heldPerSegment);
    this.#noneFreeAt = -1;
  }

  /** Blocks that are held. */
  get held(): number {
    return this.#heldCount;
  }

  /** A run of 1 to `most` free blocks within one segment; there must be a free block. */
  take(most: number): BlockRun {
    for (let tries = 0; tries < 3; tries++) {
      const run = this.#open < 0 ? undefined : this.#takeFrom(this.#open, most);
      if (run) return run;
      this.#open = this.#choose();
      this.#next = 0;
    }
    throw new BlockspaceError("ENOSPC", "no free block was found although the counts say so");
  }

  /** Exactly `count` contiguous free blocks outside segment `except`, if they are to be had. */
  takeWhole(count: number, except = -1): BlockRun | undefined {
    const usable = this.#open >= 0 && this.#open !== except;
    const run = usable ? this.#peek(this.#open, count) : undefined;
    if (run && run.count === count) return this.take(count);
    const segment = this.#firstWhollyFree(count);
    if (segment < 0) return undefined;
    this.#open = segment;
    this.#next = 0;
    return this.take(count);
  }

  /**
   * How many runs `count` blocks are taken in, at worst. Of few blocks each may be one: to look for
   * segments that are free would take longer than the blocks do, where a large store is half full.
   */
  runsAtMost(count: number): number {
    if (count <= FEW_BLOCKS) return count;
    const { segments, segmentBlocks } = this.#geometry;
    let whole = 0;
    for (let i = 0; i < segments && whole * segmentBlocks < count; i++) {
      if (this.used(i) === 0) whole++;
    }
    const restOfOpen = Math.min(count, segmentBlocks);
    return restOfOpen + whole + Math.max(0, count - whole * segmentBlocks);
  }

  hold(run: BlockRun): void {
    this.#mark(run, 1);
  }

  unhold(run: BlockRun): void {
    this.#mark(run, 0);
  }

  /** Used blocks of any sort in a segment. */
  used(segment: number): number {
    const { live, busy } = this.#segments;
    return live[segment]! + busy.perSegment[segment]! + this.#heldPerSegment[segment]!;
  }

  isHeld(pblock: number): boolean {
    const { segmentBlocks } = this.#geometry;
    const held = this.#held.get(Math.floor(pblock / segmentBlocks));
    return held?.[pblock % segmentBlocks] === 1;
  }

  #takeFrom(segment: number, most: number): BlockRun | undefined {
    const run = this.#peek(segment, most);
    if (run) this.#next = (run.pblock % this.#geometry.segmentBlocks) + run.count;
    return run;
  }

  /** The first free run in the rest of a segment. */
  #peek(segment: number, most: number): BlockRun | undefined {
    const blocks = blocksIn(this.#geometry, segment);
    const { busy } = this.#segments;
    const refs = this.#segments.record(segment)?.refs;
    const held = this.#held.get(segment);
    const isFree = (index: number): boolean =>
      (refs === undefined || refs.get(index) === 0) &&
      !busy.has(segment, index) &&
      held?.[index] !== 1;
    let start = this.#next;
    while (start < blocks && !isFree(start)) start++;
    if (start === blocks) return undefined;
    let end = start + 1;
    while (end < blocks && end - start < most && isFree(end)) end++;
    return { pblock: segment * this.#geometry.segmentBlocks + start, count: end - start };
  }

  /** The next segment to fill, -1 when there is no free block. */
  #choose(): number {
    const free = this.#firstWhollyFree(1);
    return free >= 0 ? free : (this.#emptiest.take() ?? -1);
  }

  /** A wholly free segment of `least` blocks: a warm one, the next behind the open one, or -1. */
  #firstWhollyFree(least: number): number {
    const isFree = (segment: number): boolean =>
      this.used(segment) === 0 && blocksIn(this.#geometry, segment) >= least;
    const warm = this.warm.take(isFree);
    if (warm !== undefined) return warm;
    const { releases } = this.#segments.busy;
    if (this.#noneFreeAt === releases) return -1;
    const { segments } = this.#geometry;
    for (let i = 1; i <= segments; i++) {
      const segment = (this.#open + i) % segments;
      if (isFree(segment)) return segment;
    }
    if (least === 1) this.#noneFreeAt = releases;
    return -1;
  }

  #mark(run: BlockRun, value: 0 | 1): void {
    const sign = value === 1 ? 1 : -1;
    eachSegment(this.#geometry, run.pblock, run.count, (segment, index, count) => {
      let held = this.#held.get(segment);
      if (!held) {
        held = new Uint8Array(this.#geometry.segmentBlocks);
        this.#held.set(segment, held);
      }
      held.fill(value, index, index + count);
      this.#heldPerSegment[segment]! += sign * count;
      if (this.#heldPerSegment[segment] === 0) this.#held.delete(segment);
      if (this.used(segment) === 0) this.#noneFreeAt = -1;
    });
    this.#heldCount += sign * run.count;
  }
}
