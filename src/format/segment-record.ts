/**
 * What is known of each block of a segment: how many map leaves refer to it, its checksum, whether
 * it was ever written, and where it was first mapped (the subvolume's family and the vblock), so
 * that a cleaner finds its owners and fsck can check ownership from both ends.
 *
 * A block is free of references if and only if `refs` is 0; its other columns then mean nothing and
 * are written as zeroes. On disk each column is as wide as its largest value needs: 1,024 blocks
 * written at random take about 9 bytes each, written in sequence about 7.
 */
import { getU48, setU48, viewOf } from "../base/bytes.ts";
import { BlockspaceError } from "../base/errors.ts";
import { Column } from "./column.ts";
import { newBody } from "./sealed-value.ts";
import { struct, type Struct } from "./struct.ts";

export interface SegmentRecord {
  readonly refs: Column;
  readonly checksums: Uint32Array;
  /** 1 when the block holds data, 0 when it was only allocated. */
  readonly written: Uint8Array;
  readonly families: Column;
  readonly vblocks: Column;
}

/** Bytes of all columns, unless one has to be wider than usual. */
export const SEGMENT_MEMORY_PER_BLOCK = 11;

interface SegmentHeader {
  blocks: number;
  refsWidth: number;
  vblockWidth: number;
  familyWidth: number;
  families: number;
  vblockBase: number;
}

export const segmentHeaderStruct: Struct<SegmentHeader> = struct("segment record header", {
  blocks: "u16",
  refsWidth: "u8",
  vblockWidth: "u8",
  familyWidth: "u8",
  reserved: { zero: 1 },
  families: "u16",
  vblockBase: "u48",
  reserved2: { zero: 2 },
});

/** Its columns lie in one piece of memory: so many small ones would leave gaps between them. */
export function newSegmentRecord(blocks: number): SegmentRecord {
  const memory = new ArrayBuffer(blocks * SEGMENT_MEMORY_PER_BLOCK);
  return {
    checksums: new Uint32Array(memory, 0, blocks),
    vblocks: new Column(new Uint32Array(memory, 4 * blocks, blocks)),
    refs: new Column(new Uint8Array(memory, 8 * blocks, blocks)),
    families: new Column(new Uint8Array(memory, 9 * blocks, blocks)),
    written: new Uint8Array(memory, 10 * blocks, blocks),
  };
}

export function copySegmentRecord(record: SegmentRecord): SegmentRecord {
  const copy = newSegmentRecord(record.refs.length);
  copy.checksums.set(record.checksums);
  copy.vblocks.copy(record.vblocks);
  copy.refs.copy(record.refs);
  copy.families.copy(record.families);
  copy.written.set(record.written);
  return copy;
}

/** The value of a segment record without its seal. */
export function encodeSegmentRecord(record: SegmentRecord): Uint8Array {
  const { refs } = record;
  const blocks = refs.length;
  const shape = measure(record);
  const { header, familyIndex } = shape;
  const bitmapSize = Math.ceil(blocks / 8);
  const perBlock = 4 + header.refsWidth + header.vblockWidth + header.familyWidth;
  const size = segmentHeaderStruct.size + header.families * 4 + bitmapSize + blocks * perBlock;
  const body = newBody(size);
  segmentHeaderStruct.write(body, 0, header);
  const view = viewOf(body);
  let at = segmentHeaderStruct.size;
  for (const family of familyIndex.keys()) {
    view.setUint32(at, family, true);
    at += 4;
  }
  for (let i = 0; i < blocks; i++) {
    if (refs.get(i) > 0 && record.written[i] === 1) body[at + (i >> 3)]! |= 1 << (i & 7);
  }
  at += bitmapSize;
  for (let i = 0; i < blocks; i++, at += 4) {
    if (refs.get(i) > 0) view.setUint32(at, record.checksums[i]!, true);
  }
  for (let i = 0; i < blocks; i++, at += header.refsWidth) {
    setWidth(view, at, header.refsWidth, refs.get(i));
  }
  for (let i = 0; i < blocks; i++, at += header.vblockWidth) {
    if (refs.get(i) > 0) {
      setWidth(view, at, header.vblockWidth, record.vblocks.get(i) - header.vblockBase);
    }
  }
  for (let i = 0; i < blocks; i++, at += header.familyWidth) {
    if (refs.get(i) > 0) {
      setWidth(view, at, header.familyWidth, familyIndex.get(record.families.get(i))!);
    }
  }
  return body;
}

/** The record in a value whose seal was found right; impossible widths are `ECORRUPT`. */
export function decodeSegmentRecord(body: Uint8Array, expectedBlocks: number): SegmentRecord {
  const header = segmentHeaderStruct.read(body, 0);
  const { blocks, refsWidth, vblockWidth, familyWidth } = header;
  const bitmapSize = Math.ceil(blocks / 8);
  const perBlock = 4 + refsWidth + vblockWidth + familyWidth;
  const size = segmentHeaderStruct.size + header.families * 4 + bitmapSize + blocks * perBlock;
  const known = [refsWidth, vblockWidth, familyWidth].every((width) => width in readers);
  if (blocks !== expectedBlocks || size !== body.length || !known) {
    throw new BlockspaceError("ECORRUPT", "a segment record has impossible sizes");
  }
  const record = newSegmentRecord(blocks);
  const view = viewOf(body);
  let at = segmentHeaderStruct.size;
  const families = new Uint32Array(header.families);
  for (let i = 0; i < families.length; i++, at += 4) families[i] = view.getUint32(at, true);
  for (let i = 0; i < blocks; i++) record.written[i] = (body[at + (i >> 3)]! >> (i & 7)) & 1;
  at += bitmapSize;
  for (let i = 0; i < blocks; i++, at += 4) record.checksums[i] = view.getUint32(at, true);
  for (let i = 0; i < blocks; i++, at += refsWidth) {
    record.refs.set(i, readers[refsWidth]!(view, at));
  }
  for (let i = 0; i < blocks; i++, at += vblockWidth) {
    record.vblocks.set(i, header.vblockBase + readers[vblockWidth]!(view, at));
  }
  for (let i = 0; i < blocks; i++, at += familyWidth) {
    const family = families[readers[familyWidth]!(view, at)];
    if (family === undefined && record.refs.get(i) > 0) {
      throw new BlockspaceError("ECORRUPT", "a segment record names a family it does not list");
    }
    record.families.set(i, family ?? 0);
  }
  return record;
}

function measure(record: SegmentRecord): {
  header: SegmentHeader;
  familyIndex: Map<number, number>;
} {
  const { refs, vblocks, families } = record;
  let low = Infinity;
  let high = 0;
  let mostRefs = 0;
  const familyIndex = new Map<number, number>();
  for (let i = 0; i < refs.length; i++) {
    if (refs.get(i) === 0) continue;
    mostRefs = Math.max(mostRefs, refs.get(i));
    low = Math.min(low, vblocks.get(i));
    high = Math.max(high, vblocks.get(i));
    if (!familyIndex.has(families.get(i))) familyIndex.set(families.get(i), familyIndex.size);
  }
  const vblockBase = low === Infinity ? 0 : low;
  const header = {
    blocks: refs.length,
    refsWidth: widthOf(mostRefs),
    vblockWidth: widthOf(high - Math.min(vblockBase, high)),
    familyWidth: widthOf(Math.max(0, familyIndex.size - 1)),
    families: familyIndex.size,
    vblockBase,
  };
  return { header, familyIndex };
}

/** Bytes that hold `max`: 0, 1, 2, 3, 4 or 6. */
function widthOf(max: number): number {
  if (max === 0) return 0;
  if (max < 2 ** 8) return 1;
  if (max < 2 ** 16) return 2;
  if (max < 2 ** 24) return 3;
  return max < 2 ** 32 ? 4 : 6;
}

function setWidth(view: DataView, at: number, width: number, value: number): void {
  if (width === 1) view.setUint8(at, value);
  else if (width === 2) view.setUint16(at, value, true);
  else if (width === 3) {
    view.setUint16(at, value & 0xffff, true);
    view.setUint8(at + 2, value >>> 16);
  } else if (width === 4) view.setUint32(at, value, true);
  else if (width === 6) setU48(view, at, value);
}

const readers: Record<number, (view: DataView, at: number) => number> = {
  0: () => 0,
  1: (view, at) => view.getUint8(at),
  2: (view, at) => view.getUint16(at, true),
  3: (view, at) => view.getUint16(at, true) | (view.getUint8(at + 2) << 16),
  4: (view, at) => view.getUint32(at, true),
  6: getU48,
};
