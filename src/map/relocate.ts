/**
 * Moving blocks under a map: the cleaner has copied a run of live blocks, and every extent that
 * lies in it is shifted, in place, in shared nodes too. What a map says of its contents does not
 * change by that, so no path is copied and all sharers move at once.
 *
 * It works because a block is only ever mapped at the vblock where it was first mapped, in
 * subvolumes of one family, and because no extent reaches beyond the maximal run of live blocks of
 * its segment that it lies in.
 */
import { BlockspaceError } from "../base/errors.ts";
import { isLeaf, type Leaf } from "../format/map-node.ts";
import { endOf } from "./lookup.ts";
import { childIndex, childOf, type Tree } from "./tree.ts";

/** A run of blocks of one owner, contiguous virtually and physically, that moves by `shift`. */
export interface Move {
  vblock: number;
  pblock: number;
  count: number;
  /** Added to each pblock. */
  shift: number;
}

/** Applies a move to every leaf under `root` that `visited` has not seen yet. */
export function relocateUnder(tree: Tree, root: number, move: Move, visited: Set<number>): void {
  if (root === 0 || visited.has(root)) return;
  visited.add(root);
  const node = tree.nodes.get(root);
  const end = move.vblock + move.count;
  if (isLeaf(node)) {
    shiftExtents(tree, root, node, move);
    return;
  }
  for (let i = childIndex(node, move.vblock); i < node.count && node.keys[i]! < end; i++) {
    childOf(tree.nodes, node, i);
    relocateUnder(tree, node.children[i]!, move, visited);
  }
}

function shiftExtents(tree: Tree, id: number, leaf: Leaf, move: Move): void {
  let target: Leaf | undefined;
  for (let i = 0; i < leaf.count; i++) {
    const into = leaf.vblocks[i]! - move.vblock;
    const moves = move.pblock + into === leaf.pblocks[i];
    if (!moves || into >= move.count || endOf(leaf, i) <= move.vblock) continue;
    if (into < 0 || endOf(leaf, i) > move.vblock + move.count) {
      throw new BlockspaceError("ECORRUPT", "a relocation would cut an extent in two");
    }
    target ??= tree.nodes.edit(id) as Leaf;
    target.pblocks[i] = leaf.pblocks[i]! + move.shift;
  }
}
