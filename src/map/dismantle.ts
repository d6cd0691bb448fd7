/**
 * Taking dead nodes apart: a node that nobody refers to gives back the references it holds itself,
 * one node a step, so that a subvolume of any size is deleted in bounded steps.
 */
import { isLeaf, LENGTH_MASK } from "../format/map-node.ts";
import type { Tree } from "./tree.ts";

/** Takes one dead node apart; children that die by it are dead nodes in their turn. */
export function dismantle(tree: Tree, id: number): void {
  const node = tree.nodes.get(id);
  for (let i = 0; i < node.count; i++) {
    if (isLeaf(node)) tree.blocks.release(node.pblocks[i]!, node.lengths[i]! & LENGTH_MASK);
    else tree.nodes.release(node.children[i]!);
  }
  tree.nodes.free(id);
}
