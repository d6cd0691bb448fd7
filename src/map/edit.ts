/**
 * The one edit of a map: make `[from, to)` a hole, and put an extent there if one is given. Writes,
 * discards, truncation and preallocation are all this.
 *
 * Going down, the children wholly inside the range are released as they are, subtree and all; only
 * the two paths along the range's ends are opened. Coming up, each level splices in what became of
 * its children, splits when it overflows, and joins neighbours that have run nearly empty.
 */
import { BlockspaceError } from "../base/errors.ts";
import {
  type Branch,
  copyNode,
  isLeaf,
  LENGTH_MASK,
  type MapNode,
  newBranch,
} from "../format/map-node.ts";
import { editLeaf, type Insertion, leafOf, splitLeaf } from "./edit-leaf.ts";
import { nextExtent } from "./lookup.ts";
import { childIndex, childOf, firstKey, type Part, type Tree, upperBound } from "./tree.ts";

/** Replaces `[from, to)` in the map under `root`; returns the root of the map as it is then. */
export function replaceRange(
  tree: Tree,
  root: number,
  from: number,
  to: number,
  insertion: Insertion | null,
): number {
  if (to <= from) return root;
  checkInsertion(tree, from, to, insertion);
  // A hole stays a hole, and shared nodes stay shared.
  if (!insertion && !nextExtent(tree.nodes, root, from, to)) return root;
  if (root === 0) return insertion ? tree.nodes.add(leafOf(tree, from, to, insertion)) : 0;
  const parts = editNode(tree, root, from, to, insertion);
  if (parts.length > 1) {
    const level = tree.nodes.get(parts[0]!.id).level + 1;
    const branch = newBranch(level, tree.nodes.capacity);
    spliceParts(branch, 0, 0, parts);
    return tree.nodes.add(branch);
  }
  return parts[0] ? collapse(tree, parts[0].id) : 0;
}

function checkInsertion(tree: Tree, from: number, to: number, insertion: Insertion | null): void {
  if (!insertion) return;
  const inSegment = (insertion.pblock % tree.segmentBlocks) + (to - from);
  if (inSegment > tree.segmentBlocks) {
    throw new BlockspaceError("ECORRUPT", "an extent crosses a segment");
  }
}

/** Takes away a root that has but one child. */
function collapse(tree: Tree, root: number): number {
  let id = root;
  for (;;) {
    const node = tree.nodes.get(id);
    if (isLeaf(node) || node.count > 1 || tree.nodes.references(id) > 1) return id;
    tree.nodes.free(id);
    id = node.children[0]!;
  }
}

/** A node that only this path refers to, with its id: itself, or a copy of a shared one. */
export function own(tree: Tree, id: number): { id: number; node: MapNode } {
  const { nodes } = tree;
  if (nodes.references(id) === 1) return { id, node: nodes.edit(id) };
  const node = copyNode(nodes.get(id));
  retainContents(tree, node);
  nodes.release(id);
  return { id: nodes.add(node), node };
}

function retainContents(tree: Tree, node: MapNode): void {
  for (let i = 0; i < node.count; i++) {
    if (isLeaf(node)) tree.blocks.retain(node.pblocks[i]!, node.lengths[i]! & LENGTH_MASK);
    else tree.nodes.retain(node.children[i]!);
  }
}

/** Edits the node and returns what stands in its place: nothing, itself (or a copy), or two. */
function editNode(
  tree: Tree,
  shared: number,
  from: number,
  to: number,
  insertion: Insertion | null,
): Part[] {
  const { id, node } = own(tree, shared);
  let right: MapNode | undefined;
  if (isLeaf(node)) {
    editLeaf(tree, node, from, to, insertion);
    if (node.count > tree.nodes.capacity) right = splitLeaf(tree, node, from);
  } else {
    editBranch(tree, node, from, to, insertion);
    if (node.count > tree.nodes.capacity) right = splitBranch(tree, node, from);
  }
  if (node.count === 0) {
    tree.nodes.free(id);
    return [];
  }
  const parts = [{ key: firstKey(node), id }];
  if (right) parts.push({ key: firstKey(right), id: tree.nodes.add(right) });
  return parts;
}

function editBranch(
  tree: Tree,
  branch: Branch,
  from: number,
  to: number,
  insertion: Insertion | null,
): void {
  const first = childIndex(branch, from);
  const last = Math.max(first, upperBound(branch.keys, branch.count, to - 1) - 1);
  const parts: Part[] = [];
  for (let i = first; i <= last; i++) {
    const id = branch.children[i]!;
    const mine = i === first ? insertion : null;
    // Of a child that ends before the range does, everything behind `from` goes.
    const end = i < last && !mine ? Infinity : to;
    if (from <= branch.keys[i]! && end === Infinity) tree.nodes.release(id);
    else {
      childOf(tree.nodes, branch, i);
      parts.push(...editNode(tree, id, from, end, mine));
    }
  }
  spliceParts(branch, first, last - first + 1, parts);
  for (let i = first + parts.length - 1; i >= first; i--) joinIfLow(tree, branch, i);
}

function spliceParts(branch: Branch, at: number, remove: number, parts: readonly Part[]): void {
  const { keys, children } = branch;
  if (parts.length !== remove) {
    keys.copyWithin(at + parts.length, at + remove, branch.count);
    children.copyWithin(at + parts.length, at + remove, branch.count);
  }
  parts.forEach((part, i) => {
    keys[at + i] = part.key;
    children[at + i] = part.id;
  });
  branch.count += parts.length - remove;
}

/** Moves the right half of an overfull branch out; only the last child when the edit was there. */
function splitBranch(tree: Tree, branch: Branch, from: number): Branch {
  const atEnd = from >= branch.keys[branch.count - 1]!;
  const middle = atEnd ? branch.count - 1 : branch.count >>> 1;
  const right = newBranch(branch.level, tree.nodes.capacity);
  right.count = branch.count - middle;
  right.keys.set(branch.keys.subarray(middle, branch.count));
  right.children.set(branch.children.subarray(middle, branch.count));
  branch.count = middle;
  return right;
}

/** Joins a child that has run nearly empty with a neighbour, when both fit well into one node. */
function joinIfLow(tree: Tree, branch: Branch, i: number): void {
  const { nodes } = tree;
  const count = nodes.get(branch.children[i]!).count;
  if (count >= nodes.capacity / 4) return;
  for (const left of [i - 1, i]) {
    if (left < 0 || left + 1 >= branch.count) continue;
    const other = childOf(nodes, branch, left === i ? i + 1 : left).count;
    if (count + other <= (nodes.capacity * 3) / 4) {
      join(tree, branch, left);
      return;
    }
  }
}

/** Moves everything of child `i + 1` into child `i`. */
function join(tree: Tree, branch: Branch, i: number): void {
  const left = own(tree, branch.children[i]!);
  const right = own(tree, branch.children[i + 1]!);
  append(left.node, right.node);
  tree.nodes.free(right.id);
  branch.children[i] = left.id;
  spliceParts(branch, i + 1, 1, []);
}

function append(left: MapNode, right: MapNode): void {
  if (isLeaf(left) && isLeaf(right)) {
    left.vblocks.set(right.vblocks.subarray(0, right.count), left.count);
    left.pblocks.set(right.pblocks.subarray(0, right.count), left.count);
    left.lengths.set(right.lengths.subarray(0, right.count), left.count);
  } else if (!isLeaf(left) && !isLeaf(right) && left.level === right.level) {
    left.keys.set(right.keys.subarray(0, right.count), left.count);
    left.children.set(right.children.subarray(0, right.count), left.count);
  } else {
    throw new BlockspaceError("ECORRUPT", "two neighbouring map nodes are of different levels");
  }
  left.count += right.count;
}
