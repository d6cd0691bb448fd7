/**
 * The small values of a checkpoint, and the kinds under which all its values are kept.
 *
 * Every value ends in a seal (`sealed-value.ts`), which is not part of the structures here. Lists
 * that may grow long are cut into pages of {@link PAGE_ENTRIES}; the state value says how many
 * entries they hold, so that a missing page is noticed.
 */
import { getU64, setU64, viewOf } from "../base/bytes.ts";
import { BlockspaceError } from "../base/errors.ts";
import { ByteReader } from "./byte-reader.ts";
import { ByteWriter } from "./byte-writer.ts";
import { struct, type Struct } from "./struct.ts";

/** The kinds of keys, in the order in which they sort. */
export const kinds = {
  /** Id 0: the closing record. */
  closing: 0,
  /** Id 0: the counters of the state. */
  state: 1,
  /** By subvolume id. */
  subvolume: 2,
  /** By node id: a map node. */
  node: 3,
  /** By node id: how many parents and roots refer to it, where that is not one. */
  nodeReferences: 4,
  /** By segment number: what is known of its blocks; absent when none was ever allocated. */
  segment: 5,
  /** By page: the number of allocated blocks of each of 500 segments. */
  segmentLive: 6,
  /** By segment number: a bitmap of blocks that the checkpoint before this one may refer to. */
  busy: 7,
  /** By page: ids of map nodes that no root reaches, still to be taken apart. */
  deadNodes: 8,
  /** By page: the keys that differ from the checkpoint before this one. */
  changedKeys: 9,
} as const;

export const PAGE_ENTRIES = 500;

/** The counters of the state as of the checkpoint's LSN. */
export interface StateValue {
  lsn: number;
  nextNode: number;
  nextSubvolume: number;
  /** Checksum of the journal frame that ends in `lsn`: what the next frame must name. */
  journalChecksum: number;
  allocatedBlocks: number;
  subvolumes: number;
  deadNodes: number;
  changedKeys: number;
  busySegments: number;
}

export const stateValueStruct: Struct<StateValue> = struct("state value", {
  lsn: "u64",
  nextNode: "u64",
  nextSubvolume: "u32",
  journalChecksum: "u32",
  allocatedBlocks: "u64",
  subvolumes: "u32",
  deadNodes: "u32",
  changedKeys: "u32",
  busySegments: "u32",
});

export function encodeState(value: StateValue): Uint8Array {
  const body = new Uint8Array(stateValueStruct.size);
  stateValueStruct.write(body, 0, value);
  return body;
}

export function decodeState(body: Uint8Array): StateValue {
  checkBytes(body, stateValueStruct.size, "a state value");
  return stateValueStruct.read(body, 0);
}

/** Ids are never used again, and the state value holds the next one in 32 bits. */
export const MAX_SUBVOLUME_ID: number = 2 ** 32 - 2;

/** One subvolume as the catalogue knows it; frozen, every change makes a new one. */
export interface SubvolumeEntry {
  readonly id: number;
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly readOnly: boolean;
  /** Id of the subvolume it was made from, or 0. */
  readonly source: number;
  /** Id of the first subvolume of its line; all that share blocks have the same. */
  readonly family: number;
  /** Node id of the map's root, or 0 when nothing is mapped. */
  readonly root: number;
  /** Milliseconds since 1970. */
  readonly created: number;
}

interface SubvolumeFields {
  id: number;
  source: number;
  family: number;
  readOnly: number;
  nameLength: number;
  size: number;
  root: number;
  created: number;
}

/** Followed by the name. */
export const subvolumeStruct: Struct<SubvolumeFields> = struct("subvolume value", {
  id: "u32",
  source: "u32",
  family: "u32",
  readOnly: "u8",
  nameLength: "u8",
  reserved: { zero: 2 },
  size: "u64",
  root: "u64",
  created: "u64",
});

export function encodeSubvolume(entry: SubvolumeEntry): Uint8Array {
  const name = new TextEncoder().encode(entry.name);
  const writer = new ByteWriter(subvolumeStruct.size + name.length);
  const readOnly = entry.readOnly ? 1 : 0;
  writer.struct(subvolumeStruct, { ...entry, readOnly, nameLength: name.length });
  writer.bytes(name);
  return writer.view();
}

export function decodeSubvolume(body: Uint8Array): SubvolumeEntry {
  const reader = new ByteReader(body, "a subvolume value");
  const { nameLength, readOnly, ...fields } = reader.struct(subvolumeStruct);
  const name = reader.text(nameLength);
  reader.end();
  if (readOnly > 1) throw new BlockspaceError("ECORRUPT", `subvolume "${name}" is half read-only`);
  return { ...fields, name, readOnly: readOnly === 1 };
}

/** The value of {@link kinds.nodeReferences}. */
export const referencesStruct: Struct<{ references: number }> = struct("node references value", {
  references: "u32",
});

export function encodeReferences(references: number): Uint8Array {
  const body = new Uint8Array(referencesStruct.size);
  referencesStruct.write(body, 0, { references });
  return body;
}

/** How many references a node has, which is at least two: one is not written down. */
export function decodeReferences(body: Uint8Array): number {
  checkBytes(body, referencesStruct.size, "a node references value");
  const { references } = referencesStruct.read(body, 0);
  if (references > 1) return references;
  throw new BlockspaceError("ECORRUPT", `a node references value counts ${references}`);
}

/** A value of {@link kinds.busy}: a bit for each block of the segment. */
export function decodeBusy(body: Uint8Array, segmentBlocks: number): Uint8Array {
  checkBytes(body, Math.ceil(segmentBlocks / 8), "a busy bitmap");
  return body;
}

/** A page of {@link kinds.segmentLive}: a u16 for each segment. */
export function encodeLivePage(counts: Uint16Array): Uint8Array {
  const body = new Uint8Array(counts.length * 2);
  const view = viewOf(body);
  counts.forEach((count, i) => view.setUint16(i * 2, count, true));
  return body;
}

/** At most `most` entries; fewer where the page is from before the store was made larger. */
export function decodeLivePage(body: Uint8Array, most: number): Uint16Array {
  const entries = body.length / 2;
  if (!Number.isInteger(entries) || entries < 1 || entries > most) {
    const what = `a page of segment counts has ${body.length} bytes`;
    throw new BlockspaceError("ECORRUPT", `${what}; allowed are two for each of ${most} segments`);
  }
  const view = viewOf(body);
  return Uint16Array.from({ length: entries }, (_, i) => view.getUint16(i * 2, true));
}

/** A page of {@link kinds.deadNodes} or {@link kinds.changedKeys}: a u64 for each entry. */
export function encodeNumberPage(numbers: readonly number[]): Uint8Array {
  const body = new Uint8Array(numbers.length * 8);
  const view = viewOf(body);
  numbers.forEach((value, i) => setU64(view, i * 8, value));
  return body;
}

export function decodeNumberPage(body: Uint8Array): number[] {
  if (body.length % 8 !== 0 || body.length > PAGE_ENTRIES * 8) {
    throw new BlockspaceError("ECORRUPT", "a page of numbers is of the wrong size");
  }
  const view = viewOf(body);
  return Array.from({ length: body.length / 8 }, (_, i) => getU64(view, i * 8));
}

function checkBytes(body: Uint8Array, bytes: number, what: string): void {
  if (body.length === bytes) return;
  throw new BlockspaceError("ECORRUPT", `${what} has ${body.length} bytes, not ${bytes}`);
}
