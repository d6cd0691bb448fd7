/**
 * Reading a map: the next extent at or after a vblock. Every step starts again at the root, so a
 * caller may hold its place while the map changes under it.
 */
import { isLeaf, LENGTH_MASK, UNWRITTEN } from "../format/map-node.ts";
import type { Leaf, MapNode } from "../format/map-node.ts";
import { childIndex, childOf, type NodeStore, upperBound } from "./tree.ts";

/** A run of blocks that is contiguous virtually and physically. */
export interface Extent {
  vblock: number;
  pblock: number;
  /** Blocks. */
  count: number;
  unwritten: boolean;
}

/** The first extent that reaches into `[from, to)`, clipped to that range. */
export function nextExtent(
  nodes: NodeStore,
  root: number,
  from: number,
  to: number,
): Extent | undefined {
  if (root === 0 || from >= to) return undefined;
  return search(nodes, nodes.get(root), from, to);
}

/** True when another root leads to the leaf that holds `vblock`; its blocks are shared then. */
export function isPathShared(nodes: NodeStore, root: number, vblock: number): boolean {
  let id = root;
  for (;;) {
    if (nodes.references(id) > 1) return true;
    const node = nodes.get(id);
    if (isLeaf(node)) return false;
    id = node.children[childIndex(node, vblock)]!;
  }
}

function search(nodes: NodeStore, node: MapNode, from: number, to: number): Extent | undefined {
  if (isLeaf(node)) return searchLeaf(node, from, to);
  for (let i = childIndex(node, from); i < node.count && node.keys[i]! < to; i++) {
    const found = search(nodes, childOf(nodes, node, i), from, to);
    if (found) return found;
  }
  return undefined;
}

function searchLeaf(leaf: Leaf, from: number, to: number): Extent | undefined {
  let i = Math.max(0, upperBound(leaf.vblocks, leaf.count, from) - 1);
  if (i < leaf.count && endOf(leaf, i) <= from) i++;
  if (i >= leaf.count || leaf.vblocks[i]! >= to) return undefined;
  const start = Math.max(from, leaf.vblocks[i]!);
  return {
    vblock: start,
    pblock: leaf.pblocks[i]! + (start - leaf.vblocks[i]!),
    count: Math.min(to, endOf(leaf, i)) - start,
    unwritten: (leaf.lengths[i]! & UNWRITTEN) !== 0,
  };
}

/** The vblock behind extent `i` of a leaf. */
export function endOf(leaf: Leaf, i: number): number {
  return leaf.vblocks[i]! + (leaf.lengths[i]! & LENGTH_MASK);
}

/** Every extent that reaches into `[from, to)`, clipped; holes are what lies between. */
export function* extents(
  nodes: NodeStore,
  root: number,
  from: number,
  to: number,
): Generator<Extent> {
  let at = from;
  for (;;) {
    const extent = nextExtent(nodes, root, at, to);
    if (!extent) return;
    yield extent;
    at = extent.vblock + extent.count;
  }
}
