/** Numbers of 48 and 64 bits, checksums, and errors that say where they happened. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { getU48, getU64, setU48, setU64, viewOf } from "../../src/base/bytes.ts";
import { blockChecksums, crc32, crc32c } from "../../src/base/checksum.ts";
import {
  BlockspaceError,
  errorCodes,
  isBlockspaceError,
  messageOf,
} from "../../src/base/errors.ts";

describe("numbers of 64 bits", () => {
  it("come back as they were and lie little-endian", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const bytes = Buffer.alloc(10, 0xff);
        setU64(viewOf(bytes), 1, value);
        expect(getU64(viewOf(bytes), 1)).toBe(value);
        expect(bytes.readBigUInt64LE(1)).toBe(BigInt(value));
        expect([bytes[0], bytes[9]]).toEqual([0xff, 0xff]);
      }),
    );
  });

  it.each([2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n])(
    "are refused beyond 2^53 - 1, never rounded: %d",
    (value) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(value);
      expect(() => getU64(viewOf(bytes), 0)).toThrow(/^ECORRUPT: .*beyond 2\^53/);
    },
  );
});

describe("numbers of 48 bits", () => {
  it("come back as they were and touch six bytes", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), (value) => {
        const bytes = Buffer.alloc(8, 0xff);
        setU48(viewOf(bytes), 1, value);
        expect(getU48(viewOf(bytes), 1)).toBe(value);
        expect(bytes.readUIntLE(1, 6)).toBe(value);
        expect([bytes[0], bytes[7]]).toEqual([0xff, 0xff]);
      }),
    );
  });
});

describe("crc32c", () => {
  it("is the checksum of RFC 3720, B.4", () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x46dd794e);
    expect(crc32c(new TextEncoder().encode("123456789"))).toBe(0xe3069283);
  });
});

describe("crc32", () => {
  it("is the checksum of zlib", () => {
    expect(crc32(new Uint8Array(32))).toBe(0x190a55ad);
    expect(crc32(new Uint8Array(32).fill(0xff))).toBe(0xff6cab0b);
    expect(crc32(Uint8Array.from({ length: 32 }, (_, i) => i))).toBe(0x91267e8a);
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  });

  it("can be taken piece by piece", () => {
    const bytes = Uint8Array.from({ length: 100 }, (_, i) => i * 7);
    for (let cut = 0; cut <= 100; cut++) {
      expect(crc32(bytes.subarray(cut), crc32(bytes.subarray(0, cut)))).toBe(crc32(bytes));
    }
  });

  it("is taken of every block of the data", () => {
    const data = Uint8Array.from({ length: 2048 }, (_, i) => i % 251);
    const sums = [0, 1, 2, 3].map((i) => crc32(data.subarray(i * 512, (i + 1) * 512)));
    expect([...blockChecksums(data, 512)]).toEqual(sums);
  });
});

describe("BlockspaceError", () => {
  it("carries code, place and cause, and only what it was given", () => {
    const cause = new Error("below");
    const error = new BlockspaceError("EIO", "read failed", { path: "a", offset: 0, cause });
    expect(error).toMatchObject({ code: "EIO", path: "a", offset: 0, name: "BlockspaceError" });
    expect(error.message).toBe("EIO: read failed");
    expect(error.cause).toBe(cause);
    expect("lsn" in error).toBe(false);
    expect("cause" in new BlockspaceError("EIO", "read failed")).toBe(false);
  });

  it("is told from other errors, and one code from another", () => {
    const error = new BlockspaceError("ENOENT", "no subvolume");
    expect(isBlockspaceError(error)).toBe(true);
    expect(isBlockspaceError(error, "ENOENT")).toBe(true);
    expect(isBlockspaceError(error, "EIO")).toBe(false);
    expect(isBlockspaceError(new Error("ENOENT"))).toBe(false);
    expect(isBlockspaceError(undefined)).toBe(false);
  });

  it("explains every code, and quotes whatever was thrown", () => {
    for (const meaning of Object.values(errorCodes)) expect(meaning).toMatch(/\w+ \w+/);
    expect(messageOf(new Error("a"))).toBe("a");
    expect(messageOf("b")).toBe("b");
  });
});
