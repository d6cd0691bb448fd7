/** Structures: written and read as declared; nothing is cut off, nothing unknown is passed over. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { struct, type Struct } from "../../src/format/struct.ts";
import { u16, u32, u48, u64 } from "./samples.ts";

interface Sample {
  a: number;
  b: number;
  c: number;
  d: number;
  e: number;
  f: Uint8Array;
}

const layout: Struct<Sample> = struct("sample", {
  a: "u8",
  b: "u16",
  reserved: { zero: 3 },
  c: "u32",
  d: "u48",
  e: "u64",
  f: { bytes: 4 },
});
const sample: Sample = { a: 1, b: 2, c: 3, d: 4, e: 5, f: Uint8Array.of(6, 7, 8, 9) };

/** The sample as it lies on disk, with `change` made to it. */
function encoded(change: (bytes: Buffer) => void = () => undefined): Buffer {
  const bytes = Buffer.alloc(layout.size);
  layout.write(bytes, 0, sample);
  change(bytes);
  return bytes;
}

describe("a structure", () => {
  it("lays its fields out one after the other, little-endian", () => {
    expect(layout.fields.map(({ offset, size }) => [offset, size])).toEqual([
      [0, 1],
      [1, 2],
      [3, 3],
      [6, 4],
      [10, 6],
      [16, 8],
      [24, 4],
    ]);
    expect(layout.size).toBe(28);
    expect(encoded().toString("hex")).toBe(
      "01 0200 000000 03000000 040000000000 0500000000000000 06070809".replaceAll(" ", ""),
    );
  });

  it("reads back what was written, and touches nothing around it", () => {
    const f = fc.uint8Array({ minLength: 4, maxLength: 4 });
    const values = fc.record({ a: fc.nat({ max: 255 }), b: u16, c: u32, d: u48, e: u64, f });
    fc.assert(
      fc.property(values, (value) => {
        const bytes = Buffer.alloc(layout.size + 2, 0xff);
        layout.write(bytes, 1, value);
        expect(layout.read(bytes, 1)).toEqual(value);
        expect([bytes[0], bytes.at(-1)]).toEqual([0xff, 0xff]);
      }),
    );
  });

  it.each([
    ["a", 256],
    ["b", 65_536],
    ["c", 2 ** 32],
    ["d", 2 ** 48],
    ["e", 2 ** 53],
    ["a", -1],
    ["e", -1],
    ["c", 0.5],
    ["e", NaN],
    ["b", undefined],
    ["c", "3"],
    ["f", new Uint8Array(5)],
    ["f", new Uint8Array(3)],
  ])("refuses to write %s = %s, and leaves the bytes as they were", (field, value) => {
    const bytes = encoded();
    const before = bytes.toString("hex");
    expect(() => layout.write(bytes, 0, { ...sample, [field]: value })).toThrow(
      new RegExp(`^ERANGE: sample.${field} cannot hold `),
    );
    expect(bytes.toString("hex")).toBe(before);
  });

  it("refuses reserved bytes that are not zero", () => {
    for (const at of [3, 4, 5]) {
      const bytes = encoded((each) => each.writeUInt8(1, at));
      expect(() => layout.read(bytes, 0)).toThrow("ECORRUPT: sample.reserved is reserved");
    }
  });

  it("refuses numbers beyond 2^53 and bytes that are too few", () => {
    const beyond = encoded((bytes) => bytes.writeUInt8(0x20, 22));
    expect(() => layout.read(beyond, 0)).toThrow(/^ECORRUPT: .*beyond 2\^53/);
    for (let length = 0; length < layout.size; length++) {
      expect(() => layout.read(encoded().subarray(0, length), 0)).toThrow(
        "ECORRUPT: sample is cut",
      );
    }
    expect(() => layout.read(encoded(), 1)).toThrow("ECORRUPT: sample is cut short");
  });

  it("hands out bytes that are not the source's own", () => {
    const bytes = encoded();
    const { f } = layout.read(bytes, 0);
    bytes.fill(0);
    expect([...f]).toEqual([6, 7, 8, 9]);
  });
});
