/**
 * How many blocks maps refer to. Each node is counted once, however many roots reach it, so the
 * usage of ten thousand snapshots costs what their distinct nodes cost.
 *
 * Where others wait, a count is cut into turns. What was counted is remembered; the next turn
 * begins at the roots again, as they are by then, and is soon where the last one ended. So it meets
 * no node that has gone meanwhile; what was counted before it changed is not counted again.
 */
import { isLeaf, LENGTH_MASK } from "../format/map-node.ts";
import { childOf, type NodeStore } from "./tree.ts";

/** Remembers the blocks below each node that was counted. */
export class UsageCounter {
  readonly #nodes: NodeStore;
  readonly #exclusive: (pblock: number, count: number) => number;
  readonly #isOver: () => boolean;
  readonly #referencedBelow = new Map<number, number>();
  readonly #exclusiveBelow = new Map<number, number>();

  /**
   * `exclusive` says how many blocks of a run have but one reference; `isOver` is asked after each
   * node whether others want their turn.
   */
  constructor(
    nodes: NodeStore,
    exclusive: (pblock: number, count: number) => number,
    isOver: () => boolean = () => false,
  ) {
    this.#nodes = nodes;
    this.#exclusive = exclusive;
    this.#isOver = isOver;
  }

  /** Blocks that the map under `root` refers to; nothing when the turn is over before. */
  referenced(root: number): number | undefined {
    if (root === 0) return 0;
    const known = this.#referencedBelow.get(root);
    if (known !== undefined) return known;
    const node = this.#nodes.get(root);
    let blocks = 0;
    for (let i = 0; i < node.count; i++) {
      if (isLeaf(node)) blocks += node.lengths[i]! & LENGTH_MASK;
      else {
        const id = node.children[i]!;
        if (!this.#referencedBelow.has(id)) childOf(this.#nodes, node, i);
        const below = this.referenced(id);
        if (below === undefined) return undefined;
        blocks += below;
      }
    }
    this.#referencedBelow.set(root, blocks);
    return this.#isOver() ? undefined : blocks;
  }

  /** Blocks that would come free if the map under `root` went away; nothing as above. */
  exclusive(root: number): number | undefined {
    if (root === 0 || this.#nodes.references(root) > 1) return 0;
    const known = this.#exclusiveBelow.get(root);
    if (known !== undefined) return known;
    const node = this.#nodes.get(root);
    let blocks = 0;
    for (let i = 0; i < node.count; i++) {
      if (isLeaf(node)) blocks += this.#exclusive(node.pblocks[i]!, node.lengths[i]! & LENGTH_MASK);
      else {
        const below = this.exclusive(node.children[i]!);
        if (below === undefined) return undefined;
        blocks += below;
      }
    }
    this.#exclusiveBelow.set(root, blocks);
    return this.#isOver() ? undefined : blocks;
  }
}
