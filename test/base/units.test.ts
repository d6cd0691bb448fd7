/** Sizes as people write them, and as we show them. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isBlockspaceError } from "../../src/base/errors.ts";
import { formatSize, GiB, KiB, MiB, parseSize, TiB } from "../../src/base/units.ts";

describe("parseSize", () => {
  it.each([
    ["0", 0],
    ["4096", 4096],
    ["4096b", 4096],
    ["4096 B", 4096],
    ["1k", KiB],
    ["512M", 512 * MiB],
    ["512mb", 512 * MiB],
    ["10GiB", 10 * GiB],
    ["10 gib", 10 * GiB],
    ["1.5T", 1.5 * TiB],
    ["0.5K", 512],
    ["7P", 7 * 1024 * TiB],
    ["  8G  ", 8 * GiB],
    ["9007199254740991", Number.MAX_SAFE_INTEGER],
  ])("reads %j as %d bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    ["nothing", ""],
    ["a word", "big"],
    ["a negative size", "-1"],
    ["an exponent", "1e3"],
    ["hexadecimal", "0x10"],
    ["a fraction of a byte", "1.5"],
    ["a fraction of a byte in a unit", "1.3k"],
    ["2^53", "9007199254740992"],
    ["more than 2^53 in a unit", "8P"],
    ["an unknown unit", "4E"],
    ["a unit alone", "K"],
    ["two units", "4KM"],
    ["a comma", "1,5G"],
    ["no number", "NaN"],
    ["endless digits", "9".repeat(400)],
  ])("refuses %s", (_, text) => {
    const reason = /^EINVAL: ".*" is not a size; allowed are whole bytes below 2\^53/;
    expect(() => parseSize(text)).toThrow(reason);
  });

  it("throws nothing but EINVAL, whatever it is given", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        let outcome: unknown;
        try {
          outcome = parseSize(text);
        } catch (error) {
          outcome = error;
        }
        expect(Number.isSafeInteger(outcome) || isBlockspaceError(outcome, "EINVAL")).toBe(true);
      }),
    );
  });
});

describe("formatSize", () => {
  it.each([
    [0, "0 B"],
    [1, "1 B"],
    [1023, "1023 B"],
    [1024, "1 KiB"],
    [1536, "1.5 KiB"],
    [10 * GiB, "10 GiB"],
    [2048 * 1024 * TiB, "2048 PiB"],
  ])("shows %d bytes as %s", (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  it("shows whole units so that parseSize reads them back", () => {
    const units = fc.constantFrom(1, KiB, MiB, GiB, TiB);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1023 }), units, (count, unit) => {
        expect(parseSize(formatSize(count * unit))).toBe(count * unit);
      }),
    );
  });
});
