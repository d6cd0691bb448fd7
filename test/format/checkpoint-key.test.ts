/**
 * Keys of the checkpoint: they sort, byte by byte, as kind and id do, and nothing else is a key.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeKey, encodeKey, MAX_ID } from "../../src/format/checkpoint-key.ts";

const keys = fc.record({
  kind: fc.integer({ min: 0, max: 255 }),
  id: fc.integer({ min: 0, max: MAX_ID }),
});

describe("checkpoint keys", () => {
  it("lie on disk as documented", () => {
    expect(encodeKey(3, 0x0102_0304_0506)).toEqual(Uint8Array.of(3, 0, 1, 2, 3, 4, 5, 6));
  });

  it("read back as what was written", () => {
    fc.assert(
      fc.property(keys, (key) => {
        expect(decodeKey(encodeKey(key.kind, key.id))).toEqual(key);
      }),
    );
  });

  it("sort as kind and then id", () => {
    const order = (a: number, b: number): number => Math.sign(a - b);
    fc.assert(
      fc.property(keys, keys, (a, b) => {
        const bytes = Buffer.compare(encodeKey(a.kind, a.id), encodeKey(b.kind, b.id));
        expect(bytes).toBe(order(a.kind, b.kind) || order(a.id, b.id));
      }),
    );
  });

  it.each([
    [256, 0],
    [-1, 0],
    [0.5, 0],
    [0, MAX_ID + 1],
    [0, -1],
    [0, Number.NaN],
  ])("refuse kind %d and id %d", (kind, id) => {
    expect(() => encodeKey(kind, id)).toThrow(/^EINVAL/);
  });

  it("are refused when they are no keys", () => {
    for (const bytes of [
      new Uint8Array(7),
      new Uint8Array(9),
      Uint8Array.of(3, 1, 0, 0, 0, 0, 0, 0),
    ]) {
      expect(() => decodeKey(bytes)).toThrow(/^ECORRUPT/);
    }
  });
});
