/**
 * What kept maps use: for every block how many leaves refer to it, and at which place of which
 * family. A block that is claimed for two places has but one of them.
 */
import { isLeaf, type Leaf, LENGTH_MASK, type MapNode, UNWRITTEN } from "../format/map-node.ts";
import { Column } from "../format/column.ts";
import type { SegmentRecord } from "../format/segment-record.ts";
import type { Geometry } from "../space/geometry.ts";
import type { Contents } from "./contents.ts";

/** Leaves below nodes that await reclaim use their blocks as well, until they are taken apart. */
export function addDead(claims: Claims, contents: Contents, reached: ReadonlySet<number>): void {
  const seen = new Set<number>();
  const waiting = [...contents.dead];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const node = contents.nodes.get(id);
    if (!node || seen.has(id) || reached.has(id)) continue;
    seen.add(id);
    if (isLeaf(node)) claims.addDead(node, contents);
    else waiting.push(...node.children.subarray(0, node.count));
  }
}

/** A block as a leaf maps it. */
export interface Claim {
  family: number;
  vblock: number;
  pblock: number;
}

/** What leaves say of the blocks of a segment; only the first claim of each is remembered. */
export interface SegmentClaims {
  readonly refs: Column;
  readonly families: Column;
  readonly vblocks: Column;
  /** 1 where a leaf maps the block as written. */
  readonly written: Uint8Array;
}

export class Claims {
  readonly segments: Map<number, SegmentClaims> = new Map();
  /** Claims for another place than the first one of the block. */
  readonly rivals: Claim[] = [];
  readonly #geometry: Geometry;

  constructor(geometry: Geometry) {
    this.#geometry = geometry;
  }

  /** Takes up the extents of a leaf; a branch has none. */
  add(node: MapNode, family: number): void {
    if (!isLeaf(node)) return;
    const { segmentBlocks } = this.#geometry;
    for (let i = 0; i < node.count; i++) {
      const pblock = node.pblocks[i]!;
      const segment = this.#segment(Math.floor(pblock / segmentBlocks));
      const count = node.lengths[i]! & LENGTH_MASK;
      const written = (node.lengths[i]! & UNWRITTEN) === 0;
      for (let j = 0; j < count; j++) {
        const index = (pblock % segmentBlocks) + j;
        const claim = { family, vblock: node.vblocks[i]! + j, pblock: pblock + j };
        this.#claim(segment, index, claim);
        if (written) segment.written[index] = 1;
      }
    }
  }

  /** Takes up the extents of a leaf that awaits reclaim, as far as they make sense. */
  addDead(leaf: Leaf, contents: Contents): void {
    const { segmentBlocks, capacityBlocks } = this.#geometry;
    for (let i = 0; i < leaf.count; i++) {
      const pblock = leaf.pblocks[i]!;
      const index = pblock % segmentBlocks;
      const number = Math.floor(pblock / segmentBlocks);
      const count = leaf.lengths[i]! & LENGTH_MASK;
      const record = contents.segments.get(number);
      if (!record || index + count > segmentBlocks || pblock + count > capacityBlocks) continue;
      const segment = this.#segment(number);
      for (let j = index; j < index + count; j++) {
        if (record.refs.get(j) === 0) continue;
        const [family, vblock] = [record.families.get(j), record.vblocks.get(j)];
        this.#claim(segment, j, { family, vblock, pblock: pblock + j - index });
      }
    }
  }

  #claim(segment: SegmentClaims, index: number, claim: Claim): void {
    const first = segment.refs.get(index) === 0;
    segment.refs.set(index, segment.refs.get(index) + 1);
    if (first) {
      segment.families.set(index, claim.family);
      segment.vblocks.set(index, claim.vblock);
    } else if (
      segment.families.get(index) !== claim.family ||
      segment.vblocks.get(index) !== claim.vblock
    ) {
      this.rivals.push(claim);
    }
  }

  #segment(number: number): SegmentClaims {
    let segment = this.segments.get(number);
    if (!segment) {
      const blocks = this.#geometry.segmentBlocks;
      segment = {
        refs: new Column(new Uint8Array(blocks)),
        families: new Column(new Uint8Array(blocks)),
        vblocks: new Column(new Uint32Array(blocks)),
        written: new Uint8Array(blocks),
      };
      this.segments.set(number, segment);
    }
    return segment;
  }

  /** Of several claims for a block, the one that its record names comes first. */
  settle(records: Pick<Contents["segments"], "get">): void {
    const { segmentBlocks } = this.#geometry;
    this.rivals.forEach((rival, at) => {
      const number = Math.floor(rival.pblock / segmentBlocks);
      const index = rival.pblock % segmentBlocks;
      const record = records.get(number);
      const segment = this.segments.get(number)!;
      const named =
        record &&
        record.refs.get(index) > 0 &&
        record.families.get(index) === rival.family &&
        record.vblocks.get(index) === rival.vblock;
      if (!named) return;
      const former = { family: segment.families.get(index), vblock: segment.vblocks.get(index) };
      segment.families.set(index, rival.family);
      segment.vblocks.set(index, rival.vblock);
      this.rivals[at] = { ...former, pblock: rival.pblock };
    });
  }

  /** True when the record names another place for a block than the maps do. */
  contradicts(record: SegmentRecord, number: number, index: number): boolean {
    const segment = this.segments.get(number);
    if (!segment || record.refs.get(index) === 0) return false;
    return (
      segment.families.get(index) !== record.families.get(index) ||
      segment.vblocks.get(index) !== record.vblocks.get(index)
    );
  }
}
