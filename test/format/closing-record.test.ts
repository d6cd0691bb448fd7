/**
 * The closing record: read back as written, and refused with a reason for each condition that makes
 * it valid.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  CLOSING_ID,
  closingStruct,
  decodeClosing,
  decodeOwnClosing,
  encodeClosing,
} from "../../src/format/closing-record.ts";
import { kinds } from "../../src/format/checkpoint-values.ts";
import { open, seal, SEAL_BYTES } from "../../src/format/sealed-value.ts";

const storeId = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
const example = { epoch: 7, lsn: 2 ** 40 + 3, count: 12, digest: 2 ** 48 - 1, storeId };

/** The example with its body changed, and sealed again. */
function altered(alter: (body: Buffer) => Uint8Array | void): Uint8Array {
  const body = Buffer.from(open(kinds.closing, CLOSING_ID, encodeClosing(example)));
  return seal(kinds.closing, CLOSING_ID, alter(body) ?? body);
}

function longer(body: Buffer): Buffer {
  body.writeUInt16LE(2, 4);
  return Buffer.concat([body, Buffer.alloc(8)]);
}

describe("the closing record", () => {
  it("lies on disk as documented", () => {
    const value = Buffer.from(encodeClosing(example));
    expect(value.length).toBe(52);
    expect(value.toString("latin1", 0, 4)).toBe("BSCR");
    expect(value.readUInt16LE(4)).toBe(1);
    expect(value.readUInt16LE(6)).toBe(0);
    expect(value.readBigUInt64LE(8)).toBe(7n);
    expect(value.readBigUInt64LE(16)).toBe(2n ** 40n + 3n);
    expect(value.readBigUInt64LE(24)).toBe(12n);
    expect(value.readBigUInt64LE(32)).toBe(2n ** 48n - 1n);
    expect(value.toString("hex", 40, 48)).toBe("0102030405060708");
    expect(closingStruct.size + SEAL_BYTES).toBe(value.length);
  });

  it("reads back as what was written", () => {
    const number = fc.maxSafeNat();
    const records = fc.record({
      epoch: number,
      lsn: number,
      count: number,
      digest: fc.integer({ min: 0, max: 2 ** 48 - 1 }),
      storeId: fc.uint8Array({ minLength: 8, maxLength: 8 }),
    });
    fc.assert(
      fc.property(records, (record) => {
        expect(decodeClosing(encodeClosing(record))).toEqual(record);
      }),
    );
  });

  it("is refused with any one bit flipped", () => {
    const value = encodeClosing(example);
    for (let bit = 0; bit < value.length * 8; bit++) {
      const damaged = value.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => decodeClosing(damaged), `bit ${bit}`).toThrow(/^ECORRUPT/);
    }
  });

  it("is refused at any other length", () => {
    const value = encodeClosing(example);
    for (let length = 0; length < value.length; length++) {
      expect(() => decodeClosing(value.subarray(0, length)), `length ${length}`).toThrow(
        /^ECORRUPT/,
      );
    }
    expect(() => decodeClosing(Buffer.concat([value, Buffer.alloc(1)]))).toThrow(/^ECORRUPT/);
  });

  it.each<[string, RegExp, (body: Buffer) => Uint8Array | void]>([
    ["too short a body", /ECORRUPT.*cut short/, (body) => body.subarray(0, 5)],
    ["another magic", /ECORRUPT.*BSCR/, (body) => void body.write("BSCS")],
    ["a later version", /ENOTSUP.*version 2/, (body) => void body.writeUInt16LE(2, 4)],
    ["a later, longer version", /ENOTSUP/, (body) => longer(body)],
    ["one byte more", /ECORRUPT.*53 bytes/, (body) => Buffer.concat([body, Buffer.alloc(1)])],
    ["one byte less", /ECORRUPT.*51 bytes/, (body) => body.subarray(0, 47)],
    ["no store id", /ECORRUPT.*44 bytes/, (body) => body.subarray(0, 40)],
    ["reserved bytes in use", /ECORRUPT.*reserved/, (body) => void body.writeUInt8(1, 7)],
    ["a number beyond 2^53", /ECORRUPT.*2\^53/, (body) => void body.writeUInt32LE(2 ** 21, 12)],
    ["a digest beyond 2^48", /ECORRUPT.*48 bits/, (body) => void body.writeUInt8(1, 38)],
  ])("is refused with %s under a sound seal", (_name, reason, alter) => {
    expect(() => decodeClosing(altered(alter))).toThrow(reason);
  });

  it("I6: is refused as that of another store, whichever byte of the id differs", () => {
    const value = encodeClosing(example);
    const { storeId: _, ...rest } = example;
    expect(decodeOwnClosing(value, storeId)).toEqual(rest);
    for (let i = 0; i < storeId.length; i++) {
      const other = storeId.with(i, 0);
      expect(() => decodeOwnClosing(value, other)).toThrow(
        "ECORRUPT: the closing record belongs to another store",
      );
    }
  });

  it("is refused when it was sealed for another key", () => {
    const body = open(kinds.closing, CLOSING_ID, encodeClosing(example));
    expect(() => decodeClosing(seal(1, CLOSING_ID, body))).toThrow(/^ECORRUPT/);
  });
});
