/**
 * The table that a run prints: a line for each load and subject, with the median of the rounds, and
 * behind each peer how far Blockspace is ahead of it, with the spread over the rounds.
 */
import type { Chart, Findings, Measured, Row } from "../result.ts";
import { median } from "../summary.ts";
import { figure, tick, times } from "./figure.ts";

const LOAD = 52;
const SUBJECT = 30;
const FIGURE = 14;
const RATIO = 9;
const SPREAD = 20;

export function formatTable({ rows, charts }: Findings): string {
  const lines: string[] = [];
  let part = "";
  for (const row of rows) {
    if (row.part !== part) lines.push("", ...heading((part = row.part)));
    row.measured.forEach((measured, i) => {
      const load = i === 0 ? row.load : "";
      lines.push(
        `${load.padEnd(LOAD)}${measured.subject.padEnd(SUBJECT)}${outcome(row, measured)}`,
      );
    });
  }
  for (const chart of charts) lines.push("", ...curves(chart));
  return `${lines.join("\n")}\n`;
}

function heading(part: string): string[] {
  const names = part.padEnd(LOAD) + "subject".padEnd(SUBJECT) + "median".padStart(FIGURE);
  const line = `${names}${"ahead".padStart(RATIO)}  least..most`;
  return [line, "-".repeat(LOAD + SUBJECT + FIGURE + RATIO + SPREAD)];
}

function outcome(row: Row, { subject, samples, missing }: Measured): string {
  if (missing !== undefined) return `  ${missing}`;
  const middle = median(samples);
  const value = figure(middle, row.unit).padStart(FIGURE);
  const ratio = row.ratios.find(({ peer }) => peer === subject);
  if (!ratio) return value + limit(row, middle);
  const between = `  ${times(ratio.least)}..${times(ratio.most)}`.padEnd(SPREAD);
  const ahead = times(ratio.median).padStart(RATIO) + between;
  return value + ahead + target(ratio.median, ratio.target);
}

function target(reached: number, aim: number | undefined): string {
  if (aim === undefined) return "";
  return `  ${reached >= aim ? "met" : "not met"}: ${times(aim)}`;
}

function limit(row: Row, reached: number): string {
  if (row.limit === undefined) return "";
  const met = row.better === "less" ? reached <= row.limit : reached >= row.limit;
  const bound = row.better === "less" ? "at most" : "at least";
  const verdict = `${met ? "met" : "not met"}: ${bound} ${figure(row.limit, row.unit)}`;
  return `${" ".repeat(RATIO)}  ${verdict}`;
}

/** A chart in figures: a line for each subject, a column for each size. */
function curves({ title, sizeLabel, sizeUnit, costUnit, curves: all }: Chart): string[] {
  const sizes = [...new Set(all.flatMap(({ points }) => points.map(({ size }) => size)))];
  sizes.sort((a, b) => a - b);
  const head = `${title.padEnd(LOAD)}${sizeLabel.padEnd(SUBJECT)}`;
  const lines = [head + sizes.map((size) => tick(size, sizeUnit).padStart(FIGURE)).join("")];
  lines.push("-".repeat(lines[0]!.length));
  for (const { subject, points, missing } of all) {
    const cells = sizes.map((size) => {
      const point = points.find((one) => one.size === size);
      return (point ? figure(point.median, costUnit) : "-").padStart(FIGURE);
    });
    const end = missing === undefined ? "" : `  ${missing}`;
    lines.push(`${" ".repeat(LOAD)}${subject.padEnd(SUBJECT)}${cells.join("")}${end}`);
  }
  return lines;
}
