/**
 * The metadata of a store as lines of JSON, for people, for programs and for a bug report. Sharing
 * stays as it is: a map node that many maps refer to is one line, and is referred to by its id.
 *
 * The first line names format and version, the last one counts the lines before it. A skeleton is
 * the same without what is none of anybody's business: names are replaced, and the checksums of
 * blocks, by which contents could be recognised, are left out.
 */
import type { SubvolumeEntry } from "../format/checkpoint-values.ts";
import { isLeaf, LENGTH_MASK, type MapNode, UNWRITTEN } from "../format/map-node.ts";
import type { SegmentRecord } from "../format/segment-record.ts";
import type { Superblock } from "../format/superblock.ts";
import type { Contents } from "./contents.ts";

export const DUMP_FORMAT = "blockspace metadata";
export const DUMP_VERSION = 1;

/** The first line. */
export interface DumpHeader {
  type: "store";
  format: typeof DUMP_FORMAT;
  version: number;
  skeleton: boolean;
  superblock: Omit<Superblock, "uuid"> & { uuid: string };
  lsn: number;
  nextNode: number;
  nextSubvolume: number;
}

export type DumpSubvolume = { type: "subvolume" } & SubvolumeEntry;

/** Of a leaf: `[vblock, pblock, count, written]`; of a branch: `[key, child]`. */
export interface DumpNode {
  type: "node";
  id: number;
  level: number;
  entries: number[][];
}

/** Of each block in use `[index, references, family, vblock]`, and its checksum when written. */
export interface DumpSegment {
  type: "segment";
  id: number;
  blocks: number[][];
}

export interface DumpEnd {
  type: "end";
  lines: number;
}

export type DumpLine = DumpHeader | DumpSubvolume | DumpNode | DumpSegment | DumpEnd;

export interface DumpOptions {
  skeleton?: boolean;
  signal?: AbortSignal;
}

/** The lines of a state. Nodes that await reclaim are left out, and so are their blocks. */
export function* dumpLines(
  superblock: Superblock,
  contents: Contents,
  { skeleton = false }: DumpOptions = {},
): Generator<DumpLine> {
  const state = contents.state!;
  const uuid = Buffer.from(superblock.uuid).toString("hex");
  yield {
    type: "store",
    format: DUMP_FORMAT,
    version: DUMP_VERSION,
    skeleton,
    superblock: { ...superblock, uuid: skeleton ? "0".repeat(32) : uuid },
    lsn: state.lsn,
    nextNode: state.nextNode,
    nextSubvolume: state.nextSubvolume,
  };
  let lines = 1;
  for (const entry of contents.subvolumes.values()) {
    lines++;
    yield { type: "subvolume", ...entry, ...(skeleton ? { name: `subvolume-${entry.id}` } : {}) };
  }
  for (const [id, node] of contents.nodes) {
    if (!node) continue;
    lines++;
    yield { type: "node", id, level: node.level, entries: entriesOf(node) };
  }
  for (const [id, record] of contents.segments) {
    if (!record) continue;
    lines++;
    yield { type: "segment", id, blocks: blocksOf(record, skeleton) };
  }
  yield { type: "end", lines };
}

function entriesOf(node: MapNode): number[][] {
  return Array.from({ length: node.count }, (_, i) => {
    if (!isLeaf(node)) return [node.keys[i]!, node.children[i]!];
    const length = node.lengths[i]!;
    const written = (length & UNWRITTEN) === 0 ? 1 : 0;
    return [node.vblocks[i]!, node.pblocks[i]!, length & LENGTH_MASK, written];
  });
}

function blocksOf(record: SegmentRecord, skeleton: boolean): number[][] {
  const blocks: number[][] = [];
  for (let i = 0; i < record.refs.length; i++) {
    if (record.refs.get(i) === 0) continue;
    const block = [i, record.refs.get(i), record.families.get(i), record.vblocks.get(i)];
    if (record.written[i] === 1) block.push(skeleton ? 0 : record.checksums[i]!);
    blocks.push(block);
  }
  return blocks;
}
