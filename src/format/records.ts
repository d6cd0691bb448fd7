/**
 * The records of the journal: every change of state that there is. `replay/apply.ts` gives each one
 * its meaning; here is only how it looks in bytes. Records hold physical addresses, so that replay
 * never allocates. Blocks are numbered from 0, vblocks within a subvolume, pblocks on the device.
 *
 * On disk a record is a fixed structure that starts with its code, followed by its array of
 * checksums or its name where it has one. Records of one shape share a structure; a field that a
 * record has no use for is as good as reserved: written as zero, and refused when it is not.
 */
import { BlockspaceError } from "../base/errors.ts";
import type { ByteReader } from "./byte-reader.ts";
import type { ByteWriter } from "./byte-writer.ts";
import { struct, type Struct } from "./struct.ts";

/** Maps `count` vblocks onto newly allocated pblocks; without checksums they are unwritten. */
export interface RemapRecord {
  type: "remap";
  subvolume: number;
  vblock: number;
  pblock: number;
  count: number;
  checksums: Uint32Array | null;
}
/** Blocks that were mapped unwritten, at the same pblocks, are written now. */
export interface ConvertRecord {
  type: "convert";
  subvolume: number;
  vblock: number;
  pblock: number;
  count: number;
  checksums: Uint32Array;
}
/** Makes `count` vblocks a hole. */
export interface UnmapRecord {
  type: "unmap";
  subvolume: number;
  vblock: number;
  count: number;
}
/** A new, empty subvolume of `size` bytes; `created` in milliseconds since 1970. */
export interface CreateRecord {
  type: "create";
  subvolume: number;
  size: number;
  created: number;
  name: string;
}
/** A new subvolume that shares all blocks of `source`: a snapshot when read-only, else a clone. */
export interface ShareRecord {
  type: "snapshot" | "clone";
  source: number;
  subvolume: number;
  created: number;
  name: string;
}
/** `subvolume` takes the size and the map of `source`. */
export interface RollbackRecord {
  type: "rollback";
  subvolume: number;
  source: number;
}
export interface RenameRecord {
  type: "rename";
  subvolume: number;
  name: string;
}
export interface DeleteRecord {
  type: "delete";
  subvolume: number;
}
/** A new size in bytes; what was mapped beyond it is unmapped. */
export interface ResizeRecord {
  type: "resize";
  subvolume: number;
  size: number;
}
/** Takes apart up to `nodes` map nodes that no root reaches any more. */
export interface ReclaimRecord {
  type: "reclaim";
  nodes: number;
}
/** The live blocks among `count` at `from` have been copied to `to`; all sharers at once. */
export interface RelocateRecord {
  type: "relocate";
  from: number;
  to: number;
  count: number;
}

export type JournalRecord =
  | RemapRecord
  | ConvertRecord
  | UnmapRecord
  | CreateRecord
  | ShareRecord
  | RollbackRecord
  | RenameRecord
  | DeleteRecord
  | ResizeRecord
  | ReclaimRecord
  | RelocateRecord;

/** The first byte of a record; a code is never given a second meaning. */
export const recordCodes = {
  remap: 1,
  convert: 2,
  unmap: 3,
  create: 4,
  snapshot: 5,
  clone: 6,
  rollback: 7,
  rename: 8,
  delete: 9,
  resize: 10,
  reclaim: 11,
  relocate: 12,
} as const;

const types = new Map(
  Object.entries(recordCodes).map(([type, code]) => [
    code as number,
    type as JournalRecord["type"],
  ]),
);

interface Coded {
  code: number;
}
interface MapFields extends Coded {
  written: number;
  subvolume: number;
  vblock: number;
  pblock: number;
  count: number;
}
interface NameFields extends Coded {
  nameLength: number;
  source: number;
  subvolume: number;
  size: number;
  created: number;
}
interface RangeFields extends Coded {
  subvolume: number;
  vblock: number;
  count: number;
}
interface NumbersFields extends Coded {
  subvolume: number;
  source: number;
  size: number;
}
interface RelocateFields extends Coded {
  from: number;
  to: number;
  count: number;
}

/** `remap` and `convert`; followed by `count` checksums of 4 bytes when `written` is 1. */
export const mapRecordStruct: Struct<MapFields> = struct("remap record", {
  code: "u8",
  written: "u8",
  reserved: { zero: 2 },
  subvolume: "u32",
  pblock: "u32",
  count: "u32",
  vblock: "u64",
});
/** `unmap`. */
export const rangeRecordStruct: Struct<RangeFields> = struct("unmap record", {
  code: "u8",
  reserved: { zero: 3 },
  subvolume: "u32",
  vblock: "u64",
  count: "u64",
});
/** `create`, `snapshot`, `clone` and `rename`; followed by the name. */
export const nameRecordStruct: Struct<NameFields> = struct("name record", {
  code: "u8",
  nameLength: "u8",
  reserved: { zero: 2 },
  subvolume: "u32",
  source: "u32",
  reserved2: { zero: 4 },
  size: "u64",
  created: "u64",
});
/** `rollback`, `delete`, `resize` and `reclaim` (whose `size` is a number of nodes). */
export const numbersRecordStruct: Struct<NumbersFields> = struct("numbers record", {
  code: "u8",
  reserved: { zero: 3 },
  subvolume: "u32",
  source: "u32",
  reserved2: { zero: 4 },
  size: "u64",
});
/** `relocate`. */
export const relocateRecordStruct: Struct<RelocateFields> = struct("relocate record", {
  code: "u8",
  reserved: { zero: 3 },
  from: "u32",
  to: "u32",
  count: "u32",
});

const encoder = new TextEncoder();

export function writeRecord(writer: ByteWriter, record: JournalRecord): void {
  const code = recordCodes[record.type];
  switch (record.type) {
    case "remap":
    case "convert":
      writeMapRecord(writer, code, record);
      return;
    case "unmap":
      writer.struct(rangeRecordStruct, { ...record, code });
      return;
    case "create":
    case "snapshot":
    case "clone":
    case "rename": {
      const name = encoder.encode(record.name);
      const fields = { source: 0, size: 0, created: 0, ...record, code, nameLength: name.length };
      writer.struct(nameRecordStruct, fields);
      writer.bytes(name);
      return;
    }
    case "rollback":
    case "delete":
    case "resize":
      writer.struct(numbersRecordStruct, { source: 0, size: 0, ...record, code });
      return;
    case "reclaim":
      writer.struct(numbersRecordStruct, { code, subvolume: 0, source: 0, size: record.nodes });
      return;
    case "relocate":
      writer.struct(relocateRecordStruct, { ...record, code });
  }
}

/** By far the most frequent: spelled out, since a spread object costs a microsecond. */
function writeMapRecord(
  writer: ByteWriter,
  code: number,
  { subvolume, vblock, pblock, count, checksums }: RemapRecord | ConvertRecord,
): void {
  if (checksums && checksums.length !== count) {
    throw new BlockspaceError("EINVAL", `${checksums.length} checksums for ${count} blocks`);
  }
  const written = checksums ? 1 : 0;
  writer.struct(mapRecordStruct, { code, written, subvolume, pblock, count, vblock });
  if (checksums) writer.u32s(checksums);
}

/** The next record, or `ECORRUPT`. */
export function readRecord(reader: ByteReader): JournalRecord {
  const code = reader.peek();
  const type = types.get(code);
  switch (type) {
    case "remap":
    case "convert": {
      const { written, subvolume, vblock, pblock, count } = reader.struct(mapRecordStruct);
      if (written > 1) throw damage(type, `says ${written} for written`);
      const checksums = written === 1 ? reader.u32s(count) : null;
      if (type === "remap") return { type, subvolume, vblock, pblock, count, checksums };
      if (!checksums) throw damage(type, "has no checksums");
      return { type, subvolume, vblock, pblock, count, checksums };
    }
    case "unmap": {
      const { subvolume, vblock, count } = reader.struct(rangeRecordStruct);
      return { type, subvolume, vblock, count };
    }
    case "create":
    case "snapshot":
    case "clone":
    case "rename": {
      const fields = reader.struct(nameRecordStruct);
      const { subvolume, source, size, created } = fields;
      const name = reader.text(fields.nameLength);
      if (type === "rename") {
        checkUnused(type, source, size, created);
        return { type, subvolume, name };
      }
      checkUnused(type, type === "create" ? source : size);
      if (type === "create") return { type, subvolume, size, created, name };
      return { type, source, subvolume, created, name };
    }
    case "rollback":
    case "delete":
    case "resize":
    case "reclaim": {
      const { subvolume, source, size } = reader.struct(numbersRecordStruct);
      if (type === "rollback") {
        checkUnused(type, size);
        return { type, subvolume, source };
      }
      checkUnused(type, source, type === "delete" ? size : 0, type === "reclaim" ? subvolume : 0);
      if (type === "delete") return { type, subvolume };
      return type === "resize" ? { type, subvolume, size } : { type, nodes: size };
    }
    case "relocate": {
      const { from, to, count } = reader.struct(relocateRecordStruct);
      return { type, from, to, count };
    }
    case undefined:
      throw new BlockspaceError("ECORRUPT", `a record has the unknown type ${code}`);
  }
}

function checkUnused(type: JournalRecord["type"], ...values: number[]): void {
  if (values.some((value) => value !== 0)) throw damage(type, "uses fields that are not its own");
}

function damage(type: JournalRecord["type"], what: string): BlockspaceError {
  return new BlockspaceError("ECORRUPT", `a ${type} record ${what}`);
}
