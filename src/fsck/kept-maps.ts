/**
 * The part of a set of maps that can be kept: nodes as they are, with a *hole* wherever a child is
 * missing, unreadable or out of place. Sharing is kept as well: a node that many maps refer to is
 * kept once, and a lost one is one hole, however many branches lead to it.
 */
import type { SubvolumeEntry } from "../format/checkpoint-values.ts";
import { isLeaf, LENGTH_MASK, type MapNode, newBranch, newLeaf } from "../format/map-node.ts";
import { firstKey } from "../map/tree.ts";
import type { Geometry } from "../space/geometry.ts";
import type { Contents } from "./contents.ts";

/** A place in the maps where a node is lost. */
export interface Hole {
  key: string;
  /** Of the lost node; unknown for a root. */
  level: number | undefined;
  /** The vblocks that it may have mapped. */
  from: number;
  to: number;
  entry: SubvolumeEntry;
  /** The node that was put in its place, and its first vblock. */
  filled: number;
  first: number;
}

/** An extent that makes no sense and is left out. */
export interface DroppedExtent {
  entry: SubvolumeEntry;
  vblock: number;
  count: number;
}

interface Kept {
  first: number;
  end: number;
  family: number;
}

interface Place {
  entry: SubvolumeEntry;
  level: number | undefined;
  /** What the parent's keys say. */
  from: number;
  to: number;
  /** What neighbours and the parent leave room for. */
  least: number;
  most: number;
}

/** Takes nodes up; `done` remembers which, so that what is shared is taken up once. */
export interface Finishing {
  add(id: number, node: MapNode): void;
  done: Map<number, number | undefined>;
}

export class KeptMaps {
  readonly holes: Map<string, Hole> = new Map();
  readonly dropped: DroppedExtent[] = [];
  /** Nodes that were walked to, kept or not. */
  readonly reached: Set<number> = new Set();
  readonly #contents: Contents;
  readonly #geometry: Geometry;
  readonly #kept = new Map<number, Kept | null>();
  readonly #leaves = new Map<number, MapNode>();
  readonly #branches = new Map<number, { level: number; children: (number | Hole)[] }>();
  readonly #capacity: number;

  constructor(contents: Contents, geometry: Geometry, capacity: number) {
    this.#contents = contents;
    this.#geometry = geometry;
    this.#capacity = capacity;
  }

  /** Keeps what can be kept of the map of a subvolume; a hole stands for a root that is lost. */
  keepRoot(entry: SubvolumeEntry): number | Hole {
    const all = { from: 0, to: Infinity, least: 0, most: Infinity };
    const place = { entry, level: undefined, ...all };
    return entry.root === 0 ? 0 : this.#keep(entry.root, place, `root ${entry.id}`);
  }

  /** The vblock behind the last that a kept map holds. */
  endOf(root: number | Hole): number {
    return typeof root === "number" ? (this.#kept.get(root)?.end ?? 0) : 0;
  }

  /** Hands out every node as it is to be stored, holes filled or left out; returns the new root. */
  finish(root: number | Hole, finishing: Finishing): number {
    if (typeof root !== "number") return root.filled;
    return this.#finish(root, finishing) === undefined ? 0 : root;
  }

  #keep(id: number, place: Place, at: string): number | Hole {
    this.reached.add(id);
    const node = this.#contents.nodes.get(id);
    if (!node) return this.#hole(`node ${id}`, place);
    if (place.level !== undefined && node.level !== place.level) return this.#hole(at, place);
    let kept = this.#kept.get(id);
    if (kept === undefined) {
      kept = isLeaf(node) ? this.#keepLeaf(id, place) : this.#keepBranch(id, place);
      this.#kept.set(id, kept);
    }
    if (!kept) return 0;
    const { first, end, family } = kept;
    const fits = first >= place.least && end <= place.most && family === place.entry.family;
    return fits ? id : this.#hole(at, place);
  }

  #hole(key: string, { entry, level, from, to }: Place): Hole {
    const known = this.holes.get(key);
    if (known) {
      known.from = Math.max(known.from, from);
      known.to = Math.min(known.to, to);
      return known;
    }
    const hole = { key, level, from, to, entry, filled: 0, first: 0 };
    this.holes.set(key, hole);
    return hole;
  }

  #keepLeaf(id: number, { entry }: Place): Kept | null {
    const node = this.#contents.nodes.get(id)!;
    if (!isLeaf(node)) return null;
    const { segmentBlocks, capacityBlocks } = this.#geometry;
    const leaf = newLeaf(this.#capacity);
    for (let i = 0; i < node.count; i++) {
      const vblock = node.vblocks[i]!;
      const pblock = node.pblocks[i]!;
      const count = node.lengths[i]! & LENGTH_MASK;
      if ((pblock % segmentBlocks) + count > segmentBlocks || pblock + count > capacityBlocks) {
        this.dropped.push({ entry, vblock, count });
        continue;
      }
      leaf.vblocks[leaf.count] = vblock;
      leaf.pblocks[leaf.count] = pblock;
      leaf.lengths[leaf.count] = node.lengths[i]!;
      leaf.count++;
    }
    if (leaf.count === 0) return null;
    this.#leaves.set(id, leaf);
    const last = leaf.count - 1;
    const end = leaf.vblocks[last]! + (leaf.lengths[last]! & LENGTH_MASK);
    return { first: leaf.vblocks[0]!, end, family: entry.family };
  }

  #keepBranch(id: number, place: Place): Kept | null {
    const node = this.#contents.nodes.get(id)!;
    if (isLeaf(node)) return null;
    const children: (number | Hole)[] = [];
    const kept: Kept = { first: Infinity, end: 0, family: place.entry.family };
    for (let i = 0; i < node.count; i++) {
      const from = i === 0 ? place.from : node.keys[i]!;
      const to = i + 1 < node.count ? node.keys[i + 1]! : place.to;
      const least = Math.max(place.least, kept.end);
      const below = { ...place, level: node.level - 1, from, to, least };
      const child = this.#keep(node.children[i]!, below, `child ${i} of ${id}`);
      if (child === 0) continue;
      children.push(child);
      const found = typeof child === "number" ? this.#kept.get(child) : undefined;
      if (!found) continue;
      kept.first = Math.min(kept.first, found.first);
      kept.end = Math.max(kept.end, found.end);
    }
    if (children.length === 0) return null;
    this.#branches.set(id, { level: node.level, children });
    if (kept.first === Infinity) kept.first = Math.max(place.from, node.keys[0]!);
    return kept;
  }

  /** A node and all below it; returns its first vblock, or nothing when nothing is left. */
  #finish(id: number, finishing: Finishing): number | undefined {
    const { done } = finishing;
    if (done.has(id)) return done.get(id);
    const node = this.#leaves.get(id) ?? this.#finishBranch(id, finishing);
    const first = node && firstKey(node);
    done.set(id, first);
    if (node) finishing.add(id, node);
    return first;
  }

  #finishBranch(id: number, finishing: Finishing): MapNode | undefined {
    const branch = this.#branches.get(id);
    if (!branch) return undefined;
    const node = newBranch(branch.level, this.#capacity);
    for (const child of branch.children) {
      const target = typeof child === "number" ? child : child.filled;
      if (target === 0) continue;
      const first = typeof child === "number" ? this.#finish(child, finishing) : child.first;
      if (first === undefined) continue;
      node.keys[node.count] = first;
      node.children[node.count] = target;
      node.count++;
    }
    return node.count === 0 ? undefined : node;
  }
}
