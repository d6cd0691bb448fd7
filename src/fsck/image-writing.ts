/**
 * From maps and segment records to an image that holds together: everything that can be counted is
 * counted here, and nothing is taken over from what was counted before.
 */
import {
  encodeLivePage,
  encodeReferences,
  encodeState,
  encodeSubvolume,
  kinds,
  PAGE_ENTRIES,
  type SubvolumeEntry,
} from "../format/checkpoint-values.ts";
import { encodeNode, isLeaf, type MapNode } from "../format/map-node.ts";
import { seal } from "../format/sealed-value.ts";
import { encodeSegmentRecord, type SegmentRecord } from "../format/segment-record.ts";
import { type Geometry, segmentsOnPage } from "../space/geometry.ts";
import type { Image } from "./image.ts";

/** What of a state is not counted, but goes on from what was. */
export interface Counters {
  lsn: number;
  nextNode: number;
  nextSubvolume: number;
  /** Of the frame that ends with the last commit. */
  journalChecksum: number;
}

/** The maps and what is known of the blocks that they use. */
export interface ImageParts {
  entries: readonly SubvolumeEntry[];
  /** Nodes that nobody refers to are left out. */
  nodes: ReadonlyMap<number, MapNode>;
  segments: ReadonlyMap<number, SegmentRecord>;
}

/** Writes all values of a state without dead nodes and busy blocks, and the closing record. */
export function writeImage(
  image: Image,
  geometry: Geometry,
  { entries, nodes, segments }: ImageParts,
  counters: Counters,
): void {
  const put = (kind: number, id: number, body: Uint8Array): void =>
    image.set(kind, id, seal(kind, id, body));
  for (const entry of entries) put(kinds.subvolume, entry.id, encodeSubvolume(entry));
  for (const [id, references] of countReferences(entries, nodes)) {
    const node = nodes.get(id);
    if (!node) continue;
    put(kinds.node, id, encodeNode(node));
    if (references < 2) continue;
    put(kinds.nodeReferences, id, encodeReferences(references));
  }
  const allocatedBlocks = writeSegments(geometry, segments, put);
  const none = { deadNodes: 0, changedKeys: 0, busySegments: 0 };
  const subvolumes = entries.length;
  put(kinds.state, 0, encodeState({ ...counters, ...none, allocatedBlocks, subvolumes }));
  image.close(1, counters.lsn);
}

/** By node that a root reaches: how many roots and branches refer to it. */
function countReferences(
  entries: readonly SubvolumeEntry[],
  nodes: ReadonlyMap<number, MapNode>,
): Map<number, number> {
  const references = new Map<number, number>();
  const waiting = entries.map(({ root }) => root).filter((root) => root !== 0);
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const before = references.get(id) ?? 0;
    references.set(id, before + 1);
    const node = nodes.get(id);
    if (before > 0 || !node || isLeaf(node)) continue;
    for (const child of node.children.subarray(0, node.count)) waiting.push(child);
  }
  return references;
}

function writeSegments(
  geometry: Geometry,
  segments: ReadonlyMap<number, SegmentRecord>,
  put: (kind: number, id: number, body: Uint8Array) => void,
): number {
  const pages = new Map<number, Uint16Array>();
  let allocated = 0;
  for (const [number, record] of segments) {
    put(kinds.segment, number, encodeSegmentRecord(record));
    const page = Math.floor(number / PAGE_ENTRIES);
    let counts = pages.get(page);
    if (!counts) {
      counts = new Uint16Array(segmentsOnPage(geometry, page));
      pages.set(page, counts);
    }
    for (const references of record.refs) if (references > 0) counts[number % PAGE_ENTRIES]! += 1;
    allocated += counts[number % PAGE_ENTRIES]!;
  }
  for (const [page, counts] of pages) put(kinds.segmentLive, page, encodeLivePage(counts));
  return allocated;
}
