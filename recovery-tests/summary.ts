/** What a run of the matrix found, as a table for people and as plain values for programs. */
import type { Row, RowViolation } from "./row.ts";

/** One row as run by all processes together. */
export interface RowSummary {
  number: number;
  fault: string;
  leaves: string;
  cases: number;
  /** Cases that a whole run asks for. */
  wanted: number;
  seconds: number;
  skipped?: string;
  violations: RowViolation[];
}

export interface RunSummary {
  rows: RowSummary[];
  /** Crash states that differ on disk, over all rows. */
  distinct: number;
  /** When the last of these had been tried, and when everything was done. */
  statesSeconds: number;
  seconds: number;
}

/** Adds what one process found to what is known of a row. */
export function addTo(
  summary: RunSummary,
  row: Row,
  found: Pick<RowSummary, "cases" | "violations" | "seconds"> & { skipped?: string },
): void {
  let known = summary.rows.find(({ number }) => number === row.number);
  if (!known) {
    const { number, fault, leaves, cases } = row;
    known = { number, fault, leaves, wanted: cases, cases: 0, seconds: 0, violations: [] };
    summary.rows.push(known);
  }
  known.cases += found.cases;
  known.seconds += found.seconds;
  known.violations.push(...found.violations);
  if (found.skipped !== undefined) known.skipped = found.skipped;
}

export function formatSummary(summary: RunSummary): string {
  const { rows, distinct, statesSeconds, seconds } = summary;
  const sorted = rows.toSorted((a, b) => a.number - b.number);
  const lines = table([
    ["row", "fault", "leaves", "cases", "violations", "seconds"],
    ...sorted.map((row) => [
      String(row.number),
      row.fault,
      row.leaves,
      row.skipped === undefined ? grouped(row.cases) : "skipped",
      String(row.violations.length),
      row.seconds.toFixed(1),
    ]),
  ]);
  for (const { number, skipped } of sorted) {
    if (skipped !== undefined) lines.push(`row ${number} was not run here: ${skipped}`);
  }
  const cases = rows.reduce((sum, row) => sum + row.cases, 0);
  lines.push(
    "",
    `${grouped(distinct)} distinct crash states in ${statesSeconds.toFixed(0)} s; ` +
      `${grouped(cases)} cases in all, in ${seconds.toFixed(0)} s`,
  );
  for (const row of sorted) for (const one of row.violations) lines.push("", ...storyOf(one));
  return lines.join("\n");
}

/** A violation for people, with the command that replays it. */
export function storyOf({ seed, vector, message, story }: RowViolation): string[] {
  return [
    `VIOLATION ${message}`,
    `  npm run replay -- ${seed} "${vector}"`,
    ...story.map((line) => `    ${line}`),
  ];
}

function table(rows: readonly string[][]): string[] {
  const left = new Set([1, 2]);
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => (left.has(i) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
}

/** 1234567 as `1,234,567`. */
export function grouped(number: number): string {
  return number.toLocaleString("en-US");
}
