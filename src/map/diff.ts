/**
 * Where two maps differ. A node that both share is skipped with everything below it, so comparing
 * two snapshots costs what changed between them. Holes and unwritten extents both read as zeroes
 * and count as equal.
 */
import { isLeaf, type Leaf, type MapNode, UNWRITTEN } from "../format/map-node.ts";
import { endOf } from "./lookup.ts";
import { checkLevel, childIndex, type NodeStore, upperBound } from "./tree.ts";

/** A run of vblocks. */
export interface BlockRange {
  vblock: number;
  count: number;
}

interface Run extends BlockRange {
  pblock: number;
}

/**
 * Runs that are merged into one range. Of what was written at random each block is a run of its
 * own, and a disk all of which differs would be one range, found in one turn of the event loop.
 */
const MOST_MERGED = 4096;

/**
 * The ranges of `[from, to)` whose contents may differ between two roots, in order; neighbours are
 * merged, unless there are too many.
 */
export function* differences(
  nodes: NodeStore,
  a: number,
  b: number,
  from: number,
  to: number,
): Generator<BlockRange> {
  let open: BlockRange | undefined;
  let merged = 0;
  for (const range of compare(nodes, { id: a }, { id: b }, from, to)) {
    if (open && open.vblock + open.count === range.vblock && merged < MOST_MERGED) {
      open.count += range.count;
      merged++;
    } else {
      if (open) yield open;
      open = { ...range };
      merged = 1;
    }
  }
  if (open) yield open;
}

/** A subtree of one of the maps; the level is known once a branch led there. */
interface Subtree {
  id: number;
  level?: number;
}

/** Nodes are loaded only where the ids differ: a shared child costs no more than its entry. */
function* compare(
  nodes: NodeStore,
  a: Subtree,
  b: Subtree,
  from: number,
  to: number,
): Generator<BlockRange> {
  if (a.id === b.id || from >= to) return;
  const left = load(nodes, a);
  const right = load(nodes, b);
  const level = Math.max(left?.level ?? 0, right?.level ?? 0);
  if (level === 0) {
    yield* compareLeaves(left as Leaf | undefined, right as Leaf | undefined, from, to);
    return;
  }
  let at = from;
  while (at < to) {
    const one = step(left, level, a, at);
    const other = step(right, level, b, at);
    const end = Math.min(to, one.end, other.end);
    const differ = one.subtree.id !== other.subtree.id;
    if (differ) yield* compare(nodes, one.subtree, other.subtree, at, end);
    at = end;
  }
}

function load(nodes: NodeStore, { id, level }: Subtree): MapNode | undefined {
  if (id === 0) return undefined;
  const node = nodes.get(id);
  if (level !== undefined) checkLevel(id, node, level);
  return node;
}

/** One level down at vblock `at`, if the node is of this level; and how far that child reaches. */
function step(
  node: MapNode | undefined,
  level: number,
  subtree: Subtree,
  at: number,
): { subtree: Subtree; end: number } {
  if (!node || isLeaf(node) || node.level !== level) return { subtree, end: Infinity };
  const i = childIndex(node, at);
  const end = i + 1 < node.count ? node.keys[i + 1]! : Infinity;
  return { subtree: { id: node.children[i]!, level: level - 1 }, end };
}

function* compareLeaves(
  a: Leaf | undefined,
  b: Leaf | undefined,
  from: number,
  to: number,
): Generator<BlockRange> {
  const left = written(a, from, to);
  const right = written(b, from, to);
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

/** The written extents of a leaf, clipped to `[from, to)`. */
function* written(leaf: Leaf | undefined, from: number, to: number): Generator<Run, undefined> {
  if (!leaf) return;
  const first = Math.max(0, upperBound(leaf.vblocks, leaf.count, from) - 1);
  for (let i = first; i < leaf.count && leaf.vblocks[i]! < to; i++) {
    const vblock = Math.max(from, leaf.vblocks[i]!);
    const count = Math.min(to, endOf(leaf, i)) - vblock;
    if (count <= 0 || leaf.lengths[i]! & UNWRITTEN) continue;
    yield { vblock, pblock: leaf.pblocks[i]! + (vblock - leaf.vblocks[i]!), count };
  }
}
