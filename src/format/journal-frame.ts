/**
 * The bytes of the journal. A file is a header and then frames, each starting at a multiple of the
 * alignment. A frame is one batch of commits that went out with one write and one flush:
 *
 *     header | commits | data blocks (where the batch carries them) | padding
 *
 * A frame is valid at a place if and only if (1) its magic and the store's id are right, (2) it
 * ends within the file and is no longer than {@link MAX_FRAME_BYTES}, (3) its checksum, over
 * everything behind the checksum field but the padding, matches, (4) `previous` is the checksum of
 * the frame before it, and (5) its first LSN is the next one due. (4) and (5) keep old frames of a
 * recycled file out. `durableLsn` is the LSN that was known to be durable when the frame was
 * written: what tells a torn tail from damage (promise I10).
 *
 * A valid frame whose contents make no sense is damage, never the end of the journal.
 */
import { viewOf } from "../base/bytes.ts";
import { crc32 } from "../base/checksum.ts";
import { BlockspaceError, isBlockspaceError } from "../base/errors.ts";
import { MiB } from "../base/units.ts";
import { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import {
  type ConvertRecord,
  type JournalRecord,
  readRecord,
  type RemapRecord,
  writeRecord,
} from "./records.ts";
import { struct, type Struct } from "./struct.ts";
import { MAX_JOURNAL_ALIGNMENT, STORE_ID_BYTES } from "./superblock.ts";

const FRAME_MAGIC = 0x464a5342;
const FILE_MAGIC = 0x484a5342;
const HAS_DATA = 1;
/** No frame is longer; what claims to be is not believed, and not allocated. */
export const MAX_FRAME_BYTES: number = 64 * MiB;

export interface FrameHeader {
  magic: number;
  checksum: number;
  /** Bytes of the frame without its padding. */
  length: number;
  flags: number;
  /** Bytes of the commits, which follow the header. */
  commitsLength: number;
  commits: number;
  firstLsn: number;
  durableLsn: number;
  previous: number;
  storeId: Uint8Array;
}

export const frameHeaderStruct: Struct<FrameHeader> = struct("journal frame header", {
  magic: "u32",
  checksum: "u32",
  length: "u32",
  flags: "u32",
  firstLsn: "u64",
  durableLsn: "u64",
  commits: "u32",
  commitsLength: "u32",
  previous: "u32",
  reserved: { zero: 4 },
  storeId: { bytes: STORE_ID_BYTES },
  reserved2: { zero: 8 },
});

/** Where the checksum stands in a frame's header. */
const CHECKSUM_AT = 4;
/** The bytes before the part of a frame, or of a file header, that its checksum covers. */
export const CHECKSUM_FROM = 8;

export interface JournalFileHeader {
  magic: number;
  checksum: number;
  /** Counts the journal files of the store in the order of their use, from 1. */
  sequence: number;
  /** The LSN of the first frame in the file, once there is one. */
  firstLsn: number;
  /** What the first frame's `previous` is. */
  previous: number;
  /** Size of the file in units of the store's `journalAlignment`. */
  blocks: number;
  storeId: Uint8Array;
}

/**
 * Valid if and only if magic, checksum and store id are right. It is written when `firstLsn - 1` is
 * durable, and is durable itself before the first frame is written.
 */
export const journalFileHeaderStruct: Struct<JournalFileHeader> = struct("journal file header", {
  magic: "u32",
  checksum: "u32",
  sequence: "u64",
  firstLsn: "u64",
  previous: "u32",
  blocks: "u32",
  storeId: { bytes: STORE_ID_BYTES },
});

interface CommitFields {
  length: number;
  records: number;
}

export const commitHeaderStruct: Struct<CommitFields> = struct("commit header", {
  length: "u32",
  records: "u32",
});

/** One commit: the records that become visible and durable together. */
export interface Commit {
  lsn: number;
  records: JournalRecord[];
}

/** Appends one commit and returns its bytes. */
export function writeCommit(writer: ByteWriter, records: readonly JournalRecord[]): number {
  const start = writer.length;
  writer.struct(commitHeaderStruct, { length: 0, records: records.length });
  for (const record of records) writeRecord(writer, record);
  const length = writer.length - start;
  writer.patchU32(start, length);
  return length;
}

/** What {@link encodeFrame} needs to know beside the commits and the data. */
export interface FrameFacts {
  firstLsn: number;
  durableLsn: number;
  commits: number;
  previous: number;
  storeId: Uint8Array;
}

/** No padding is longer. */
const zeroes: Uint8Array = new Uint8Array(MAX_JOURNAL_ALIGNMENT);

/** A frame as chunks for one vectored write, padded to `alignment`, and its checksum. */
export function encodeFrame(
  facts: FrameFacts,
  commits: Uint8Array,
  data: readonly Uint8Array[],
  alignment: number,
): { chunks: Uint8Array[]; size: number; checksum: number } {
  const dataLength = data.reduce((sum, chunk) => sum + chunk.length, 0);
  const length = frameHeaderStruct.size + commits.length + dataLength;
  if (length > MAX_FRAME_BYTES) {
    throw new BlockspaceError(
      "E2BIG",
      `a journal frame of ${length} bytes; allowed are ${MAX_FRAME_BYTES}`,
    );
  }
  const head = new Uint8Array(frameHeaderStruct.size);
  const view = viewOf(head);
  const fields = {
    ...facts,
    magic: FRAME_MAGIC,
    checksum: 0,
    length,
    flags: dataLength > 0 ? HAS_DATA : 0,
    commitsLength: commits.length,
  };
  frameHeaderStruct.write(head, 0, fields, view);
  let checksum = crc32(commits, crc32(head.subarray(CHECKSUM_FROM)));
  for (const chunk of data) checksum = crc32(chunk, checksum);
  view.setUint32(CHECKSUM_AT, checksum, true);
  const size = Math.ceil(length / alignment) * alignment;
  const padding = zeroes.subarray(0, size - length);
  return { chunks: [head, commits, ...data, padding], size, checksum };
}

/** The commits of a frame whose checksum has been found right, and the data that it carries. */
export function decodeFrame(
  header: FrameHeader,
  frame: Uint8Array,
): { commits: Commit[]; data: Uint8Array } {
  const start = frameHeaderStruct.size;
  const dataLength = header.length - start - header.commitsLength;
  const flags = dataLength > 0 ? HAS_DATA : 0;
  if (dataLength < 0 || header.flags !== flags || header.commits === 0) {
    throw new BlockspaceError("ECORRUPT", "a journal frame has impossible lengths or flags");
  }
  const reader = new ByteReader(
    frame.subarray(start, start + header.commitsLength),
    "a journal frame",
  );
  const commits: Commit[] = [];
  for (let i = 0; i < header.commits; i++) {
    const from = reader.position;
    const { length, records: count } = reader.struct(commitHeaderStruct);
    const records: JournalRecord[] = [];
    for (let j = 0; j < count; j++) records.push(readRecord(reader));
    if (reader.position - from !== length) {
      throw new BlockspaceError("ECORRUPT", "a commit is not as long as its header says");
    }
    commits.push({ lsn: header.firstLsn + i, records });
  }
  reader.end();
  return { commits, data: frame.subarray(start + header.commitsLength, header.length) };
}

/** A block whose data a frame carries. */
export interface CarriedBlock {
  /** Of the commit that wrote it. */
  lsn: number;
  pblock: number;
  data: Uint8Array;
}

/**
 * The blocks that a frame carries: all that its records wrote, in their order, or none. `ECORRUPT`
 * when its data is not what the records name.
 */
export function carriedBlocks(
  { commits, data }: { commits: readonly Commit[]; data: Uint8Array },
  blockSize: number,
): CarriedBlock[] {
  const carried: CarriedBlock[] = [];
  if (data.length === 0) return carried;
  let named = 0;
  for (const { records } of commits) {
    for (const record of records) if (isWritten(record)) named += record.count * blockSize;
  }
  if (named !== data.length) {
    throw new BlockspaceError(
      "ECORRUPT",
      `a journal frame carries ${data.length} bytes of data, and its records name ${named}`,
      { lsn: commits[0]!.lsn },
    );
  }
  let at = 0;
  for (const { lsn, records } of commits) {
    for (const record of records) {
      if (!isWritten(record)) continue;
      for (let i = 0; i < record.count; i++, at += blockSize) {
        carried.push({ lsn, pblock: record.pblock + i, data: data.subarray(at, at + blockSize) });
      }
    }
  }
  return carried;
}

function isWritten(record: JournalRecord): record is RemapRecord | ConvertRecord {
  return (record.type === "remap" || record.type === "convert") && record.checksums !== null;
}

/** The first block of a journal file, of `alignment` bytes. */
export function encodeFileHeader(
  facts: Omit<JournalFileHeader, "magic" | "checksum">,
  alignment: number,
): Uint8Array {
  const block = new Uint8Array(alignment);
  const fields = { ...facts, magic: FILE_MAGIC, checksum: 0 };
  journalFileHeaderStruct.write(block, 0, fields);
  const checksum = crc32(block.subarray(CHECKSUM_FROM, journalFileHeaderStruct.size));
  journalFileHeaderStruct.write(block, 0, { ...fields, checksum });
  return block;
}

/** The header of a journal file, or `undefined` when it is not a valid one of this store. */
export function decodeFileHeader(
  block: Uint8Array,
  storeId: Uint8Array,
): JournalFileHeader | undefined {
  const covered = block.subarray(CHECKSUM_FROM, journalFileHeaderStruct.size);
  const header = readOrNone(journalFileHeaderStruct, block, 0);
  const sound =
    header?.magic === FILE_MAGIC &&
    header.checksum === crc32(covered) &&
    isSameId(header.storeId, storeId);
  return sound ? header : undefined;
}

/** The header of a frame of this store at `at`, not believed further than magic and store id. */
export function decodeFrameHeader(
  bytes: Uint8Array,
  at: number,
  storeId: Uint8Array,
): FrameHeader | undefined {
  // Most places that are searched hold no frame: two bytes tell nearly all of them.
  if (bytes[at] !== (FRAME_MAGIC & 0xff) || bytes[at + 1] !== ((FRAME_MAGIC >> 8) & 0xff)) {
    return undefined;
  }
  const header = readOrNone(frameHeaderStruct, bytes, at);
  const ours = header?.magic === FRAME_MAGIC && isSameId(header.storeId, storeId);
  return ours ? header : undefined;
}

function isSameId(one: Uint8Array, other: Uint8Array): boolean {
  return one.every((byte, i) => byte === other[i]);
}

/** The structure at `at`, or `undefined` when the bytes there cannot be one. */
function readOrNone<T>(layout: Struct<T>, bytes: Uint8Array, at: number): T | undefined {
  try {
    return layout.read(bytes, at);
  } catch (error) {
    if (isBlockspaceError(error, "ECORRUPT")) return undefined;
    throw error;
  }
}
