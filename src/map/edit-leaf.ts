/**
 * The edit of one leaf: cut what overlaps the range, give back the blocks that were cut off, put
 * the new extent in, and let it grow together with neighbours it continues.
 *
 * Two extents grow together only within one segment, so a cleaner can move a run of live blocks and
 * shift every extent in it without splitting any.
 */
import { type Leaf, LENGTH_MASK, newLeaf, UNWRITTEN } from "../format/map-node.ts";
import { endOf } from "./lookup.ts";
import { type Tree, upperBound } from "./tree.ts";

/** What takes the place of a range; its length is the range's. */
export interface Insertion {
  pblock: number;
  unwritten: boolean;
}

interface Piece {
  vblock: number;
  pblock: number;
  /** With {@link UNWRITTEN}. */
  length: number;
}

/** A leaf with the one extent of an insertion. */
export function leafOf(tree: Tree, from: number, to: number, insertion: Insertion): Leaf {
  const leaf = newLeaf(tree.nodes.capacity);
  splice(leaf, 0, 0, [pieceOf(from, to, insertion)]);
  return leaf;
}

export function editLeaf(
  tree: Tree,
  leaf: Leaf,
  from: number,
  to: number,
  insertion: Insertion | null,
): void {
  let first = Math.max(0, upperBound(leaf.vblocks, leaf.count, from) - 1);
  if (first < leaf.count && endOf(leaf, first) <= from) first++;
  if (insertion && replaceOne(tree, leaf, first, from, to, insertion)) return;
  let last = first;
  const pieces: Piece[] = [];
  for (; last < leaf.count && leaf.vblocks[last]! < to; last++) {
    const start = leaf.vblocks[last]!;
    const end = endOf(leaf, last);
    const cut = Math.max(start, from);
    tree.blocks.release(leaf.pblocks[last]! + (cut - start), Math.min(end, to) - cut);
    if (start < from) pieces.push(slice(leaf, last, start, from));
    if (end > to) pieces.push(slice(leaf, last, to, end));
  }
  if (!insertion) {
    splice(leaf, first, last - first, pieces);
    return;
  }
  let left = pieces.find((piece) => piece.vblock < from);
  let right = pieces.find((piece) => piece.vblock >= to);
  if (!left && first > 0) left = pieceAt(leaf, --first);
  if (!right && last < leaf.count) right = pieceAt(leaf, last++);
  const joined = grown(tree, [left, pieceOf(from, to, insertion), right]);
  splice(leaf, first, last - first, joined);
}

/**
 * Most edits put one extent in the place of another that is as long: then nothing moves, and no
 * piece need be made. `false` when this is not one of them, and nothing was done.
 */
function replaceOne(
  tree: Tree,
  leaf: Leaf,
  i: number,
  from: number,
  to: number,
  { pblock, unwritten }: Insertion,
): boolean {
  if (i >= leaf.count || leaf.vblocks[i] !== from || endOf(leaf, i) !== to) return false;
  const length = (to - from) | (unwritten ? UNWRITTEN : 0);
  const piece = { vblock: from, pblock, length };
  if (i > 0 && continues(tree, pieceAt(leaf, i - 1), piece)) return false;
  if (i + 1 < leaf.count && continues(tree, piece, pieceAt(leaf, i + 1))) return false;
  tree.blocks.release(leaf.pblocks[i]!, to - from);
  leaf.pblocks[i] = pblock;
  leaf.lengths[i] = length;
  return true;
}

/**
 * Moves the right half of an overfull leaf out; only the last extent when the edit was there, so
 * that a map written in sequence has full leaves.
 */
export function splitLeaf(tree: Tree, leaf: Leaf, from: number): Leaf {
  const atEnd = from >= leaf.vblocks[leaf.count - 1]!;
  const middle = atEnd ? leaf.count - 1 : leaf.count >>> 1;
  const right = newLeaf(tree.nodes.capacity);
  right.count = leaf.count - middle;
  right.vblocks.set(leaf.vblocks.subarray(middle, leaf.count));
  right.pblocks.set(leaf.pblocks.subarray(middle, leaf.count));
  right.lengths.set(leaf.lengths.subarray(middle, leaf.count));
  leaf.count = middle;
  return right;
}

function pieceOf(from: number, to: number, insertion: Insertion): Piece {
  const length = (to - from) | (insertion.unwritten ? UNWRITTEN : 0);
  return { vblock: from, pblock: insertion.pblock, length };
}

function pieceAt(leaf: Leaf, i: number): Piece {
  return { vblock: leaf.vblocks[i]!, pblock: leaf.pblocks[i]!, length: leaf.lengths[i]! };
}

function slice(leaf: Leaf, i: number, from: number, to: number): Piece {
  return {
    vblock: from,
    pblock: leaf.pblocks[i]! + (from - leaf.vblocks[i]!),
    length: (to - from) | (leaf.lengths[i]! & UNWRITTEN),
  };
}

/** The pieces, with those that continue each other made one. */
function grown(tree: Tree, pieces: readonly (Piece | undefined)[]): Piece[] {
  const result: Piece[] = [];
  for (const piece of pieces) {
    if (!piece) continue;
    const before = result.at(-1);
    if (before && continues(tree, before, piece)) {
      before.length += piece.length & LENGTH_MASK;
    } else {
      result.push(piece);
    }
  }
  return result;
}

function continues(tree: Tree, left: Piece, right: Piece): boolean {
  const count = left.length & LENGTH_MASK;
  return (
    left.vblock + count === right.vblock &&
    left.pblock + count === right.pblock &&
    right.pblock % tree.segmentBlocks !== 0 &&
    (left.length & UNWRITTEN) === (right.length & UNWRITTEN)
  );
}

function splice(leaf: Leaf, at: number, remove: number, pieces: readonly Piece[]): void {
  const { vblocks, pblocks, lengths } = leaf;
  const to = at + pieces.length;
  if (pieces.length !== remove) {
    vblocks.copyWithin(to, at + remove, leaf.count);
    pblocks.copyWithin(to, at + remove, leaf.count);
    lengths.copyWithin(to, at + remove, leaf.count);
  }
  pieces.forEach((piece, i) => {
    vblocks[at + i] = piece.vblock;
    pblocks[at + i] = piece.pblock;
    lengths[at + i] = piece.length;
  });
  leaf.count += pieces.length - remove;
}
