/**
 * Sealed values: what was sealed opens, and neither damage nor a wrong place goes unnoticed.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32 } from "../../src/base/checksum.ts";
import { encodeKey } from "../../src/format/checkpoint-key.ts";
import { newBody, open, seal, sealOf, sealOwn } from "../../src/format/sealed-value.ts";

const bodies = fc.uint8Array({ maxLength: 200 });
const ids = fc.integer({ min: 0, max: 2 ** 48 - 1 });

describe("sealed values", () => {
  it("end in the checksum of key and body", () => {
    const body = Uint8Array.of(1, 2, 3);
    const crc = crc32(Uint8Array.of(...encodeKey(3, 7), ...body));
    const value = seal(3, 7, body);
    expect([...value.subarray(0, 3)]).toEqual([1, 2, 3]);
    expect(Buffer.from(value).readUInt32LE(3)).toBe(crc);
    expect(sealOf(3, 7, value)).toBe(crc);
  });

  it("open to a view of the body", () => {
    fc.assert(
      fc.property(ids, bodies, (id, body) => {
        const value = seal(9, id, body);
        const opened = open(9, id, value);
        expect(opened).toEqual(body);
        expect(opened.buffer).toBe(value.buffer);
      }),
    );
  });

  it("are sealed in their own memory where it has room, and all the same where it has none", () => {
    fc.assert(
      fc.property(ids, bodies, (id, bytes) => {
        const body = newBody(bytes.length);
        body.set(bytes);
        const value = sealOwn(9, id, body);
        expect(value.buffer).toBe(body.buffer);
        expect(value).toEqual(seal(9, id, bytes));
        expect(sealOwn(9, id, bytes)).toEqual(value);
      }),
    );
  });

  it("open from the middle of a larger buffer, as a Buffer too", () => {
    const value = seal(2, 5, Uint8Array.of(9, 8, 7));
    const page = Buffer.concat([Buffer.alloc(11, 1), value, Buffer.alloc(5, 1)]);
    expect([...open(2, 5, page.subarray(11, 11 + value.length))]).toEqual([9, 8, 7]);
  });

  it("are refused with any one bit flipped", () => {
    const value = seal(3, 7, Uint8Array.of(0, 1, 2, 250));
    for (let bit = 0; bit < value.length * 8; bit++) {
      const damaged = value.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => open(3, 7, damaged), `bit ${bit}`).toThrow(/^ECORRUPT: value 7 of kind 3/);
    }
  });

  it("are refused in the place of another", () => {
    const value = seal(3, 7, Uint8Array.of(1));
    expect(() => open(3, 8, value)).toThrow(/^ECORRUPT: value 8 of kind 3/);
    expect(() => open(4, 7, value)).toThrow(/^ECORRUPT: value 7 of kind 4/);
    expect(() => open(3, 7 + 2 ** 40, value)).toThrow(/^ECORRUPT/);
  });

  it("are refused when too short for a seal", () => {
    expect(() => open(3, 7, new Uint8Array(3))).toThrow(/^ECORRUPT: value 7 of kind 3 has 3 bytes/);
    expect(() => sealOf(3, 7, new Uint8Array(0))).toThrow(/^ECORRUPT/);
  });
});
