/**
 * A canonical picture of a state: plain values that say everything a state means and nothing of how
 * it is kept (dirty, frozen, clean or on disk), so that two states can be compared with `toEqual`.
 *
 * Busy blocks are not in it: how long a freed block waits depends on the checkpoints that were
 * made, and is no part of what a store holds (promise I4 has its own tests).
 */
import { isLeaf } from "../../src/format/map-node.ts";
import type { SubvolumeEntry } from "../../src/format/checkpoint-values.ts";
import { type Extent, extents } from "../../src/map/lookup.ts";
import type { State } from "../../src/replay/state.ts";
import { blocksIn } from "../../src/space/geometry.ts";

/** One node, its entries as `[vblock, pblock, length]` or `[key, child]`. */
export interface NodePicture {
  id: number;
  level: number;
  references: number;
  entries: number[][];
}

/** One live block. */
export interface BlockPicture {
  pblock: number;
  references: number;
  /** `null` when it was never written. */
  checksum: number | null;
  family: number;
  vblock: number;
}

export interface StatePicture {
  lsn: number;
  nextNode: number;
  nextSubvolume: number;
  allocated: number;
  subvolumes: { entry: SubvolumeEntry; extents: Extent[] }[];
  /** Every node that a root or a dead node reaches, by id. */
  nodes: NodePicture[];
  dead: number[];
  blocks: BlockPicture[];
  /** Allocated blocks of each segment, up to the last that has any: a store may be made larger. */
  live: number[];
}

/** The picture of a state, which stays as it is. */
export function pictureOf(state: State): StatePicture {
  const { lsn, catalogue, nodes, segments } = state;
  const subvolumes = Array.from(catalogue.entries(), (entry) => ({
    entry: { ...entry },
    extents: [...extents(nodes, entry.root, 0, Infinity)],
  }));
  return {
    lsn,
    nextNode: nodes.next,
    nextSubvolume: catalogue.next,
    allocated: segments.allocated,
    subvolumes,
    nodes: nodePictures(state),
    dead: [...nodes.dead],
    blocks: blockPictures(state),
    live: [...segments.live.subarray(0, segments.live.findLastIndex((count) => count > 0) + 1)],
  };
}

function nodePictures(state: State): NodePicture[] {
  const { catalogue, nodes } = state;
  const pictures = new Map<number, NodePicture>();
  const waiting = Array.from(catalogue.entries(), ({ root }) => root).concat(nodes.dead);
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (id === 0 || pictures.has(id)) continue;
    const node = nodes.get(id);
    const { level, count } = node;
    const entries = Array.from({ length: count }, (_, i) =>
      isLeaf(node)
        ? [node.vblocks[i]!, node.pblocks[i]!, node.lengths[i]!]
        : [node.keys[i]!, node.children[i]!],
    );
    pictures.set(id, { id, level, references: nodes.references(id), entries });
    if (!isLeaf(node)) waiting.push(...node.children.subarray(0, count));
  }
  return [...pictures.values()].toSorted((a, b) => a.id - b.id);
}

function blockPictures(state: State): BlockPicture[] {
  const { segments, geometry } = state;
  const pictures: BlockPicture[] = [];
  for (let segment = 0; segment < geometry.segments; segment++) {
    const record = segments.record(segment);
    if (!record) continue;
    for (let i = 0; i < blocksIn(geometry, segment); i++) {
      if (record.refs.get(i) === 0) continue;
      pictures.push({
        pblock: segment * geometry.segmentBlocks + i,
        references: record.refs.get(i),
        checksum: record.written[i] === 1 ? record.checksums[i]! : null,
        family: record.families.get(i),
        vblock: record.vblocks.get(i),
      });
    }
  }
  return pictures;
}
