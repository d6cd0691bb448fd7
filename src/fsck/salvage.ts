/**
 * From values of which some are damaged to an image that holds together, with as much of the rest
 * as can be kept:
 *
 *  1. The catalogue: entries that make sense, under names and sizes that can be.
 *  2. The maps: nodes are kept as they are, and shared as they were; a lost one leaves a hole.
 *  3. Holes are filled with the blocks that the segment records say were mapped there, where that
 *     leaves no doubt (`orphans.ts`); what does leave doubt goes to `lost+found`.
 *  4. Everything that is counted is counted again from the maps.
 *  5. What two maps claim, or lies beyond a subvolume's end, is unmapped by an ordinary edit.
 *
 * It never invents: a range that nobody knows anything of becomes a hole, and is told of.
 */
import { MiB } from "../base/units.ts";
import type { SubvolumeEntry } from "../format/checkpoint-values.ts";
import { entriesPerNode, type MapNode } from "../format/map-node.ts";
import { State } from "../replay/state.ts";
import type { Geometry } from "../space/geometry.ts";
import { mendCatalogue, recoverSubvolumes } from "./catalogue-mending.ts";
import { addDead, type Claim, Claims } from "./claims.ts";
import type { Contents } from "./contents.ts";
import { Cutter, type RightBlock, withoutBusy } from "./cutter.ts";
import { Image } from "./image.ts";
import { ImageEnvironment } from "./image-environment.ts";
import { grown } from "./sizes.ts";
import { type Counters, writeImage } from "./image-writing.ts";
import { type Finishing, type Hole, KeptMaps } from "./kept-maps.ts";
import type { Loss } from "./loss.ts";
import { assign, buildMap, findOrphans, layers, type Orphan, type Orphans } from "./orphans.ts";
import { imageAfter } from "./replay.ts";
import { mendSegments, type Sources } from "./segment-mending.ts";

export interface Salvaged {
  image: Image;
  losses: Loss[];
}

/** Memory for the values that step 5 changes. */
const CACHE_BYTES: number = 64 * MiB;

export async function salvage(
  contents: Contents,
  geometry: Geometry,
  counters: Counters,
  sources: Sources,
): Promise<Salvaged> {
  const work = new Salvage(contents, geometry, counters, sources);
  return work.run();
}

class Salvage {
  readonly #contents: Contents;
  readonly #geometry: Geometry;
  readonly #counters: Counters;
  readonly #sources: Sources;
  readonly #losses: Loss[] = [];
  readonly #capacity: number;
  readonly #maps: KeptMaps;
  readonly #entries: SubvolumeEntry[];
  readonly #roots = new Map<number, number | Hole>();
  /** Nodes that were made for holes and for lost+found, with the family of their blocks. */
  readonly #made = new Map<number, { node: MapNode; family: number }>();

  constructor(contents: Contents, geometry: Geometry, counters: Counters, sources: Sources) {
    this.#contents = contents;
    this.#geometry = geometry;
    this.#counters = { ...counters };
    this.#sources = sources;
    this.#capacity = entriesPerNode(geometry.nodeSize);
    this.#maps = new KeptMaps(contents, geometry, this.#capacity);
    this.#entries = mendCatalogue(contents, geometry, sources.twins, this.#losses);
    for (const id of contents.nodes.keys()) this.#raise("nextNode", id + 1);
    for (const { id } of this.#entries) this.#raise("nextSubvolume", id + 1);
  }

  async run(): Promise<Salvaged> {
    for (const entry of this.#entries) this.#roots.set(entry.id, this.#maps.keepRoot(entry));
    this.#grow();
    this.#recoverSubvolumes();
    this.#fillHoles();
    const nodes = new Map<number, MapNode>();
    const claims = this.#finish(nodes);
    const entries = this.#entries.map((entry) => ({ ...entry, root: this.#rootOf(entry) }));
    const { records, denied } = await mendSegments({
      contents: this.#contents,
      geometry: this.#geometry,
      claims,
      sources: this.#sources,
      losses: this.#losses,
    });
    const image = new Image();
    writeImage(image, this.#geometry, { entries, nodes, segments: records }, this.#counters);
    const wrong = [...claims.rivals, ...denied];
    const cut = this.#cut(image, entries, wrong, claims);
    return { image: cut, losses: this.#losses };
  }

  /** A subvolume that is smaller than its map is made larger. */
  #grow(): void {
    const { blockSize } = this.#geometry;
    for (const [i, entry] of this.#entries.entries()) {
      const end = this.#maps.endOf(this.#roots.get(entry.id) ?? 0);
      const larger = grown(entry, end, blockSize, this.#sources.twins);
      if (larger === entry) continue;
      this.#entries[i] = larger;
      const note = `it had ${entry.size} bytes and a map of more; it has ${larger.size} now`;
      this.#losses.push({ kind: "resized", subvolume: entry.name, note });
    }
  }

  #raise(name: "nextNode" | "nextSubvolume", least: number): void {
    this.#counters[name] = Math.max(this.#counters[name], least);
  }

  #rootOf(entry: SubvolumeEntry): number {
    const root = this.#roots.get(entry.id) ?? 0;
    return typeof root === "number" ? root : root.filled;
  }

  /** Nodes that belong to subvolumes whose values are lost. */
  #recoverSubvolumes(): void {
    const found = recoverSubvolumes({
      contents: this.#contents,
      geometry: this.#geometry,
      twins: this.#sources.twins,
      entries: this.#entries,
      reached: this.#maps.reached,
      losses: this.#losses,
      nextId: () => this.#counters.nextSubvolume++,
    });
    for (const entry of found) {
      this.#entries.push(entry);
      this.#roots.set(entry.id, this.#maps.keepRoot(entry));
    }
  }

  /** Hands every node that is kept or was made to `nodes`, and counts what they use. */
  #finish(nodes: Map<number, MapNode>): Claims {
    const claims = new Claims(this.#geometry);
    const done = new Map<number, number | undefined>();
    for (const entry of this.#entries) {
      const root = this.#roots.get(entry.id) ?? 0;
      const finishing: Finishing = {
        done,
        add: (id, node) => {
          nodes.set(id, node);
          claims.add(node, entry.family);
        },
      };
      if (root === 0) continue;
      this.#roots.set(
        entry.id,
        typeof root === "number" ? this.#maps.finish(root, finishing) : root,
      );
    }
    for (const [id, { node, family }] of this.#made) {
      nodes.set(id, node);
      claims.add(node, family);
    }
    claims.settle(this.#contents.segments);
    return claims;
  }

  /** Step 3. */
  #fillHoles(): void {
    const holes = [...this.#maps.holes.values()];
    for (const { entry, vblock, count } of this.#maps.dropped) {
      this.#lose("gone", entry, vblock, vblock + count, "its extents made no sense");
    }
    const roots = new Map(this.#roots);
    const claims = this.#finish(new Map());
    for (const [id, root] of roots) this.#roots.set(id, root);
    addDead(claims, this.#contents, this.#maps.reached);
    const orphans = findOrphans(this.#contents, claims, this.#geometry);
    const broken = new Set(
      [...holes, ...this.#maps.dropped].map(({ entry }) => entry.family).concat(this.#lost()),
    );
    for (const family of new Set([...broken, ...orphans.keys()])) {
      this.#fillFamily(family, holes, orphans, broken.has(family));
    }
  }

  /** Families of which whole subvolumes are lost. */
  #lost(): number[] {
    if (this.#contents.lostSubvolumes.length === 0) return [];
    return this.#entries.map(({ family }) => family);
  }

  #fillFamily(family: number, holes: readonly Hole[], orphans: Orphans, broken: boolean): void {
    const mine = holes.filter(({ entry }) => entry.family === family);
    const { filled, left } = assign(orphans.get(family) ?? [], mine);
    for (const { vblock } of left) {
      for (const { entry, from, to } of mine) {
        if (from > vblock || vblock >= to) continue;
        this.#lose("gone", entry, vblock, vblock + 1, "more than one block may have been here");
      }
    }
    for (const hole of mine) {
      const found = filled.get(hole) ?? [];
      const built = found.length > 0 ? this.#build(found, hole.level, family) : undefined;
      if (built) Object.assign(hole, { filled: built.root, first: built.first });
      else left.push(...found.map((orphan) => ({ ...orphan, excess: 1 })));
      const what = built
        ? `the map was made again from the records of ${found.length} blocks`
        : "the map is lost, and the records of the segments do not say what it held";
      this.#lose(built ? "rebuilt" : "gone", hole.entry, hole.from, hole.to, what);
    }
    const kept = left
      .filter(({ written, whole }) => written && (whole || broken))
      .toSorted((one, other) => one.vblock - other.vblock);
    if (this.#sources.freeLeaks && !broken) return;
    for (const { whole, vblock, pblock } of left) {
      if (whole) continue;
      const { blockSize } = this.#geometry;
      const note = `block ${pblock} of family ${family} has more references than maps`;
      const place = { offset: vblock * blockSize, length: blockSize };
      this.#losses.push({ kind: "doubtful", ...place, note });
    }
    for (const layer of layers(kept)) this.#keepOrphans(layer, family);
  }

  /** Step 3: data that no hole is sure to have held gets a subvolume of its own. */
  #keepOrphans(orphans: readonly Orphan[], family: number): void {
    const built = this.#build(orphans, undefined, family);
    if (!built) return;
    const { blockSize } = this.#geometry;
    const id = this.#counters.nextSubvolume++;
    const size = (orphans.at(-1)!.vblock + 1) * blockSize;
    const name = `lost+found/blocks-${id}`;
    const entry = {
      id,
      name,
      size,
      readOnly: true,
      source: 0,
      family,
      root: built.root,
      created: 0,
    };
    this.#entries.push(entry);
    const root: Hole = {
      key: name,
      level: undefined,
      from: 0,
      to: 0,
      entry,
      filled: built.root,
      first: 0,
    };
    this.#roots.set(id, root);
    const note = `${orphans.length} blocks of family ${family} that no map is sure to have held`;
    this.#losses.push({ kind: "orphans", subvolume: name, offset: 0, length: size, note });
  }

  #build(
    orphans: readonly Orphan[],
    level: number | undefined,
    family: number,
  ): { root: number; first: number } | undefined {
    const { segmentBlocks } = this.#geometry;
    return buildMap(orphans, level, {
      capacity: this.#capacity,
      segmentBlocks,
      add: (node) => {
        const id = this.#counters.nextNode++;
        this.#made.set(id, { node, family });
        return id;
      },
    });
  }

  #lose(kind: Loss["kind"], entry: SubvolumeEntry, from: number, to: number, note: string): void {
    const { blockSize } = this.#geometry;
    const end = Math.min(to, Math.ceil(entry.size / blockSize));
    const offset = from * blockSize;
    const length = Math.max(0, end - from) * blockSize;
    this.#losses.push({ kind, subvolume: entry.name, offset, length, note });
  }

  /** Step 5, by edits of an ordinary state. */
  #cut(
    image: Image,
    entries: readonly SubvolumeEntry[],
    wrong: readonly Claim[],
    claims: Claims,
  ): Image {
    const { blockSize } = this.#geometry;
    const orphans =
      wrong.length > 0 ? findOrphans(this.#contents, claims, this.#geometry) : new Map();
    const state = new State(this.#geometry, new ImageEnvironment("salvage", image), CACHE_BYTES);
    state.load();
    const cutter = new Cutter(state);
    const tell = (kind: "rebuilt" | "gone", name: string, vblock: number, note: string): void => {
      const place = { subvolume: name, offset: vblock * blockSize, length: blockSize };
      this.#losses.push({ kind, ...place, note });
    };
    for (const claim of wrong) {
      const { family, vblock, pblock } = claim;
      const found = (orphans.get(family) ?? []).filter((one: Orphan) => one.vblock === vblock);
      const right = found.length === 1 ? this.#blockOf(found[0]!.pblock) : undefined;
      for (const { id, name } of entries.filter((one) => one.family === family)) {
        if (!cutter.replace(id, claim, right)) continue;
        if (right) tell("rebuilt", name, vblock, `the records say block ${right.pblock}`);
        else tell("gone", name, vblock, `block ${pblock} belongs to another place, or to none`);
      }
    }
    for (const { id, size } of entries) cutter.unmap(id, Math.ceil(size / blockSize), Infinity);
    this.#keepDenied(cutter, wrong);
    if (!cutter.changed) return image;
    return withoutBusy(imageAfter(state, image, this.#counters.journalChecksum), state.lsn);
  }

  /** Blocks that were mapped at a wrong place, and that no map uses now. */
  #keepDenied(cutter: Cutter, wrong: readonly Claim[]): void {
    for (const { pblock } of wrong) {
      const { checksum, vblock, family } = this.#blockOf(pblock);
      if (checksum === undefined || family === 0) continue;
      const name = `lost+found/blocks-${family}`;
      if (!cutter.keep(name, family, { pblock, checksum }, vblock)) continue;
      const { blockSize } = this.#geometry;
      const place = { subvolume: name, offset: vblock * blockSize, length: blockSize };
      this.#losses.push({
        kind: "orphans",
        ...place,
        note: `block ${pblock} was mapped elsewhere`,
      });
    }
  }

  /** What the record of a block says, as it was found. */
  #blockOf(pblock: number): RightBlock & { vblock: number; family: number } {
    const { segmentBlocks } = this.#geometry;
    const record = this.#contents.segments.get(Math.floor(pblock / segmentBlocks));
    const index = pblock % segmentBlocks;
    const live = record && record.refs.get(index) > 0;
    const checksum = live && record.written[index] === 1 ? record.checksums[index]! : undefined;
    const vblock = live ? record.vblocks.get(index) : 0;
    return { pblock, checksum, vblock, family: live ? record.families.get(index) : 0 };
  }
}
