/** What the benchmark says about samples: ratios round by round, the table, the charts. */
import { describe, expect, it } from "vitest";
import { parseOptions } from "../../tools/bench/options.ts";
import { barChart } from "../../tools/bench/report/bar-chart.ts";
import { figure, tick, times } from "../../tools/bench/report/figure.ts";
import { lineChart } from "../../tools/bench/report/line-chart.ts";
import { formatTable } from "../../tools/bench/report/table.ts";
import type { Chart, Measured, Row } from "../../tools/bench/result.ts";
import { median, ratiosOf } from "../../tools/bench/summary.ts";

const ours: Measured = { subject: "blockspace", samples: [10, 40, 30] };
const theirs: Measured = { subject: "peer", samples: [10, 10, 20] };
const absent: Measured = { subject: "absent", samples: [], missing: "not installed: absent" };

const row: Row = {
  part: "nbd",
  load: "writes",
  unit: "/s",
  better: "more",
  measured: [ours, theirs, absent],
  ratios: ratiosOf([ours, theirs, absent], "more", { peer: 2 }),
};

const chart: Chart = {
  name: "snapshot",
  title: "Snapshot <durable>",
  sizeLabel: "extents",
  sizeUnit: "",
  costUnit: "ms",
  curves: [
    {
      subject: "blockspace",
      points: [
        { size: 1000, median: 0, least: 0, most: 1 },
        { size: 10_000, median: 1, least: 1, most: 2 },
      ],
    },
    { subject: "peer", points: [], missing: "not installed" },
  ],
};

describe("ratios", () => {
  it("are taken within each round, and above 1 means ahead", () => {
    expect(row.ratios).toEqual([{ peer: "peer", median: 1.5, least: 1, most: 4, target: 2 }]);
    const [less] = ratiosOf([ours, theirs], "less");
    expect(less).toEqual({ peer: "peer", median: 2 / 3, least: 0.25, most: 1 });
  });

  it("are none where ours is missing", () => {
    expect(ratiosOf([absent, theirs], "more")).toEqual([]);
  });

  it("rest on medians: the middle, or what is half way between the two", () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, Number.NaN]);
  });
});

describe("the table", () => {
  it("names who is missing, and says what target is not met", () => {
    const table = formatTable({ rows: [row], charts: [chart] });
    expect(table).toMatch(/peer +10\.0\/s +1\.50x {2}1\.00x\.\.4\.00x +not met: 2\.00x/);
    expect(table).toMatch(/absent +not installed: absent/);
    expect(table).toMatch(/peer +- +- {2}not installed/);
  });

  it("holds a row without peers against its limit", () => {
    const alone: Row = {
      ...row,
      measured: [ours],
      ratios: [],
      better: "less",
      unit: "ms",
      limit: 9,
    };
    expect(formatTable({ rows: [alone], charts: [] })).toMatch(
      /30\.0 ms +not met: at most 9\.00 ms/,
    );
  });
});

describe("figures", () => {
  it.each([
    [figure(8370, "/s"), "8.37 k/s"],
    [figure(1079, "MiB/s"), "1079 MiB/s"],
    [figure(12_100, "ms"), "12.1 s"],
    [figure(0.034, "ms"), "0.034 ms"],
    [figure(Number.NaN, "ms"), "-"],
    [tick(10_000, ""), "10 k"],
    [tick(0.01, "ms"), "0.01"],
    [tick(2 ** 40, "bytes"), "1 TiB"],
    [times(1234), "1.23 kx"],
  ])("%s", (written, expected) => {
    expect(written).toBe(expected);
  });
});

describe("charts", () => {
  it("escape their words, and draw a cost of nothing", () => {
    const drawing = lineChart(chart)!;
    expect(drawing).toContain("Snapshot &lt;durable&gt;");
    expect(drawing).not.toMatch(/NaN|Infinity/);
    expect(lineChart({ ...chart, curves: [] })).toBeUndefined();
  });

  it("have a bar for each subject, and words for who is missing", () => {
    const drawing = barChart("Over NBD", [row]);
    expect(drawing.match(/<rect/g)).toHaveLength(3);
    expect(drawing).toContain("not installed: absent");
    expect(drawing).not.toMatch(/NaN|Infinity/);
  });
});

describe("options", () => {
  it("take parts by name, and refuse what they do not know", () => {
    expect(parseOptions(["--only", "nbd", "--quick"])).toMatchObject({
      only: ["nbd"],
      quick: true,
    });
    expect(() => parseOptions(["--only", "disk"])).toThrow(/there are nbd, library, size/);
    expect(() => parseOptions(["--fast"])).toThrow(/--fast/);
  });
});
