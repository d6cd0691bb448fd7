/** The table of planted bugs, for a terminal and for the README. */
import { readFileSync, writeFileSync } from "node:fs";
import { grouped, storyOf } from "../summary.ts";
import type { Catch } from "./hunting.ts";

const README = new URL("../README.md", import.meta.url);
const BEGIN = "<!-- planted bugs: written by npm run test:recovery -- --write-table -->";
const END = "<!-- end of planted bugs -->";

/** One line for each bug, and what is wrong with those that got away. */
export function formatCatches(catches: readonly Catch[]): string {
  const width = Math.max(...catches.map(({ bug }) => bug.length));
  const lines = catches.map((one) => {
    const by = one.row === undefined ? "NOT CAUGHT" : `row ${String(one.row).padStart(2)}`;
    const states = `${grouped(one.states).padStart(7)} states`;
    return `${one.bug.padEnd(width)}  ${by}  ${states}  ${one.seed ?? ""}`.trimEnd();
  });
  const caught = catches.filter(({ row }) => row !== undefined).length;
  return [...lines, "", `${caught} of ${catches.length} planted bugs caught`].join("\n");
}

/** What a hunt saw, for people, with the command that shows it again where there is one. */
export function storyOfCatch({ row, seed, vector, message, states }: Catch): string[] {
  const story = [`after ${grouped(states)} states`];
  if (seed !== undefined && vector !== undefined) return storyOf({ seed, vector, message, story });
  return [`VIOLATION in row ${row}: ${message}`, ...story.map((line) => `    ${line}`)];
}

/** Puts the table of a whole run into the README. */
export function writeTable(catches: readonly Catch[]): void {
  const text = readFileSync(README, "utf8");
  const [before, rest] = text.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined) {
    throw new Error(`recovery-tests/README.md has no place for the table: ${BEGIN}`);
  }
  writeFileSync(README, `${before}${BEGIN}\n\n${markdown(catches)}\n\n${END}${after}`);
}

function markdown(catches: readonly Catch[]): string {
  const rows = [
    ["planted bug", "the mistake", "caught by row", "states until caught"],
    ...catches.map(({ bug, mistake, row, states }) => [
      `\`${bug}\``,
      mistake,
      row === undefined ? "not caught" : String(row),
      grouped(states),
    ]),
  ];
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string => {
    const cells = row.map((cell, i) => cell[i < 2 ? "padEnd" : "padStart"](widths[i]!));
    return `| ${cells.join(" | ")} |`;
  };
  const rule = widths.map((width, i) => "-".repeat(i < 2 ? width : width - 1) + (i < 2 ? "" : ":"));
  return [line(rows[0]!), line(rule), ...rows.slice(1).map(line)].join("\n");
}
