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
import { Column, type Values } from "./column.ts";
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

const IS_LITTLE_ENDIAN: boolean = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
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

/**
 * The value of a segment record without its seal. A checkpoint encodes thousands, so the loops do
 * without branches where they can: which blocks are free is as random as what was overwritten.
 * (Half of the time.)
 */
export function encodeSegmentRecord(record: SegmentRecord): Uint8Array {
  const { refs, checksums, written, vblocks, families } = record;
  const blocks = refs.length;
  const live = liveIn(refs.values);
  const { header, familyIndex } = measure(record);
  const { refsWidth, vblockWidth, familyWidth, vblockBase } = header;
  const bitmapSize = Math.ceil(blocks / 8);
  const perBlock = 4 + refsWidth + vblockWidth + familyWidth;
  const size = segmentHeaderStruct.size + header.families * 4 + bitmapSize + blocks * perBlock;
  const body = newBody(size);
  segmentHeaderStruct.write(body, 0, header);
  let at = segmentHeaderStruct.size;
  const view = viewOf(body);
  for (const family of familyIndex.keys()) {
    view.setUint32(at, family, true);
    at += 4;
  }
  for (let i = 0; i < blocks; i++) body[at + (i >> 3)]! |= (written[i]! & live[i]!) << (i & 7);
  at += bitmapSize;
  at = putChecksums(body, at, checksums, live);
  at = putReferences(body, at, refsWidth, refs.values, live);
  at = putValues(body, at, vblockWidth, vblocks.values, live, vblockBase);
  if (familyWidth > 0) {
    const indexes = Uint32Array.from(families.values, (family) => familyIndex.get(family) ?? 0);
    putValues(body, at, familyWidth, indexes, live, 0);
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

/** 1 for each block that is referred to, 0 for a free one. */
function liveIn(refs: Values): Uint8Array {
  const live = new Uint8Array(refs.length);
  for (let i = 0; i < refs.length; i++) live[i] = Math.min(refs[i]!, 1);
  return live;
}

function measure(record: SegmentRecord): {
  header: SegmentHeader;
  familyIndex: Map<number, number>;
} {
  const refs = record.refs.values;
  const vblocks = record.vblocks.values;
  const families = record.families.values;
  let low = Infinity;
  let high = 0;
  let mostRefs = 0;
  let lastFamily = -1;
  const familyIndex = new Map<number, number>();
  for (let i = 0; i < refs.length; i++) {
    if (refs[i] === 0) continue;
    if (refs[i]! > mostRefs) mostRefs = refs[i]!;
    if (vblocks[i]! < low) low = vblocks[i]!;
    if (vblocks[i]! > high) high = vblocks[i]!;
    if (families[i] === lastFamily) continue;
    lastFamily = families[i]!;
    if (!familyIndex.has(lastFamily)) familyIndex.set(lastFamily, familyIndex.size);
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

/** Whole words where they fall on whole words, as they do in segments of 32 blocks and more. */
function putChecksums(
  body: Uint8Array,
  start: number,
  checksums: Uint32Array,
  live: Uint8Array,
): number {
  const at = body.byteOffset + start;
  if (at % 4 !== 0 || !IS_LITTLE_ENDIAN) return putValues(body, start, 4, checksums, live, 0);
  const words = new Uint32Array(body.buffer, at, checksums.length);
  for (let i = 0; i < words.length; i++) words[i] = checksums[i]! & -live[i]!;
  return start + words.byteLength;
}

/** References are nearly always as wide on disk as in memory, and 0 where a block is free. */
function putReferences(
  body: Uint8Array,
  start: number,
  width: number,
  refs: Values,
  live: Uint8Array,
): number {
  if (width !== 1 || !(refs instanceof Uint8Array)) {
    return putValues(body, start, width, refs, live, 0);
  }
  body.set(refs, start);
  return start + refs.length;
}

/**
 * Writes the values of live blocks, less `base`, in `width` bytes each, and 0 for the others;
 * returns where they end.
 */
function putValues(
  body: Uint8Array,
  start: number,
  width: number,
  values: Values,
  live: Uint8Array,
  base: number,
): number {
  if (width > 4) {
    const view = viewOf(body);
    values.forEach((value, i) => {
      if (live[i] === 1) setU48(view, start + i * width, value - base);
    });
    return start + values.length * width;
  }
  let at = start;
  for (let i = 0; i < values.length; i++) {
    let rest = (values[i]! - base) & -live[i]!;
    for (const end = at + width; at < end; at++) {
      body[at] = rest;
      rest >>>= 8;
    }
  }
  return at;
}

const readers: Record<number, (view: DataView, at: number) => number> = {
  0: () => 0,
  1: (view, at) => view.getUint8(at),
  2: (view, at) => view.getUint16(at, true),
  3: (view, at) => view.getUint16(at, true) | (view.getUint8(at + 2) << 16),
  4: (view, at) => view.getUint32(at, true),
  6: getU48,
};
