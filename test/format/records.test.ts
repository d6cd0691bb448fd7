/** The records of the journal: each reads back as written, and nonsense is refused. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../src/format/byte-reader.ts";
import { ByteWriter } from "../../src/format/byte-writer.ts";
import {
  type JournalRecord,
  readRecord,
  recordCodes,
  type RemapRecord,
  writeRecord,
} from "../../src/format/records.ts";
import { expectFrugal, record } from "./samples.ts";

function encode(...records: JournalRecord[]): Buffer {
  const writer = new ByteWriter();
  for (const each of records) writeRecord(writer, each);
  return Buffer.from(writer.view());
}

const decode = (bytes: Uint8Array): JournalRecord => readRecord(new ByteReader(bytes, "a record"));

const remap: RemapRecord = {
  type: "remap",
  subvolume: 1,
  vblock: 2,
  pblock: 3,
  count: 2,
  checksums: Uint32Array.of(4, 5),
};

/** The bytes of a record with some of them changed. */
function altered(from: JournalRecord, change: (bytes: Buffer) => void): Buffer {
  const bytes = encode(from);
  change(bytes);
  return bytes;
}

describe("records", () => {
  it("read back as written, one behind the other, every type of them", () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(fc.array(record, { maxLength: 8 }), (records) => {
        const reader = new ByteReader(encode(...records), "a record");
        expect(records.map(() => readRecord(reader))).toEqual(records);
        reader.end();
        for (const { type } of records) seen.add(type);
      }),
      { numRuns: 300 },
    );
    expect([...seen].toSorted()).toEqual(Object.keys(recordCodes).toSorted());
  });

  it("have codes of their own", () => {
    expect(new Set(Object.values(recordCodes)).size).toBe(Object.keys(recordCodes).length);
  });

  it("are refused when any number of bytes is missing", () => {
    fc.assert(
      fc.property(record, (each) => {
        const bytes = encode(each);
        for (let length = 0; length < bytes.length; length++) {
          expect(() => decode(bytes.subarray(0, length))).toThrow(/^ECORRUPT/);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("are refused with a code that nobody knows", () => {
    const known = new Set<number>(Object.values(recordCodes));
    for (let code = 0; code < 256; code++) {
      if (known.has(code)) continue;
      const bytes = Buffer.alloc(64);
      bytes[0] = code;
      expect(() => decode(bytes)).toThrow(`ECORRUPT: a record has the unknown type ${code}`);
    }
  });

  it("are refused with checksums for 4 thousand million blocks, without room being made", () => {
    const bytes = altered(remap, (each) => each.writeUInt32LE(0xffffffff, 12));
    expectFrugal(() => expect(() => decode(bytes)).toThrow("ECORRUPT: a record is cut short"));
  });

  it.each<[string, JournalRecord, number]>([
    ["a remap whose blocks are neither written nor not", remap, 1],
    ["a remap with something in its reserved bytes", remap, 2],
    ["an unmap with something in its reserved bytes", { ...remap, type: "unmap" }, 1],
    ["a create with a source", { type: "create", subvolume: 1, size: 1, created: 1, name: "a" }, 8],
    [
      "a snapshot with a size",
      { type: "snapshot", source: 1, subvolume: 2, created: 1, name: "a" },
      16,
    ],
    ["a clone with a size", { type: "clone", source: 1, subvolume: 2, created: 1, name: "a" }, 16],
    ["a rename with a source", { type: "rename", subvolume: 1, name: "a" }, 8],
    ["a rename with a size", { type: "rename", subvolume: 1, name: "a" }, 16],
    ["a rename with a time", { type: "rename", subvolume: 1, name: "a" }, 24],
    ["a rollback with a size", { type: "rollback", subvolume: 1, source: 2 }, 16],
    ["a delete with a source", { type: "delete", subvolume: 1 }, 8],
    ["a delete with a size", { type: "delete", subvolume: 1 }, 16],
    ["a resize with a source", { type: "resize", subvolume: 1, size: 5 }, 8],
    ["a reclaim with a subvolume", { type: "reclaim", nodes: 1 }, 4],
    ["a reclaim with a source", { type: "reclaim", nodes: 1 }, 8],
  ])("refuses %s", (_, from, at) => {
    const bytes = altered(from, (each) => each.writeUInt8(2, at));
    expect(() => decode(bytes)).toThrow(/^ECORRUPT/);
  });

  it("refuses a convert without checksums, which would leave its blocks unchecked", () => {
    const bytes = altered({ ...remap, type: "convert" } as JournalRecord, (each) => {
      each.writeUInt8(0, 1);
    });
    expect(() => decode(bytes)).toThrow("ECORRUPT: a convert record has no checksums");
  });

  it("refuses to write what it could not read back", () => {
    expect(() => encode({ ...remap, count: 3 })).toThrow("EINVAL: 2 checksums for 3 blocks");
    expect(() => encode({ type: "rename", subvolume: 1, name: "x".repeat(256) })).toThrow("ERANGE");
    expect(() => encode({ type: "delete", subvolume: 2 ** 32 })).toThrow("ERANGE");
    expect(() => encode({ ...remap, pblock: 2 ** 32 })).toThrow("ERANGE");
  });
});
