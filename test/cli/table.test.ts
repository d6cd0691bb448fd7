/** Columns and units, as a terminal shows them. */
import { describe, expect, it } from "vitest";
import { GiB, KiB, MiB, parseSize, TiB } from "../../src/base/units.ts";
import { displayWidth, exactSize, formatTime, pairs, row, table } from "../../src/cli/table.ts";

describe("table", () => {
  it("makes columns as wide as their widest cell", () => {
    const columns = [{ title: "A" }, { title: "LONG", align: "right" }, { title: "C" }] as const;
    expect(
      table(columns, [
        ["first", "1", "x"],
        ["2nd", "12345", ""],
      ]),
    ).toEqual(["A       LONG  C", "first      1  x", "2nd    12345"]);
    expect(table(columns, [])).toEqual(["A  LONG  C"]);
  });

  it("counts what a terminal shows, not letters", () => {
    const widths = ["", "abc", "Ü", "U\u0308", "磁盘", "💾", "한글", "ｆ", "e\u200d"].map(
      displayWidth,
    );
    expect(widths).toEqual([0, 3, 1, 1, 4, 2, 4, 2, 1]);
    expect(row([{ title: "", width: 6 }, { title: "" }], ["磁盘", "x"])).toBe("磁盘    x");
  });

  it("lets a cell stand out of a column that is too narrow", () => {
    expect(row([{ title: "", width: 2, align: "right" }, { title: "" }], ["1234", "x"])).toBe(
      "1234  x",
    );
  });

  it("puts names and values below each other", () => {
    expect(
      pairs([
        ["a", "1"],
        ["long", "2"],
      ]),
    ).toEqual(["a     1", "long  2"]);
  });
});

describe("exactSize", () => {
  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [KiB, "1 KiB"],
    [1025 * KiB, "1025 KiB"],
    [MiB + 1, "1048577 B"],
    [3 * MiB, "3 MiB"],
    [GiB, "1 GiB"],
    [5 * TiB, "5 TiB"],
  ])("%i is %s, and can be read back", (bytes, text) => {
    expect(exactSize(bytes)).toBe(text);
    expect(parseSize(text)).toBe(bytes);
  });
});

describe("formatTime", () => {
  it("is in UTC, to the second", () => {
    expect(formatTime(new Date("2026-02-03T04:05:06.789Z"))).toBe("2026-02-03 04:05:06Z");
  });
});
