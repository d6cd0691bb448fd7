/**
 * Moving blocks under a map: the cleaner has copied live blocks of a segment, and every extent that
 * refers to them is shifted, in place, in shared nodes too. What a map says of its contents does
 * not change by that, so no path is copied and all sharers move at once.
 *
 * A block is only ever mapped at the vblock where it was first mapped, in subvolumes of one family.
 * So the owners of the blocks say where in the maps to look, and each node on the way is looked at
 * once, however many blocks move and however many subvolumes share it. No extent reaches beyond the
 * maximal run of live blocks of its segment that it lies in, so moving whole runs cuts none in two.
 */
import { BlockspaceError } from "../base/errors.ts";
import { isLeaf, type Leaf, LENGTH_MASK } from "../format/map-node.ts";
import type { VblockSet } from "./vblock-set.ts";
import { childIndex, childOf, type Tree } from "./tree.ts";

/** A run of physical blocks that moves by `shift`. */
export interface Move {
  pblock: number;
  count: number;
  /** Added to each pblock. */
  shift: number;
}

/**
 * Applies a move to every leaf under `root` that maps one of the owners' vblocks and that `visited`
 * does not hold yet.
 */
export function relocateUnder(
  tree: Tree,
  root: number,
  move: Move,
  owners: VblockSet,
  visited: Set<number>,
): void {
  if (root !== 0) relocateNode({ tree, move, owners, visited }, root, 0, Infinity);
}

interface Relocation {
  tree: Tree;
  move: Move;
  owners: VblockSet;
  visited: Set<number>;
}

/** The node maps nothing outside of `[from, to)`. */
function relocateNode(relocation: Relocation, id: number, from: number, to: number): void {
  const { tree, owners, visited } = relocation;
  if (visited.has(id)) return;
  visited.add(id);
  const node = tree.nodes.get(id);
  if (isLeaf(node)) {
    shiftExtents(relocation, id, node);
    return;
  }
  let at = owners.next(from);
  while (at < to) {
    const i = childIndex(node, at);
    const end = i + 1 < node.count ? Math.min(to, node.keys[i + 1]!) : to;
    childOf(tree.nodes, node, i);
    relocateNode(relocation, node.children[i]!, at, end);
    at = owners.next(end);
  }
}

function shiftExtents({ tree, move }: Relocation, id: number, leaf: Leaf): void {
  const end = move.pblock + move.count;
  let target: Leaf | undefined;
  for (let i = 0; i < leaf.count; i++) {
    const first = leaf.pblocks[i]!;
    const behind = first + (leaf.lengths[i]! & LENGTH_MASK);
    if (first >= end || behind <= move.pblock) continue;
    if (first < move.pblock || behind > end) {
      throw new BlockspaceError("ECORRUPT", "a relocation would cut an extent in two");
    }
    target ??= tree.nodes.edit(id) as Leaf;
    target.pblocks[i] = first + move.shift;
  }
}
