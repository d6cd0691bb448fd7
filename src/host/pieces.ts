/**
 * A range of a subvolume as a caller sees it: cut into pieces that are each a hole, mapped or
 * unwritten, and wholly shared or wholly exclusive.
 */
import { isPathShared, nextExtent } from "../map/lookup.ts";
import type { State } from "../replay/state.ts";

/** A run of vblocks of one kind. */
export interface Piece {
  vblock: number;
  count: number;
  /** First physical block, or `null` for a hole. */
  pblock: number | null;
  unwritten: boolean;
  /** Another map refers to these blocks too. */
  shared: boolean;
  /**
   * May be written where it is: unwritten, of this map alone, and never holding data of another.
   * A block that was committed while a clone shared it holds data, though the clone's map says
   * unwritten; a checkpoint may still refer to that data (promise I4).
   */
  inPlace: boolean;
}

/** The first piece of `[from, to)`, which starts at `from`. */
export function firstPiece(state: State, root: number, from: number, to: number): Piece {
  const extent = nextExtent(state.nodes, root, from, to);
  if (!extent || extent.vblock > from) {
    const count = (extent?.vblock ?? to) - from;
    return { vblock: from, count, pblock: null, unwritten: false, shared: false, inPlace: false };
  }
  const { vblock, pblock, unwritten } = extent;
  const facts = { vblock, pblock, unwritten };
  if (isPathShared(state.nodes, root, vblock)) {
    return { ...facts, count: extent.count, shared: true, inPlace: false };
  }
  // Of all its blocks at once: no extent crosses a segment.
  const { segmentBlocks } = state.geometry;
  const record = state.segments.record(Math.floor(pblock / segmentBlocks));
  const first = pblock % segmentBlocks;
  const isShared = (i: number): boolean => (record?.refs.get(first + i) ?? 0) > 1;
  const isInPlace = (i: number): boolean =>
    unwritten && !isShared(i) && record?.written[first + i] !== 1;
  const shared = isShared(0);
  const inPlace = isInPlace(0);
  let count = 1;
  while (count < extent.count && isShared(count) === shared && isInPlace(count) === inPlace) {
    count++;
  }
  return { ...facts, count, shared, inPlace };
}

/** All pieces of `[from, to)` in order. */
export function* pieces(
  state: State,
  root: number,
  from: number,
  to: number,
): Generator<Piece, void> {
  let at = from;
  while (at < to) {
    const piece = firstPiece(state, root, at, to);
    yield piece;
    at += piece.count;
  }
}

/** The holes of `[from, to)` in order; nothing is asked of the blocks between them. */
export function* holes(
  state: State,
  root: number,
  from: number,
  to: number,
): Generator<{ vblock: number; count: number }, void> {
  let at = from;
  while (at < to) {
    const extent = nextExtent(state.nodes, root, at, to);
    const end = extent?.vblock ?? to;
    if (end > at) yield { vblock: at, count: end - at };
    at = extent ? extent.vblock + extent.count : to;
  }
}
