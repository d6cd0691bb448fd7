/**
 * Where two maps differ. A node that both share is skipped with everything below it, so comparing
 * two snapshots costs what changed between them. Holes and unwritten extents both read as zeroes
 * and count as equal.
 */
import type { MapNode } from "../format/map-node.ts";
import { isLeaf } from "../format/map-node.ts";
import { extents } from "./lookup.ts";
import { childIndex, childOf, type NodeStore } from "./tree.ts";

/** A run of vblocks. */
export interface BlockRange {
  vblock: number;
  count: number;
}

/** The ranges of `[from, to)` whose contents may differ between two roots, in order, merged. */
export function* differences(
  nodes: NodeStore,
  a: number,
  b: number,
  from: number,
  to: number,
): Generator<BlockRange> {
  let open: BlockRange | undefined;
  for (const range of compare(nodes, a, b, from, to)) {
    if (open && open.vblock + open.count === range.vblock) open.count += range.count;
    else {
      if (open) yield open;
      open = { ...range };
    }
  }
  if (open) yield open;
}

function* compare(
  nodes: NodeStore,
  a: number,
  b: number,
  from: number,
  to: number,
): Generator<BlockRange> {
  if (a === b || from >= to) return;
  const left = a === 0 ? undefined : nodes.get(a);
  const right = b === 0 ? undefined : nodes.get(b);
  const deeper = higher(left, right);
  if (!deeper) {
    yield* compareExtents(nodes, a, b, from, to);
    return;
  }
  let at = from;
  while (at < to) {
    const one = step(nodes, left, deeper.level, a, at);
    const other = step(nodes, right, deeper.level, b, at);
    const end = Math.min(to, one.end, other.end);
    yield* compare(nodes, one.id, other.id, at, end);
    at = end;
  }
}

/** The branch of greater level among the two, if any is a branch. */
function higher(left: MapNode | undefined, right: MapNode | undefined): MapNode | undefined {
  const taller = !right || (left && left.level >= right.level) ? left : right;
  return taller && !isLeaf(taller) ? taller : undefined;
}

/** One level down at vblock `at`, if the node is of this level; and how far that child reaches. */
function step(
  nodes: NodeStore,
  node: MapNode | undefined,
  level: number,
  id: number,
  at: number,
): { id: number; end: number } {
  if (!node || isLeaf(node) || node.level !== level) return { id, end: Infinity };
  const i = childIndex(node, at);
  childOf(nodes, node, i);
  return { id: node.children[i]!, end: i + 1 < node.count ? node.keys[i + 1]! : Infinity };
}

function* compareExtents(
  nodes: NodeStore,
  a: number,
  b: number,
  from: number,
  to: number,
): Generator<BlockRange> {
  const left = written(nodes, a, from, to);
  const right = written(nodes, b, from, to);
  let one = left.next().value;
  let other = right.next().value;
  let at = from;
  while (one || other) {
    const next = Math.min(one?.vblock ?? Infinity, other?.vblock ?? Infinity);
    at = Math.max(at, next);
    const inOne = one && one.vblock <= at ? one : undefined;
    const inOther = other && other.vblock <= at ? other : undefined;
    const end = Math.min(
      inOne ? inOne.vblock + inOne.count : (one?.vblock ?? Infinity),
      inOther ? inOther.vblock + inOther.count : (other?.vblock ?? Infinity),
    );
    const same =
      inOne && inOther && inOne.pblock - inOne.vblock === inOther.pblock - inOther.vblock;
    if (!same) yield { vblock: at, count: end - at };
    at = end;
    if (one && one.vblock + one.count <= at) one = left.next().value;
    if (other && other.vblock + other.count <= at) other = right.next().value;
  }
}

function* written(
  nodes: NodeStore,
  root: number,
  from: number,
  to: number,
): Generator<{ vblock: number; pblock: number; count: number }, undefined> {
  for (const extent of extents(nodes, root, from, to)) if (!extent.unwritten) yield extent;
}
