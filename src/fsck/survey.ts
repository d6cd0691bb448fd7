/**
 * Walks all maps of an image from their roots, each node once, and compares what they refer to with
 * what is counted: references of nodes and blocks, owners, bounds. It needs nothing to be sound:
 * levels must fall from parent to child, so that no cycle can keep it, and a node that makes no
 * sense ends the walk there and nowhere else.
 */
import type { SubvolumeEntry } from "../format/checkpoint-values.ts";
import {
  type Branch,
  isLeaf,
  type Leaf,
  LENGTH_MASK,
  type MapNode,
  UNWRITTEN,
} from "../format/map-node.ts";
import { addressOf, type Geometry } from "../space/geometry.ts";
import { BlockTable, countExtent, familyOf } from "./block-table.ts";
import type { Contents } from "./contents.ts";
import type { Report } from "./findings.ts";

/** What a node maps, all below it included. */
interface Visit {
  level: number;
  first: number;
  end: number;
  family: number | undefined;
}

interface Extent {
  vblock: number;
  pblock: number;
  count: number;
  written: boolean;
}

/** Where the walk is: what it came from, and what may stand here. */
interface Place {
  /** None for dead nodes. */
  entry: SubvolumeEntry | undefined;
  family: number | undefined;
  /** None for a root. */
  level: number | undefined;
  from: number;
  to: number;
}

export class Survey {
  /** By node: how many branches and roots refer to it. */
  readonly incoming: Map<number, number> = new Map();
  /** How many leaves refer to each block. */
  readonly blocks: BlockTable;
  /** What the nodes that were reached map; `null` for those that make no sense. */
  readonly visited: Map<number, Visit | null> = new Map();
  readonly #contents: Contents;
  readonly #geometry: Geometry;
  readonly #report: Report;
  readonly #lostSegments = new Set<number>();

  constructor(contents: Contents, geometry: Geometry, report: Report) {
    this.#contents = contents;
    this.#geometry = geometry;
    this.blocks = new BlockTable(contents.segments, geometry);
    this.#report = report;
  }

  /** Walks every map, and then what awaits reclaim. */
  run(): this {
    for (const entry of this.#contents.subvolumes.values()) {
      if (entry.root === 0) continue;
      const place = { entry, family: entry.family, level: undefined, from: 0, to: Infinity };
      const visit = this.#refer(entry.root, place);
      const blocks = Math.ceil(entry.size / this.#geometry.blockSize);
      if (visit && visit.end > blocks) {
        this.#range("X005", entry, blocks, visit.end, "is mapped beyond its end");
      }
    }
    this.#walkDead();
    return this;
  }

  #walkDead(): void {
    const { dead, references } = this.#contents;
    const seen = new Set<number>();
    for (const id of dead) {
      const value = `node ${id}`;
      const node = this.#contents.nodes.get(id);
      if (seen.has(id)) this.#report("X018", `map node ${id} is listed as dead twice`, { value });
      else if (this.visited.has(id)) {
        this.#report("X018", `map node ${id} is listed as dead and is in use`, { value });
      } else if (!node) {
        this.#report("X018", `map node ${id} is listed as dead and is not there`, { value });
      } else if (references.has(id)) {
        this.#report("X018", `map node ${id} is listed as dead and has references`, { value });
      }
      const repeated = seen.has(id) || this.visited.has(id);
      seen.add(id);
      if (repeated || !node) continue;
      const place = {
        entry: undefined,
        family: undefined,
        level: undefined,
        from: 0,
        to: Infinity,
      };
      this.visited.set(id, this.#visit(id, node, place));
      this.incoming.set(id, (this.incoming.get(id) ?? 0) + 1);
    }
  }

  /** One more parent or root refers to a node. */
  #refer(id: number, place: Place): Visit | null {
    this.incoming.set(id, (this.incoming.get(id) ?? 0) + 1);
    const known = this.visited.get(id);
    if (known === null) return null;
    const node = known ?? this.#contents.nodes.get(id);
    if (!node) {
      this.visited.set(id, null);
      const [finding, what] =
        node === null ? (["X002", "unreadable"] as const) : (["X001", "missing"] as const);
      this.#lost(finding, id, place, what);
      return null;
    }
    if (place.level !== undefined && node.level !== place.level) {
      this.#lost("X003", id, place, `of level ${node.level}, and ${place.level} is due`);
      return null;
    }
    const visit = "count" in node ? this.#visit(id, node, place) : node;
    this.visited.set(id, visit);
    this.#checkPlace(id, visit, place);
    return visit;
  }

  #checkPlace(id: number, visit: Visit, place: Place): void {
    if (visit.first < place.from || visit.end > place.to) {
      this.#lost(
        "X004",
        id,
        place,
        `for ${visit.first} to ${visit.end}, beyond its parent's range`,
      );
    }
    const { family } = place;
    if (family !== undefined && visit.family !== undefined && family !== visit.family) {
      this.#lost("X007", id, place, `of family ${visit.family}, not ${family}`);
    }
  }

  #visit(id: number, node: MapNode, place: Place): Visit {
    return isLeaf(node) ? this.#leaf(id, node, place) : this.#branch(node, place);
  }

  #branch(branch: Branch, place: Place): Visit {
    const { level } = branch;
    const visit: Visit = { level, first: branch.keys[0]!, end: 0, family: place.family };
    for (let i = 0; i < branch.count; i++) {
      const from = i === 0 ? place.from : branch.keys[i]!;
      const to = i + 1 < branch.count ? branch.keys[i + 1]! : place.to;
      const below = { ...place, level: level - 1, from, to, family: visit.family };
      const found = this.#refer(branch.children[i]!, below);
      if (!found) continue;
      visit.first = Math.min(visit.first, found.first);
      visit.end = Math.max(visit.end, found.end);
      visit.family ??= found.family;
    }
    return visit;
  }

  #leaf(id: number, leaf: Leaf, place: Place): Visit {
    const visit: Visit = { level: 0, first: leaf.vblocks[0]!, end: 0, family: place.family };
    for (let i = 0; i < leaf.count; i++) {
      const count = leaf.lengths[i]! & LENGTH_MASK;
      const extent = {
        vblock: leaf.vblocks[i]!,
        pblock: leaf.pblocks[i]!,
        count,
        written: (leaf.lengths[i]! & UNWRITTEN) === 0,
      };
      this.#extent(id, extent, place, visit);
      visit.end = extent.vblock + count;
    }
    return visit;
  }

  #extent(id: number, extent: Extent, place: Place, visit: Visit): void {
    const { segmentBlocks, capacityBlocks, blockSize } = this.#geometry;
    const { pblock, count } = extent;
    const segment = Math.floor(pblock / segmentBlocks);
    const index = pblock % segmentBlocks;
    const risk = count * blockSize;
    if (index + count > segmentBlocks || pblock + count > capacityBlocks) {
      this.#block(
        "X006",
        pblock,
        count,
        `is mapped by node ${id}, outside of device or segment`,
        risk,
      );
      return;
    }
    const blocks = this.blocks.of(segment);
    visit.family ??= familyOf(blocks, index);
    const fits = countExtent(blocks, index, extent, visit.family);
    if (blocks.isLost) this.#lostSegment(segment, place);
    else if (!fits) this.#strangeExtent(id, extent, { entry: place.entry, ...visit });
  }

  /** Tells what does not fit between an extent and the records of its blocks. */
  #strangeExtent(
    id: number,
    { vblock, pblock, count, written }: Extent,
    { entry, family }: Pick<Place, "entry" | "family">,
  ): void {
    const { segmentBlocks, blockSize } = this.#geometry;
    const record = this.#contents.segments.get(Math.floor(pblock / segmentBlocks))!;
    const index = pblock % segmentBlocks;
    const strange = (i: number): boolean =>
      record.refs.get(i) > 0 &&
      (record.families.get(i) !== family || record.vblocks.get(i) !== vblock + i - index);
    this.#runs(pblock, count, strange, (at, length) => {
      const shifted = vblock + at - pblock;
      const what = `is mapped by node ${id} at vblock ${shifted}, and belongs elsewhere`;
      this.#block("X007", at, length, what, length * blockSize, entry);
    });
    // The other way round is no damage: a block may be written while a clone maps it as unwritten.
    const unwritten = (i: number): boolean =>
      written && record.refs.get(i) > 0 && record.written[i] !== 1;
    this.#runs(pblock, count, unwritten, (at, length) => {
      this.#block("X010", at, length, "is mapped as written, and never was", 0, entry);
    });
  }

  /** Calls `found` for each run of blocks of an extent for which `test` of their index holds. */
  #runs(
    pblock: number,
    count: number,
    test: (index: number) => boolean,
    found: (pblock: number, count: number) => void,
  ): void {
    const index = pblock % this.#geometry.segmentBlocks;
    let run = 0;
    for (let i = 0; i <= count; i++) {
      if (i < count && test(index + i)) run++;
      else if (run > 0) {
        found(pblock + i - run, run);
        run = 0;
      }
    }
  }

  #lostSegment(segment: number, place: Place): void {
    if (this.#lostSegments.has(segment)) return;
    this.#lostSegments.add(segment);
    const { segmentBlocks, blockSize } = this.#geometry;
    const subvolume = place.entry ? { subvolume: place.entry.name } : {};
    this.#report(
      "X011",
      `segment ${segment} has blocks in use, and its record is not there or makes no sense`,
      { value: `segment ${segment}`, ...subvolume },
      segmentBlocks * blockSize,
    );
  }

  #lost(
    id: "X001" | "X002" | "X003" | "X004" | "X007",
    node: number,
    place: Place,
    what: string,
  ): void {
    const { entry } = place;
    const message = `map node ${node} is ${what}`;
    if (!entry) {
      this.#report(id, message, { value: `node ${node}` });
      return;
    }
    this.#range(id, entry, place.from, place.to, message, node);
  }

  #range(
    id: "X001" | "X002" | "X003" | "X004" | "X005" | "X007",
    entry: SubvolumeEntry,
    from: number,
    to: number,
    what: string,
    node?: number,
  ): void {
    const { blockSize } = this.#geometry;
    const blocks = Math.ceil(entry.size / blockSize);
    const end = id === "X005" ? to : Math.max(from, Math.min(to, blocks));
    const range = { offset: from * blockSize, length: (end - from) * blockSize };
    const value = node === undefined ? {} : { value: `node ${node}` };
    const message = node === undefined ? `subvolume "${entry.name}" ${what}` : what;
    this.#report(id, message, { subvolume: entry.name, range, ...value }, range.length);
  }

  #block(
    id: "X006" | "X007" | "X010",
    pblock: number,
    count: number,
    what: string,
    atRisk: number,
    entry?: SubvolumeEntry,
  ): void {
    const { blockSize } = this.#geometry;
    const blocks = { address: addressOf(this.#geometry, pblock), length: count * blockSize };
    const subvolume = entry ? { subvolume: entry.name } : {};
    this.#report(id, `block ${pblock} + ${count} ${what}`, { blocks, ...subvolume }, atRisk);
  }
}
