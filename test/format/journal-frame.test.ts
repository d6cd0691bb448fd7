/** Journal frames and file headers: read back as written, and every damage to them is seen. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32 } from "../../src/base/checksum.ts";
import { ByteWriter } from "../../src/format/byte-writer.ts";
import {
  CHECKSUM_FROM,
  decodeFileHeader,
  decodeFrame,
  decodeFrameHeader,
  encodeFileHeader,
  encodeFrame,
  type FrameHeader,
  frameHeaderStruct,
  journalFileHeaderStruct,
  MAX_FRAME_BYTES,
  writeCommit,
} from "../../src/format/journal-frame.ts";
import type { JournalRecord } from "../../src/format/records.ts";
import { bytesOf, expectFrugal, flipped, frameFacts, record, u32, u64 } from "./samples.ts";

const storeId = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);
const facts = { firstLsn: 7, durableLsn: 6, previous: 0xcafe, storeId };

/** A frame as one run of bytes, padding included. */
function frameOf(
  commits: readonly (readonly JournalRecord[])[],
  data: readonly Uint8Array[] = [],
  from = facts,
  alignment = 512,
): Buffer {
  const writer = new ByteWriter();
  for (const records of commits) writeCommit(writer, records);
  const header = { ...from, commits: commits.length };
  return Buffer.concat(encodeFrame(header, writer.view(), data, alignment).chunks);
}

/** The frame's header and contents, if its checksum is right. */
function open(frame: Uint8Array): { header: FrameHeader } & ReturnType<typeof decodeFrame> {
  const header = decodeFrameHeader(frame, 0, storeId);
  if (!header) throw new Error("no frame");
  const bytes = frame.subarray(0, header.length);
  if (bytes.length < header.length) throw new Error("cut short");
  if (crc32(bytes.subarray(CHECKSUM_FROM)) !== header.checksum) throw new Error("bad checksum");
  return { header, ...decodeFrame(header, bytes) };
}

function opens(frame: Uint8Array): boolean {
  try {
    return open(frame).commits.length > 0;
  } catch {
    return false;
  }
}

/** The frame with its bytes changed and its checksum made right again. */
function resealed(frame: Buffer, change: (bytes: Buffer) => void): Buffer {
  change(frame);
  const length = Math.min(frame.readUInt32LE(8), frame.length);
  frame.writeUInt32LE(crc32(frame.subarray(CHECKSUM_FROM, length)), 4);
  return frame;
}

const small: JournalRecord[][] = [[{ type: "delete", subvolume: 1 }], []];
const block = Uint8Array.from({ length: 512 }, (_, i) => i % 251);

describe("a journal frame", () => {
  it("reads back as written", () => {
    const commits = fc.array(fc.array(record, { maxLength: 4 }), { minLength: 1, maxLength: 4 });
    const data = fc.array(bytesOf(512), { maxLength: 3 });
    const alignment = fc.constantFrom(512, 4096, 65_536);
    fc.assert(
      fc.property(commits, data, frameFacts, alignment, (contents, blocks, from, unit) => {
        const own = { ...from, storeId };
        const frame = frameOf(contents, blocks, own, unit);
        expect(frame.length % unit).toBe(0);
        const opened = open(frame);
        expect(opened.header).toMatchObject({ ...own, commits: contents.length });
        expect(frame.length - opened.header.length).toBeLessThan(unit);
        expect(opened.commits).toEqual(
          contents.map((records, i) => ({ lsn: own.firstLsn + i, records })),
        );
        expect(Buffer.concat(blocks).equals(opened.data)).toBe(true);
        expect(opened.header.flags).toBe(blocks.length > 0 ? 1 : 0);
      }),
    );
  });

  it("is refused with any bit flipped before its padding", () => {
    const frame = frameOf(small, [block]);
    const { length } = open(frame).header;
    for (let bit = 0; bit < length * 8; bit++) {
      expect(() => open(flipped(frame, bit)), `bit ${bit}`).toThrow(/^(no frame|bad|cut)/);
    }
    for (let at = length; at < frame.length; at++) expect(frame[at]).toBe(0);
  });

  it("is refused when it ends anywhere before its padding", () => {
    const frame = frameOf(small, [block]);
    const { length } = open(frame).header;
    for (let end = 0; end < length; end++) {
      expect(() => open(frame.subarray(0, end)), `${end} bytes`).toThrow(/^(no frame|cut)/);
    }
    expect(open(frame.subarray(0, length)).commits).toHaveLength(2);
  });

  it("is refused when any sector of it is one of another frame", () => {
    const frame = frameOf(small, [block, block]);
    const other = frameOf(small, [block, block.toReversed()], { ...facts, firstLsn: 8 });
    const sectors = frame.length / 512;
    const accepted: string[] = [];
    for (let torn = 1; torn < 2 ** sectors - 1; torn++) {
      const mixed = Buffer.from(frame);
      for (let at = 0; at < sectors; at++) {
        if ((torn >> at) & 1) other.copy(mixed, at * 512, at * 512, at * 512 + 512);
      }
      if (!opens(mixed) || mixed.equals(frame) || mixed.equals(other)) continue;
      accepted.push(torn.toString(2));
    }
    expect(accepted).toEqual([]);
  });

  it("of another store is none", () => {
    const frame = frameOf(small, [], { ...facts, storeId: Uint8Array.from(storeId).fill(9) });
    expect(decodeFrameHeader(frame, 0, storeId)).toBeUndefined();
  });

  it.each<[string, (frame: Buffer) => void]>([
    ["a flag that nobody knows", (frame) => frame.writeUInt32LE(2, 12)],
    ["data that its flag does not speak of", (frame) => frame.writeUInt32LE(0, 12)],
    ["no commit", (frame) => frame.writeUInt32LE(0, 32)],
    ["fewer commits than it holds", (frame) => frame.writeUInt32LE(1, 32)],
    ["more commits than it holds", (frame) => frame.writeUInt32LE(3, 32)],
    ["4 thousand million commits", (frame) => frame.writeUInt32LE(0xffffffff, 32)],
    ["commits beyond its end", (frame) => frame.writeUInt32LE(0xffffffff, 36)],
    ["commits that end within a record", (frame) => frame.writeUInt32LE(20, 36)],
    ["a commit longer than its records", (frame) => frame.writeUInt32LE(48, 64)],
    ["a commit shorter than its records", (frame) => frame.writeUInt32LE(8, 64)],
    ["a commit with too few records", (frame) => frame.writeUInt32LE(0, 68)],
    ["a commit with 4 thousand million records", (frame) => frame.writeUInt32LE(0xffffffff, 68)],
    ["an unknown record", (frame) => frame.writeUInt8(200, 72)],
  ])("whose checksum is right is damaged with %s, and costs no memory", (_, change) => {
    const frame = resealed(frameOf(small, [block]), change);
    expectFrugal(() => expect(() => open(frame)).toThrow(/^ECORRUPT/));
  });

  it("is none with something in its reserved bytes, or with an LSN beyond 2^53", () => {
    for (const at of [44, 47, 56, 63, 22, 31]) {
      const frame = resealed(frameOf(small), (bytes) => bytes.writeUInt8(0xff, at));
      expect(decodeFrameHeader(frame, 0, storeId)).toBeUndefined();
    }
  });

  it("is not written when it would be too long to be believed", () => {
    const chunk = new Uint8Array(MAX_FRAME_BYTES / 4);
    const data = [chunk, chunk, chunk, chunk];
    expect(() => frameOf(small, data)).toThrow(/^E2BIG: a journal frame of \d+ bytes; allowed are/);
  });

  it("starts at any place of a run of bytes", () => {
    const frame = frameOf(small);
    const run = Buffer.concat([Buffer.alloc(512, 0xff), frame]);
    expect(decodeFrameHeader(run, 512, storeId)?.firstLsn).toBe(7);
    expect(decodeFrameHeader(run, 0, storeId)).toBeUndefined();
    expect(decodeFrameHeader(run, run.length - frameHeaderStruct.size + 1, storeId)).toBe(
      undefined,
    );
  });
});

describe("a journal file header", () => {
  const example = { sequence: 3, firstLsn: 9, previous: 0xbeef, blocks: 4, storeId };

  it("reads back as written, in a block of the alignment", () => {
    const headers = fc.record({
      sequence: u64,
      firstLsn: u64,
      previous: u32,
      blocks: u32,
      storeId: bytesOf(8),
    });
    fc.assert(
      fc.property(headers, fc.constantFrom(512, 4096), (header, alignment) => {
        const first = encodeFileHeader(header, alignment);
        expect(first.length).toBe(alignment);
        expect(decodeFileHeader(first, header.storeId)).toMatchObject(header);
      }),
    );
  });

  it("is none with any bit flipped, cut short, or of another store", () => {
    const encoded = encodeFileHeader(example, 512);
    for (let bit = 0; bit < journalFileHeaderStruct.size * 8; bit++) {
      expect(decodeFileHeader(flipped(encoded, bit), storeId), `bit ${bit}`).toBeUndefined();
    }
    for (let length = 0; length < journalFileHeaderStruct.size; length++) {
      expect(decodeFileHeader(encoded.subarray(0, length), storeId)).toBeUndefined();
    }
    expect(decodeFileHeader(encoded, Uint8Array.from(storeId).fill(9))).toBeUndefined();
    expect(decodeFileHeader(new Uint8Array(512), storeId)).toBeUndefined();
  });
});
