/**
 * How many blocks maps refer to. Each node is counted once, however many roots reach it, so the
 * usage of ten thousand snapshots costs what their distinct nodes cost.
 */
import { isLeaf, LENGTH_MASK } from "../format/map-node.ts";
import { childOf, type NodeStore } from "./tree.ts";

/** Remembers the blocks below each node that was counted. */
export class UsageCounter {
  readonly #nodes: NodeStore;
  readonly #exclusive: (pblock: number, count: number) => number;
  readonly #known = new Map<number, number>();

  /** `exclusive` says how many blocks of a run have but one reference. */
  constructor(nodes: NodeStore, exclusive: (pblock: number, count: number) => number) {
    this.#nodes = nodes;
    this.#exclusive = exclusive;
  }

  /** Blocks that the map under `root` refers to. */
  referenced(root: number): number {
    if (root === 0) return 0;
    const known = this.#known.get(root);
    if (known !== undefined) return known;
    const node = this.#nodes.get(root);
    let blocks = 0;
    for (let i = 0; i < node.count; i++) {
      if (isLeaf(node)) blocks += node.lengths[i]! & LENGTH_MASK;
      else {
        childOf(this.#nodes, node, i);
        blocks += this.referenced(node.children[i]!);
      }
    }
    this.#known.set(root, blocks);
    return blocks;
  }

  /** Blocks that would come free if the map under `root` went away. */
  exclusive(root: number): number {
    if (root === 0 || this.#nodes.references(root) > 1) return 0;
    const node = this.#nodes.get(root);
    let blocks = 0;
    for (let i = 0; i < node.count; i++) {
      if (isLeaf(node)) blocks += this.#exclusive(node.pblocks[i]!, node.lengths[i]! & LENGTH_MASK);
      else blocks += this.exclusive(node.children[i]!);
    }
    return blocks;
  }
}
