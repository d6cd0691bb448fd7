/** Draws what was found: bars for the parts that measure throughput, lines for each chart. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Findings } from "../result.ts";
import { barChart } from "./bar-chart.ts";
import { lineChart } from "./line-chart.ts";

const bars: Readonly<Record<string, string>> = {
  nbd: "Over NBD, with fio",
  library: "In process",
};

/** The names of the files that were written. */
export async function drawCharts(directory: string, { rows, charts }: Findings): Promise<string[]> {
  const names: string[] = [];
  const write = async (name: string, drawing: string): Promise<void> => {
    names.push(`${name}.svg`);
    await writeFile(join(directory, `${name}.svg`), drawing);
  };
  for (const [part, title] of Object.entries(bars)) {
    const own = rows.filter((row) => row.part === part);
    if (own.length > 0) await write(part, barChart(title, own));
  }
  for (const chart of charts) {
    const drawing = lineChart(chart);
    if (drawing !== undefined) await write(chart.name, drawing);
  }
  return names;
}
