/**
 * A node of a subvolume's extent map, decoded into typed arrays once and encoded for the
 * checkpoint. `map/` gives the tree its algorithms; here is only its look.
 *
 * A leaf (level 0) holds extents sorted by vblock; a branch holds the first vblock of each child
 * and the child's node id. Both take 12 bytes an entry behind a header of 8 bytes, in columns. The
 * arrays have room for more entries than `count`, so that an edit need not allocate.
 */
import { getU48, setU48, viewOf } from "../base/bytes.ts";
import { BlockspaceError } from "../base/errors.ts";
import { newBody, SEAL_BYTES } from "./sealed-value.ts";
import { struct, type Struct } from "./struct.ts";

/** Set in an extent's length when its blocks are allocated but were never written. */
export const UNWRITTEN = 0x8000;
/** The bits of an extent's length. */
export const LENGTH_MASK = 0x7fff;
const ENTRY_SIZE = 12;
/** What an entry takes in memory. */
const LEAF_ENTRY_BYTES = 14;
const BRANCH_ENTRY_BYTES = 16;
/** One edit splits an extent into three at most, before the node is split. */
const SLACK = 2;

export interface Leaf {
  readonly level: 0;
  count: number;
  /** First vblock of each extent. */
  readonly vblocks: Float64Array;
  /** First pblock of each extent. */
  readonly pblocks: Uint32Array;
  /** Length in blocks, with {@link UNWRITTEN}. */
  readonly lengths: Uint16Array;
}

export interface Branch {
  /** Levels below this one. */
  readonly level: number;
  count: number;
  /** First vblock that each child may hold. */
  readonly keys: Float64Array;
  /** Node ids. */
  readonly children: Float64Array;
}

export type MapNode = Leaf | Branch;

interface NodeHeader {
  level: number;
  count: number;
}

export const nodeHeaderStruct: Struct<NodeHeader> = struct("map node header", {
  level: "u8",
  reserved: { zero: 1 },
  count: "u16",
  reserved2: { zero: 4 },
});

/** How many entries a node of `nodeSize` bytes holds, its seal included. */
export function entriesPerNode(nodeSize: number): number {
  return Math.floor((nodeSize - SEAL_BYTES - nodeHeaderStruct.size) / ENTRY_SIZE);
}

/** Its arrays lie in one piece of memory: so many small ones would leave gaps between them. */
export function newLeaf(capacity: number): Leaf {
  const room = capacity + SLACK;
  const memory = new ArrayBuffer(room * LEAF_ENTRY_BYTES);
  return {
    level: 0,
    count: 0,
    vblocks: new Float64Array(memory, 0, room),
    pblocks: new Uint32Array(memory, 8 * room, room),
    lengths: new Uint16Array(memory, 12 * room, room),
  };
}

export function newBranch(level: number, capacity: number): Branch {
  const room = capacity + SLACK;
  const memory = new ArrayBuffer(room * BRANCH_ENTRY_BYTES);
  const children = new Float64Array(memory, 8 * room, room);
  return { level, count: 0, keys: new Float64Array(memory, 0, room), children };
}

export function isLeaf(node: MapNode): node is Leaf {
  return node.level === 0;
}

export function copyNode(node: MapNode): MapNode {
  if (isLeaf(node)) {
    const copy = newLeaf(node.vblocks.length - SLACK);
    copy.count = node.count;
    copy.vblocks.set(node.vblocks);
    copy.pblocks.set(node.pblocks);
    copy.lengths.set(node.lengths);
    return copy;
  }
  const copy = newBranch(node.level, node.keys.length - SLACK);
  copy.count = node.count;
  copy.keys.set(node.keys);
  copy.children.set(node.children);
  return copy;
}

/** The value of a node without its seal. */
export function encodeNode(node: MapNode): Uint8Array {
  const { count } = node;
  const body = newBody(nodeHeaderStruct.size + count * ENTRY_SIZE);
  nodeHeaderStruct.write(body, 0, { level: node.level, count });
  const view = viewOf(body);
  let at = nodeHeaderStruct.size;
  const starts = isLeaf(node) ? node.vblocks : node.keys;
  for (let i = 0; i < count; i++, at += 6) setU48(view, at, starts[i]!);
  if (isLeaf(node)) {
    for (let i = 0; i < count; i++, at += 4) view.setUint32(at, node.pblocks[i]!, true);
    for (let i = 0; i < count; i++, at += 2) view.setUint16(at, node.lengths[i]!, true);
  } else {
    for (let i = 0; i < count; i++, at += 6) setU48(view, at, node.children[i]!);
  }
  return body;
}

/** The node in a value whose seal was found right; anything out of order is `ECORRUPT`. */
export function decodeNode(body: Uint8Array, capacity: number): MapNode {
  const { level, count } = nodeHeaderStruct.read(body, 0);
  const start = nodeHeaderStruct.size;
  if (count === 0 || count > capacity || body.length !== start + count * ENTRY_SIZE) {
    throw new BlockspaceError("ECORRUPT", `a map node of ${count} entries is of the wrong size`);
  }
  const node = level === 0 ? newLeaf(capacity) : newBranch(level, capacity);
  node.count = count;
  const view = viewOf(body);
  let at = start;
  const starts = isLeaf(node) ? node.vblocks : node.keys;
  for (let i = 0; i < count; i++, at += 6) starts[i] = getU48(view, at);
  if (isLeaf(node)) {
    for (let i = 0; i < count; i++, at += 4) node.pblocks[i] = view.getUint32(at, true);
    for (let i = 0; i < count; i++, at += 2) node.lengths[i] = view.getUint16(at, true);
  } else {
    for (let i = 0; i < count; i++, at += 6) node.children[i] = getU48(view, at);
  }
  checkOrder(node);
  return node;
}

function checkOrder(node: MapNode): void {
  const starts = isLeaf(node) ? node.vblocks : node.keys;
  for (let i = 0; i < node.count; i++) {
    const length = isLeaf(node) ? node.lengths[i]! & LENGTH_MASK : 1;
    const ordered = i + 1 === node.count || starts[i]! + length <= starts[i + 1]!;
    if (length === 0 || !ordered) {
      throw new BlockspaceError("ECORRUPT", `entry ${i} of a map node is out of order`);
    }
  }
}
