/**
 * A range of a subvolume as a caller sees it: cut into pieces that are each a hole, mapped or
 * unwritten, and wholly shared or wholly exclusive.
 */
import { nextExtent } from "../map/lookup.ts";
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
}

/** The first piece of `[from, to)`, which starts at `from`. */
export function firstPiece(state: State, root: number, from: number, to: number): Piece {
  const extent = nextExtent(state.nodes, root, from, to);
  if (!extent || extent.vblock > from) {
    const count = (extent?.vblock ?? to) - from;
    return { vblock: from, count, pblock: null, unwritten: false, shared: false };
  }
  const { vblock, pblock, unwritten } = extent;
  if (extent.shared) return { vblock, count: extent.count, pblock, unwritten, shared: true };
  const shared = state.segments.references(pblock) > 1;
  let count = 1;
  while (count < extent.count && state.segments.references(pblock + count) > 1 === shared) count++;
  return { vblock, count, pblock, unwritten, shared };
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
