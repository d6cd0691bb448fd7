/**
 * The superblock: which store this is and how it is laid out. Written twice, in two slots of 4096
 * bytes; the valid slot with the greater sequence number counts. An update writes the other slot,
 * so that a torn write leaves the former superblock standing.
 *
 * A slot is valid if and only if (1) its magic is right, (2) its checksum matches, (3) its format
 * version is known, (4) it asks for no required feature that is unknown, (5) its reserved bytes are
 * zero, and (6) its geometry is within the limits below. (3) and (4) are `ENOTSUP`, the others
 * `ECORRUPT`; they are decided in this order, so that a later version, which may lay out everything
 * behind the version differently, is told from damage.
 */
import { viewOf } from "../base/bytes.ts";
import { crc32c } from "../base/checksum.ts";
import { BlockspaceError } from "../base/errors.ts";
import { struct, type Struct } from "./struct.ts";

export const SUPERBLOCK_SLOT_SIZE = 4096;
export const SUPERBLOCK_SIZE: number = 2 * SUPERBLOCK_SLOT_SIZE;
export const FORMAT_VERSION = 3;
export const MIN_BLOCK_SIZE = 512;
export const MAX_BLOCK_SIZE = 65536;
/** Physical block numbers have 32 bits. */
export const MAX_CAPACITY_BLOCKS: number = 2 ** 32;
/** An extent's length has 15 bits, and no extent crosses a segment. */
export const MAX_SEGMENT_BLOCKS = 16384;
/** Room for four entries, the fewest that a node of the map's tree can split. */
export const MIN_NODE_SIZE = 60;
export const MAX_NODE_SIZE = 65536;
/** A sector, the least that a device writes whole. */
export const MIN_JOURNAL_ALIGNMENT = 512;
export const MAX_JOURNAL_ALIGNMENT = 65536;
export const STORE_ID_BYTES = 8;

const MAGIC = new TextEncoder().encode("BLKSPACE");
const VERSION_AT = 8;
const CHECKSUM_AT = 12;
const REQUIRED_FEATURES_AT = 48;

/** What a slot says, in bytes unless named otherwise; `created` in milliseconds since 1970. */
export interface Superblock {
  sequence: number;
  uuid: Uint8Array;
  compatibleFeatures: number;
  readOnlyFeatures: number;
  requiredFeatures: number;
  blockSize: number;
  segmentBlocks: number;
  capacityBlocks: number;
  /** Where physical block 0 starts on the data device. */
  dataOffset: number;
  /** Largest encoded map node, its checksum included. */
  nodeSize: number;
  /** Journal frames start and end at multiples of this. */
  journalAlignment: number;
  created: number;
}

interface SuperblockFields extends Superblock {
  magic: Uint8Array;
  version: number;
  checksum: number;
}

export const superblockStruct: Struct<SuperblockFields> = struct("superblock", {
  magic: { bytes: 8 },
  version: "u32",
  checksum: "u32",
  sequence: "u64",
  uuid: { bytes: 16 },
  compatibleFeatures: "u32",
  readOnlyFeatures: "u32",
  requiredFeatures: "u32",
  blockSize: "u32",
  segmentBlocks: "u32",
  nodeSize: "u32",
  capacityBlocks: "u64",
  dataOffset: "u64",
  journalAlignment: "u32",
  reserved: { zero: 4 },
  created: "u64",
});

/** One slot of 4096 bytes. */
export function encodeSuperblock(superblock: Superblock): Uint8Array {
  const slot = new Uint8Array(SUPERBLOCK_SLOT_SIZE);
  const fields = { ...superblock, magic: MAGIC, version: FORMAT_VERSION, checksum: 0 };
  superblockStruct.write(slot, 0, fields);
  superblockStruct.write(slot, 0, { ...fields, checksum: crc32c(slot) });
  return slot;
}

/** The superblock in a slot, or the reason why there is none. */
export function decodeSuperblock(slot: Uint8Array): Superblock {
  if (slot.length !== SUPERBLOCK_SLOT_SIZE || !startsWith(slot, MAGIC)) {
    throw new BlockspaceError("ECORRUPT", "a superblock slot does not start with BLKSPACE");
  }
  const view = viewOf(slot);
  const blank = new Uint8Array(slot);
  blank.fill(0, CHECKSUM_AT, CHECKSUM_AT + 4);
  if (crc32c(blank) !== view.getUint32(CHECKSUM_AT, true)) {
    throw new BlockspaceError("ECORRUPT", "a superblock slot does not match its checksum");
  }
  const version = view.getUint32(VERSION_AT, true);
  if (version !== FORMAT_VERSION) {
    throw new BlockspaceError(
      "ENOTSUP",
      `the store has format version ${version}; this library knows ${FORMAT_VERSION}`,
    );
  }
  checkFeatures("requires", view.getUint32(REQUIRED_FEATURES_AT, true));
  const fields = superblockStruct.read(slot, 0);
  const { magic: _magic, version: _version, checksum: _checksum, ...superblock } = fields;
  checkGeometry(superblock);
  return superblock;
}

/** Refuses to write a store whose features allow this library no more than to read it. */
export function checkWritable(superblock: Superblock): void {
  checkFeatures("requires of a writer", superblock.readOnlyFeatures);
}

function checkFeatures(what: string, bits: number): void {
  if (bits === 0) return;
  throw new BlockspaceError("ENOTSUP", `the store ${what} unknown features 0x${bits.toString(16)}`);
}

function startsWith(bytes: Uint8Array, magic: Uint8Array): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}

function checkGeometry(superblock: Superblock): void {
  const { blockSize, segmentBlocks, capacityBlocks, dataOffset } = superblock;
  const { nodeSize, journalAlignment } = superblock;
  const sound =
    isPowerOfTwo(blockSize) &&
    blockSize >= MIN_BLOCK_SIZE &&
    blockSize <= MAX_BLOCK_SIZE &&
    isPowerOfTwo(segmentBlocks) &&
    segmentBlocks <= MAX_SEGMENT_BLOCKS &&
    capacityBlocks > 0 &&
    capacityBlocks <= MAX_CAPACITY_BLOCKS &&
    dataOffset % blockSize === 0 &&
    dataOffset >= DATA_LABEL_SIZE &&
    Number.isSafeInteger(dataOffset + capacityBlocks * blockSize) &&
    nodeSize >= MIN_NODE_SIZE &&
    nodeSize <= MAX_NODE_SIZE &&
    isPowerOfTwo(journalAlignment) &&
    journalAlignment >= MIN_JOURNAL_ALIGNMENT &&
    journalAlignment <= MAX_JOURNAL_ALIGNMENT;
  if (!sound) throw new BlockspaceError("ECORRUPT", "a superblock slot has impossible geometry");
}

/** The first bytes of the uuid: what journal frames and checkpoints say whose they are. */
export function storeIdOf({ uuid }: Pick<Superblock, "uuid">): Uint8Array {
  return uuid.subarray(0, STORE_ID_BYTES);
}

/** A uuid as people write it: 8, 4, 4, 4 and 12 hexadecimal digits. */
export function formatUuid(uuid: Uint8Array): string {
  const hex = Buffer.from(uuid).toString("hex");
  return [8, 12, 16, 20, 32]
    .map((end, i, ends) => hex.slice(i === 0 ? 0 : ends[i - 1], end))
    .join("-");
}

export function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

/** The label at the start of the data device, which ties the device to its store. */
export interface DataLabel {
  magic: Uint8Array;
  uuid: Uint8Array;
  checksum: number;
}

export const dataLabelStruct: Struct<DataLabel> = struct("data label", {
  magic: { bytes: 8 },
  uuid: { bytes: 16 },
  reserved: { zero: 4 },
  checksum: "u32",
});

const LABEL_MAGIC = new TextEncoder().encode("BLKSDATA");
export const DATA_LABEL_SIZE = 512;

/** The label as one sector of 512 bytes. */
export function encodeDataLabel(uuid: Uint8Array): Uint8Array {
  const label = new Uint8Array(DATA_LABEL_SIZE);
  dataLabelStruct.write(label, 0, { magic: LABEL_MAGIC, uuid, checksum: 0 });
  const checksum = crc32c(label.subarray(0, dataLabelStruct.size - 4));
  dataLabelStruct.write(label, 0, { magic: LABEL_MAGIC, uuid, checksum });
  return label;
}

/**
 * The uuid of the store that a data device belongs to; `undefined` without a valid label. A label
 * of a later version, with something in its reserved bytes, is not taken for none: `ECORRUPT`.
 */
export function decodeDataLabel(label: Uint8Array): Uint8Array | undefined {
  if (label.length < dataLabelStruct.size || !startsWith(label, LABEL_MAGIC)) return undefined;
  const covered = dataLabelStruct.size - 4;
  const sound = viewOf(label).getUint32(covered, true) === crc32c(label.subarray(0, covered));
  return sound ? dataLabelStruct.read(label, 0).uuid : undefined;
}
