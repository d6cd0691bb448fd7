/** The growing writer and the distrustful reader of bytes. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteReader } from "../../src/format/byte-reader.ts";
import { ByteWriter } from "../../src/format/byte-writer.ts";
import { struct, type Struct } from "../../src/format/struct.ts";
import { expectFrugal, name, u32 } from "./samples.ts";

const number: Struct<{ value: number }> = struct("number", { value: "u32" });
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("ByteWriter and ByteReader", () => {
  it("give back whatever was appended, in its order", () => {
    const part = fc.oneof(
      fc.record({ kind: fc.constant("struct" as const), value: u32 }),
      fc.record({ kind: fc.constant("u32s" as const), value: fc.uint32Array() }),
      fc.record({ kind: fc.constant("bytes" as const), value: fc.uint8Array() }),
      fc.record({ kind: fc.constant("text" as const), value: name }),
    );
    fc.assert(
      fc.property(fc.array(part), fc.nat({ max: 64 }), (parts, capacity) => {
        const writer = new ByteWriter(capacity);
        for (const { kind, value } of parts) {
          if (kind === "struct") writer.struct(number, { value });
          else if (kind === "u32s") writer.u32s(value);
          else writer.bytes(kind === "text" ? encode(value) : value);
        }
        const reader = new ByteReader(writer.view(), "a sample");
        const read = parts.map(({ kind, value }) => {
          if (kind === "struct") return { kind, value: reader.struct(number).value };
          if (kind === "u32s") return { kind, value: reader.u32s(value.length) };
          if (kind === "bytes") return { kind, value: reader.bytes(value.length) };
          return { kind, value: reader.text(encode(value).length) };
        });
        reader.end();
        expect(read).toEqual(parts);
        expect(reader.position).toBe(writer.length);
      }),
    );
  });

  it("keep a byte order mark that begins a name", () => {
    const text = "\u{feff}disk";
    expect(new ByteReader(encode(text), "a name").text(7)).toBe(text);
  });
});

describe("ByteWriter", () => {
  it("writes over a number, and forgets what was appended behind a length", () => {
    const writer = new ByteWriter(2);
    writer.bytes(Uint8Array.of(1));
    writer.struct(number, { value: 0 });
    writer.bytes(Uint8Array.of(2));
    writer.patchU32(1, 0xdeadbeef);
    const length = writer.length;
    writer.u32s(Uint32Array.of(7, 8, 9));
    writer.truncate(length);
    expect([...writer.view()]).toEqual([1, 0xef, 0xbe, 0xad, 0xde, 2]);
  });

  it("leaves nothing of what it forgot in the reserved bytes of what follows", () => {
    const padded: Struct<object> = struct("padded", { reserved: { zero: 8 } });
    const writer = new ByteWriter();
    writer.bytes(new Uint8Array(8).fill(0xff));
    writer.truncate(0);
    writer.struct(padded, {});
    expect([...writer.view()]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });
});

describe("ByteReader", () => {
  const reader = (): ByteReader => new ByteReader(Uint8Array.of(1, 2, 3, 4, 5), "a sample");

  it.each([
    ["a structure", (from: ByteReader) => [from.bytes(2), from.struct(number)]],
    ["numbers", (from: ByteReader) => from.u32s(2)],
    ["4 thousand million numbers", (from: ByteReader) => from.u32s(0xffffffff)],
    ["bytes", (from: ByteReader) => from.bytes(6)],
    ["4 thousand million bytes", (from: ByteReader) => from.bytes(0xffffffff)],
    ["text", (from: ByteReader) => from.text(6)],
    ["a look ahead", (from: ByteReader) => [from.bytes(5), from.peek()]],
  ])("refuses %s beyond its end, and allocates nothing for it", (_, read) => {
    expectFrugal(() => {
      expect(() => read(reader())).toThrow("ECORRUPT: a sample is cut short");
    });
  });

  it("refuses bytes left over, and says how many", () => {
    const from = reader();
    from.bytes(3);
    expect(from.remaining).toBe(2);
    expect(() => from.end()).toThrow("ECORRUPT: a sample has 2 bytes too many");
  });

  it("refuses malformed text", () => {
    for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]]) {
      const text = new ByteReader(Uint8Array.from(bytes), "a name");
      expect(() => text.text(bytes.length)).toThrow("ECORRUPT: a name holds malformed text");
    }
  });
});
