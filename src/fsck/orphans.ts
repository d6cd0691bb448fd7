/**
 * Blocks that are counted and that no map uses. Where no map is lost they are leaks. Where one is,
 * they are what it held: the record of each says at which vblock of which family it was mapped, so
 * a lost part of a map can be made again wherever that leaves no doubt. The rest keeps its data
 * under `lost+found`.
 */
import { type MapNode, newBranch, newLeaf, UNWRITTEN } from "../format/map-node.ts";
import { firstKey } from "../map/tree.ts";
import type { Geometry } from "../space/geometry.ts";
import type { Claims } from "./claims.ts";
import type { Contents } from "./contents.ts";
import type { Hole } from "./kept-maps.ts";

/** A block without a map. */
export interface Orphan {
  vblock: number;
  pblock: number;
  /** References that are counted and not used. */
  excess: number;
  written: boolean;
  /** No map uses it at all. */
  whole: boolean;
}

/** By family, in the order of vblocks. */
export type Orphans = Map<number, Orphan[]>;

/** Every block that has more references than `claims` give it. */
export function findOrphans(contents: Contents, claims: Claims, geometry: Geometry): Orphans {
  const orphans: Orphans = new Map();
  for (const [segment, record] of contents.segments) {
    if (!record) continue;
    const used = claims.segments.get(segment)?.refs;
    for (let i = 0; i < record.refs.length; i++) {
      const pblock = segment * geometry.segmentBlocks + i;
      const excess = record.refs.get(i) - (used?.get(i) ?? 0);
      if (excess <= 0 || pblock >= geometry.capacityBlocks) continue;
      if (used && used.get(i) > 0 && claims.contradicts(record, segment, i)) continue;
      const family = record.families.get(i);
      let list = orphans.get(family);
      if (!list) orphans.set(family, (list = []));
      const [vblock, written] = [record.vblocks.get(i), record.written[i] === 1];
      list.push({ vblock, pblock, excess, written, whole: excess === record.refs.get(i) });
    }
  }
  for (const list of orphans.values()) list.sort((a, b) => a.vblock - b.vblock);
  return orphans;
}

/** Which orphans belong into which hole beyond doubt, and which are left. */
export function assign(
  orphans: readonly Orphan[],
  holes: readonly Hole[],
): { filled: Map<Hole, Orphan[]>; left: Orphan[] } {
  const filled = new Map<Hole, Orphan[]>();
  const left: Orphan[] = [];
  for (let i = 0; i < orphans.length;) {
    const { vblock } = orphans[i]!;
    let end = i + 1;
    while (end < orphans.length && orphans[end]!.vblock === vblock) end++;
    const covering = holes.filter(({ from, to }) => from <= vblock && vblock < to);
    const alone = end === i + 1 && covering.length > 0;
    if (alone && orphans[i]!.excess === covering.length) {
      for (const hole of covering) filled.set(hole, [...(filled.get(hole) ?? []), orphans[i]!]);
    } else left.push(...orphans.slice(i, end));
    i = end;
  }
  return { filled, left };
}

interface Extent {
  vblock: number;
  pblock: number;
  count: number;
  written: boolean;
}

/** Orphans in the order of vblocks, each vblock once, as extents. */
function extentsOf(orphans: readonly Orphan[], segmentBlocks: number): Extent[] {
  const extents: Extent[] = [];
  for (const { vblock, pblock, written } of orphans) {
    const last = extents.at(-1);
    const continues =
      last &&
      last.vblock + last.count === vblock &&
      last.pblock + last.count === pblock &&
      last.written === written &&
      pblock % segmentBlocks !== 0;
    if (continues) last.count++;
    else extents.push({ vblock, pblock, count: 1, written });
  }
  return extents;
}

/** What a subtree is built with. */
export interface Building {
  capacity: number;
  segmentBlocks: number;
  add(node: MapNode): number;
}

/**
 * A map of these orphans, in nodes of at most `capacity` entries; its root is of `level`, where one
 * is given. Nothing when they need a higher one.
 */
export function buildMap(
  orphans: readonly Orphan[],
  level: number | undefined,
  building: Building,
): { root: number; first: number } | undefined {
  const { capacity, segmentBlocks } = building;
  const extents = extentsOf(orphans, segmentBlocks);
  const nodes: MapNode[] = [];
  for (let i = 0; i < extents.length; i += capacity) {
    const leaf = newLeaf(capacity);
    for (const { vblock, pblock, count, written } of extents.slice(i, i + capacity)) {
      leaf.vblocks[leaf.count] = vblock;
      leaf.pblocks[leaf.count] = pblock;
      leaf.lengths[leaf.count] = written ? count : count | UNWRITTEN;
      leaf.count++;
    }
    nodes.push(leaf);
  }
  let height = 0;
  for (let n = nodes.length; n > 1; n = Math.ceil(n / capacity)) height++;
  if (nodes.length === 0 || (level !== undefined && height > level)) return undefined;
  const first = firstKey(nodes[0]!);
  let row = nodes.map((node) => ({ key: firstKey(node), id: building.add(node) }));
  for (let at = 1; at <= (level ?? height); at++) {
    const above: { key: number; id: number }[] = [];
    for (let i = 0; i < row.length; i += capacity) {
      const branch = newBranch(at, capacity);
      for (const { key, id } of row.slice(i, i + capacity)) {
        branch.keys[branch.count] = key;
        branch.children[branch.count] = id;
        branch.count++;
      }
      above.push({ key: branch.keys[0]!, id: building.add(branch) });
    }
    row = above;
  }
  return { root: row[0]!.id, first };
}

/** Splits orphans so that each part has every vblock once at most. */
export function layers(orphans: readonly Orphan[]): Orphan[][] {
  const parts: Orphan[][] = [];
  for (const orphan of orphans) {
    const part = parts.find((list) => list.at(-1)!.vblock < orphan.vblock);
    if (part) part.push(orphan);
    else parts.push([orphan]);
  }
  return parts;
}
