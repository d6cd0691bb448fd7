/** The small values of a checkpoint: read back as written, nonsense refused. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  decodeBusy,
  decodeLivePage,
  decodeNumberPage,
  decodeReferences,
  decodeState,
  decodeSubvolume,
  encodeLivePage,
  encodeNumberPage,
  encodeReferences,
  encodeState,
  encodeSubvolume,
  kinds,
  PAGE_ENTRIES,
  type StateValue,
} from "../../src/format/checkpoint-values.ts";
import { subvolume, u32, u64 } from "./samples.ts";

const example = {
  id: 5,
  name: "disk@monday",
  size: 2 ** 40,
  readOnly: true,
  source: 4,
  family: 1,
  root: 77,
  created: 1_700_000_000_000,
};

/** The example's value with its bytes changed. */
function altered(change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(encodeSubvolume(example));
  change(bytes);
  return bytes;
}

describe("kinds", () => {
  it("are one byte each, and no two are the same", () => {
    const values = Object.values(kinds);
    expect(new Set(values).size).toBe(values.length);
    for (const kind of values) expect(kind).toBeLessThan(256);
  });
});

describe("a subvolume value", () => {
  it("reads back as written", () => {
    fc.assert(
      fc.property(subvolume, (entry) => {
        expect(decodeSubvolume(encodeSubvolume(entry))).toEqual(entry);
      }),
    );
  });

  it("is refused at every other length", () => {
    const value = encodeSubvolume(example);
    for (let length = 0; length < value.length; length++) {
      expect(() => decodeSubvolume(value.subarray(0, length))).toThrow(/^ECORRUPT/);
    }
    expect(() => decodeSubvolume(Buffer.concat([value, Buffer.alloc(1)]))).toThrow(
      "ECORRUPT: a subvolume value has 1 bytes too many",
    );
  });

  it.each<[string, (bytes: Buffer) => void]>([
    ["neither read-only nor writable", (bytes) => bytes.writeUInt8(2, 12)],
    ["with something in its reserved bytes", (bytes) => bytes.writeUInt8(1, 15)],
    ["with a size beyond 2^53", (bytes) => bytes.writeUInt8(0x20, 22)],
    ["with a malformed name", (bytes) => bytes.writeUInt8(0xff, 40)],
  ])("%s is refused", (_, change) => {
    expect(() => decodeSubvolume(altered(change))).toThrow(/^ECORRUPT/);
  });
});

describe("the state value and the references of a node", () => {
  it("read back as written", () => {
    const values: fc.Arbitrary<StateValue> = fc.record({
      lsn: u64,
      nextNode: u64,
      nextSubvolume: u32,
      journalChecksum: u32,
      allocatedBlocks: u64,
      subvolumes: u32,
      deadNodes: u32,
      changedKeys: u32,
      busySegments: u32,
    });
    fc.assert(
      fc.property(values, fc.integer({ min: 2, max: 2 ** 32 - 1 }), (value, references) => {
        const body = encodeState(value);
        expect(decodeState(body)).toEqual(value);
        expect(() => decodeState(Buffer.concat([body, Buffer.alloc(1)]))).toThrow(/^ECORRUPT/);
        const count = encodeReferences(references);
        expect(decodeReferences(count)).toEqual(references);
        expect(() => decodeReferences(Buffer.concat([count, count]))).toThrow(/^ECORRUPT/);
      }),
    );
    for (const none of [0, 1]) {
      expect(() => decodeReferences(encodeReferences(none))).toThrow(/^ECORRUPT/);
    }
  });
});

describe("a busy bitmap", () => {
  it("has a bit for each block of the segment, and no byte more", () => {
    expect(decodeBusy(Uint8Array.of(1, 2), 16)).toEqual(Uint8Array.of(1, 2));
    expect(decodeBusy(Uint8Array.of(1, 2), 9)).toEqual(Uint8Array.of(1, 2));
    for (const blocks of [8, 17]) {
      expect(() => decodeBusy(Uint8Array.of(1, 2), blocks)).toThrow(/^ECORRUPT/);
    }
  });
});

describe("a page of segment counts", () => {
  it("reads back as written, unless it has more entries than it may, or none", () => {
    fc.assert(
      fc.property(fc.uint16Array({ minLength: 1, maxLength: PAGE_ENTRIES }), (counts) => {
        const body = encodeLivePage(counts);
        expect(decodeLivePage(body, counts.length)).toEqual(counts);
        expect(decodeLivePage(body, PAGE_ENTRIES)).toEqual(counts);
        expect(() => decodeLivePage(body, counts.length - 1)).toThrow(/^ECORRUPT/);
        expect(() => decodeLivePage(body.subarray(1), PAGE_ENTRIES)).toThrow(/^ECORRUPT/);
      }),
    );
    expect(() => decodeLivePage(new Uint8Array(), PAGE_ENTRIES)).toThrow(/^ECORRUPT/);
    expect([...encodeLivePage(Uint16Array.of(0x0102))]).toEqual([2, 1]);
  });
});

describe("a page of numbers", () => {
  it("reads back as written", () => {
    fc.assert(
      fc.property(fc.array(u64, { maxLength: PAGE_ENTRIES }), (numbers) => {
        expect(decodeNumberPage(encodeNumberPage(numbers))).toEqual(numbers);
      }),
    );
    expect([...encodeNumberPage([2 ** 32 + 5])]).toEqual([5, 0, 0, 0, 1, 0, 0, 0]);
  });

  it("is refused when it is cut, longer than a page, or holds numbers beyond 2^53", () => {
    const full = encodeNumberPage(Array.from({ length: PAGE_ENTRIES }, (_, i) => i));
    expect(decodeNumberPage(full)).toHaveLength(PAGE_ENTRIES);
    expect(() => decodeNumberPage(full.subarray(1))).toThrow(/^ECORRUPT/);
    expect(() => decodeNumberPage(Buffer.concat([full, Buffer.alloc(8)]))).toThrow(/^ECORRUPT/);
    expect(() => decodeNumberPage(new Uint8Array(8).fill(0xff))).toThrow(/^ECORRUPT/);
  });
});
