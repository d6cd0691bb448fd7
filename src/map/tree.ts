/**
 * The extent map of a subvolume: a copy-on-write B+tree whose nodes may be shared by many roots.
 *
 * LMDB cannot share a subtree between two trees, so the nodes are ours: each has an id and a count
 * of the parents and roots that refer to it. A snapshot copies a root's id and counts one more
 * reference; that is all it costs. An edit walks from the root down and, before it changes a node
 * that somebody else refers to too, copies it: the copy refers to the same children (or blocks),
 * whose counts go up by one. On the way down every node's own count therefore says whether the path
 * to it is shared, and the depth never grows with the number of snapshots.
 *
 *       root A   root B = A's snapshot              A' wrote into leaf 2
 *          \     /                                  A'          B
 *           node 1 (2)                            node 4 (1)   node 1 (1)
 *          /      \                                 |    \    /    |
 *     leaf 2 (1)  leaf 3 (1)                  leaf 5 (1) leaf 3 (2)  leaf 2 (1)
 *
 * A node that loses its last reference is *dead*: it is put aside and taken apart later in bounded
 * steps (`dismantle.ts`), so that delete, rollback and a discard of any size cost what one path
 * costs. The shape of a tree depends only on the edits made to it, so replay builds the same one.
 *
 * Knows nothing of LMDB: it is handed a {@link NodeStore}. After btrfs and dm-thin, which count
 * references in the same lazy way (O. Rodeh, "B-trees, shadowing, and clones", 2008).
 */
import { BlockspaceError } from "../base/errors.ts";
import { type Branch, isLeaf, type MapNode } from "../format/map-node.ts";

/** Where the nodes are. Ids start at 1; 0 stands for an empty tree. */
export interface NodeStore {
  /** Entries that a node holds at most; at least 4. */
  readonly capacity: number;
  /** The node, not to be changed; `ECORRUPT` when it is damaged or missing. */
  get(id: number): MapNode;
  /** The node, to be changed in place. */
  edit(id: number): MapNode;
  /** Keeps a new node with one reference and returns its id. */
  add(node: MapNode): number;
  /** Forgets a node of one reference or none, without touching what it refers to. */
  free(id: number): void;
  references(id: number): number;
  retain(id: number): void;
  /** One reference fewer; a node without any is dead and will be taken apart. */
  release(id: number): void;
}

/** Counts the leaves that refer to each block; a block without any becomes busy. */
export interface BlockReferences {
  retain(pblock: number, count: number): void;
  release(pblock: number, count: number): void;
}

/** What an edit works on. */
export interface Tree {
  readonly nodes: NodeStore;
  readonly blocks: BlockReferences;
  /** No extent crosses a multiple of this. */
  readonly segmentBlocks: number;
}

/** A child of a branch, as its parent knows it. */
export interface Part {
  key: number;
  id: number;
}

/** The child at `index`, which must lie one level below. */
export function childOf(nodes: NodeStore, branch: Branch, index: number): MapNode {
  const id = branch.children[index]!;
  const child = nodes.get(id);
  checkLevel(id, child, branch.level - 1);
  return child;
}

/** Refuses a node that is not of the level of its place. */
export function checkLevel(id: number, node: MapNode, level: number): void {
  if (node.level === level) return;
  throw new BlockspaceError("ECORRUPT", `map node ${id} is not at the level of its place`);
}

/** The index of the child whose range holds `vblock`. */
export function childIndex(branch: Branch, vblock: number): number {
  return Math.max(0, upperBound(branch.keys, branch.count, vblock) - 1);
}

/** The number of the first `count` sorted values that are at most `value`. */
export function upperBound(values: Float64Array, count: number, value: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (values[middle]! <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The smallest key in a node that is not empty. */
export function firstKey(node: MapNode): number {
  return isLeaf(node) ? node.vblocks[0]! : node.keys[0]!;
}
