/** Arbitrary values of all that the formats hold, for the properties; and ways to hurt bytes. */
import fc from "fast-check";
import { expect } from "vitest";
import type { SubvolumeEntry } from "../../src/format/checkpoint-values.ts";
import type { FrameFacts } from "../../src/format/journal-frame.ts";
import type { JournalRecord, RemapRecord } from "../../src/format/records.ts";
import type { Superblock } from "../../src/format/superblock.ts";

export const u16: fc.Arbitrary<number> = fc.integer({ min: 0, max: 0xffff });
export const u32: fc.Arbitrary<number> = fc.nat({ max: 0xffffffff });
export const u48: fc.Arbitrary<number> = fc.nat({ max: 2 ** 48 - 1 });
/** What we call a u64: a number that is exact. */
export const u64: fc.Arbitrary<number> = fc.maxSafeNat();

const utf8 = new TextEncoder();

/** Any name that `checkName` lets pass, a leading byte order mark included. */
export const name: fc.Arbitrary<string> = fc
  .string({ unit: "binary", minLength: 1, maxLength: 60 })
  .chain((text) => fc.constantFrom(text, `\u{feff}${text}`, text.repeat(4)))
  .filter((text) => utf8.encode(text).length <= 255 && !/\p{Cc}/u.test(text));

const written = fc.uint32Array({ minLength: 1, maxLength: 20 });

function mapRecord<T extends "remap" | "convert">(
  type: T,
): fc.Arbitrary<Omit<RemapRecord, "type" | "checksums"> & { type: T; checksums: Uint32Array }> {
  const places = fc.record({ subvolume: u32, vblock: u64, pblock: u32 });
  return fc
    .tuple(places, written)
    .map(([place, checksums]) => ({ type, ...place, count: checksums.length, checksums }));
}

/** Every type of record, each as likely as any other. */
export const record: fc.Arbitrary<JournalRecord> = fc.oneof(
  mapRecord("remap"),
  mapRecord("convert"),
  fc.record({
    type: fc.constant("remap" as const),
    subvolume: u32,
    vblock: u64,
    pblock: u32,
    count: u32,
    checksums: fc.constant(null),
  }),
  fc.record({ type: fc.constant("unmap" as const), subvolume: u32, vblock: u64, count: u64 }),
  fc.record({
    type: fc.constant("create" as const),
    subvolume: u32,
    size: u64,
    created: u64,
    name,
  }),
  fc.record({
    type: fc.constantFrom("snapshot" as const, "clone" as const),
    source: u32,
    subvolume: u32,
    created: u64,
    name,
  }),
  fc.record({ type: fc.constant("rollback" as const), subvolume: u32, source: u32 }),
  fc.record({ type: fc.constant("rename" as const), subvolume: u32, name }),
  fc.record({ type: fc.constant("delete" as const), subvolume: u32 }),
  fc.record({ type: fc.constant("resize" as const), subvolume: u32, size: u64 }),
  fc.record({ type: fc.constant("reclaim" as const), nodes: u64 }),
  fc.record({ type: fc.constant("relocate" as const), from: u32, to: u32, count: u32 }),
);

export const bytesOf = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });

const powerOfTwo = (from: number, to: number): fc.Arbitrary<number> =>
  fc.integer({ min: Math.log2(from), max: Math.log2(to) }).map((power) => 2 ** power);

/** Every superblock that this version may write. */
export const superblock: fc.Arbitrary<Superblock> = fc
  .record({
    sequence: u64,
    uuid: bytesOf(16),
    compatibleFeatures: u32,
    readOnlyFeatures: u32,
    requiredFeatures: fc.constant(0),
    blockSize: powerOfTwo(512, 65536),
    segmentBlocks: powerOfTwo(1, 16384),
    capacityBlocks: fc.integer({ min: 1, max: 2 ** 32 }),
    dataOffset: fc.integer({ min: 1, max: 2 ** 20 }),
    nodeSize: fc.integer({ min: 60, max: 65536 }),
    journalAlignment: powerOfTwo(512, 65536),
    created: u64,
  })
  .map((fields) => ({ ...fields, dataOffset: fields.dataOffset * fields.blockSize }));

export const frameFacts: fc.Arbitrary<Omit<FrameFacts, "commits">> = fc.record({
  firstLsn: fc.integer({ min: 1, max: 2 ** 52 }),
  durableLsn: u64,
  previous: u32,
  storeId: bytesOf(8),
});

export const subvolume: fc.Arbitrary<SubvolumeEntry> = fc.record({
  id: u32,
  name,
  size: u64,
  readOnly: fc.boolean(),
  source: u32,
  family: u32,
  root: u64,
  created: u64,
});

/** A copy with one bit turned over. */
export function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}

/** Runs `work`, which must not allocate more than a little memory for bytes. */
export function expectFrugal(work: () => void): void {
  const before = process.memoryUsage().arrayBuffers;
  work();
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1024 * 1024);
}
