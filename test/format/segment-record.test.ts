/** Segment records: columns as wide as they need to be, and impossible ones refused. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  copySegmentRecord,
  decodeSegmentRecord,
  encodeSegmentRecord,
  newSegmentRecord,
  type SegmentRecord,
  segmentHeaderStruct,
} from "../../src/format/segment-record.ts";
import { expectFrugal, u32 } from "./samples.ts";

interface Block {
  refs: number;
  checksum: number;
  written: boolean;
  family: number;
  vblock: number;
}

function recordOf(blocks: readonly Block[]): SegmentRecord {
  const record = newSegmentRecord(blocks.length);
  blocks.forEach(({ refs, checksum, written, family, vblock }, i) => {
    record.refs.set(i, refs);
    record.checksums[i] = checksum;
    record.written[i] = written ? 1 : 0;
    record.families.set(i, family);
    record.vblocks.set(i, vblock);
  });
  return record;
}

/** What the record says of the blocks that it says anything of. */
function liveBlocks(record: SegmentRecord): [number, Block][] {
  const live: [number, Block][] = [];
  [...record.refs].forEach((refs, i) => {
    if (refs === 0) return;
    const block = {
      refs,
      checksum: record.checksums[i]!,
      written: record.written[i] === 1,
      family: record.families.get(i),
      vblock: record.vblocks.get(i),
    };
    live.push([i, block]);
  });
  return live;
}

const small = (max: number): fc.Arbitrary<number> => fc.integer({ min: 0, max });
/** Numbers that need each width: none, 1, 2, 3, 4 and 6 bytes. */
const anyWidth = fc.oneof(...[0, 1, 2, 3, 4, 6].map((width) => small(2 ** (8 * width) - 1)));
const block: fc.Arbitrary<Block> = fc.record({
  refs: fc.oneof(
    fc.constant(0),
    small(1),
    anyWidth.map((value) => value % 2 ** 32),
  ),
  checksum: u32,
  written: fc.boolean(),
  family: fc.oneof(small(3), u32),
  vblock: fc.oneof(small(100), anyWidth),
});

const live: Block = { refs: 1, checksum: 9, written: true, family: 3, vblock: 1000 };
const free: Block = { ...live, refs: 0 };
const example = [live, { ...live, vblock: 1001 }, free, { ...live, family: 4, vblock: 1300 }];

/** The example's record with its bytes changed. */
function altered(change: (body: Buffer) => void): Buffer {
  const body = Buffer.from(encodeSegmentRecord(recordOf(example)));
  change(body);
  return body;
}

describe("a segment record", () => {
  it("says of every block that is referred to what it said when it was written", () => {
    fc.assert(
      fc.property(fc.array(block, { minLength: 1, maxLength: 70 }), (blocks) => {
        const record = recordOf(blocks);
        const read = decodeSegmentRecord(encodeSegmentRecord(record), blocks.length);
        expect(liveBlocks(read)).toEqual(liveBlocks(record));
        expect(liveBlocks(copySegmentRecord(read))).toEqual(liveBlocks(record));
        expect([...read.refs]).toEqual([...record.refs]);
      }),
      { numRuns: 300 },
    );
  });

  it("is written the same whatever stands in the columns of free blocks", () => {
    const other = example.map((each) =>
      each.refs === 0 ? { refs: 0, checksum: 1, written: false, family: 7, vblock: 5 } : each,
    );
    expect(encodeSegmentRecord(recordOf(other))).toEqual(encodeSegmentRecord(recordOf(example)));
  });

  it("takes only the bytes that its largest values need", () => {
    const sizeOf = (blocks: Block[]): number => encodeSegmentRecord(recordOf(blocks)).length;
    const fixed = segmentHeaderStruct.size;
    const eight = (one: Block): Block[] => Array.from({ length: 8 }, () => one);
    expect(sizeOf(eight(free))).toBe(fixed + 1 + 8 * 4);
    const same = eight(live);
    expect(sizeOf(same)).toBe(fixed + 4 + 1 + 8 * (4 + 1));
    for (const [most, width] of [
      [255, 1],
      [256, 2],
      [65_535, 2],
      [65_536, 3],
      [2 ** 24 - 1, 3],
      [2 ** 24, 4],
      [2 ** 32 - 1, 4],
      [2 ** 32, 6],
      [2 ** 47, 6],
    ] as const) {
      const blocks = [...same.slice(1), { ...live, vblock: live.vblock + most }];
      expect(sizeOf(blocks), `vblocks apart by ${most}`).toBe(fixed + 4 + 1 + 8 * (5 + width));
    }
  });

  it("of the largest segment, with an owner for each block, reads back", () => {
    const blocks = Array.from({ length: 16_384 }, (_, i) => ({
      ...live,
      family: i,
      vblock: i * 3,
    }));
    const record = recordOf(blocks);
    expect(decodeSegmentRecord(encodeSegmentRecord(record), 16_384)).toEqual(record);
  });

  it("is refused at every other length, and for a segment of another size", () => {
    const body = encodeSegmentRecord(recordOf(example));
    for (let length = 0; length < body.length; length++) {
      expect(() => decodeSegmentRecord(body.subarray(0, length), 4)).toThrow(/^ECORRUPT/);
    }
    expect(() => decodeSegmentRecord(Buffer.concat([body, Buffer.alloc(1)]), 4)).toThrow(/^ECORR/);
    expect(() => decodeSegmentRecord(body, 5)).toThrow(/^ECORRUPT/);
  });

  it.each<[string, (body: Buffer) => void]>([
    ["65535 blocks", (body) => body.writeUInt16LE(0xffff, 0)],
    ["references of another width", (body) => body.writeUInt8(2, 2)],
    ["references 5 bytes wide", (body) => body.writeUInt8(5, 2)],
    ["references 255 bytes wide", (body) => body.writeUInt8(255, 2)],
    ["vblocks of another width", (body) => body.writeUInt8(3, 3)],
    ["families of another width", (body) => body.writeUInt8(0, 4)],
    ["something in its reserved bytes", (body) => body.writeUInt8(1, 5)],
    ["65535 families", (body) => body.writeUInt16LE(0xffff, 6)],
    ["a family that it does not list", (body) => body.writeUInt8(2, body.length - 1)],
  ])("with %s is refused", (_, change) => {
    const body = altered(change);
    expectFrugal(() => expect(() => decodeSegmentRecord(body, 4)).toThrow(/^ECORRUPT/));
  });

  it("is refused with a column of 5 bytes, also where its length comes out right", () => {
    const far = { ...live, vblock: live.vblock + 2 ** 32 };
    const body = Buffer.from(encodeSegmentRecord(recordOf([live, far])));
    expect([body[2], body[3]]).toEqual([1, 6]);
    body[2] = 2;
    body[3] = 5;
    expect(() => decodeSegmentRecord(body, 2)).toThrow("ECORRUPT: a segment record has impossible");
  });
});
