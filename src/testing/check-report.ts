/** What a check of crash consistency found, and how to say it. */
import { type CrashKind, crashKinds } from "./crash-model.ts";
import type { FaultKind } from "./faults.ts";

/** Kinds of cases in a report: crashes, crashes of a recovery, and faults. */
export type CaseKind = CrashKind | "recovery" | FaultKind;

export interface Violation {
  kind: CaseKind;
  /** What the oracle, or the recovery, said. */
  message: string;
  /** The error itself. */
  error: unknown;
  /** The seed of the run; with the vector it names the case. */
  seed: number;
  vector: string;
  /** The smallest case that was found to violate as well; the vector itself if none was smaller. */
  smallestVector: string;
  /** What the oracle, or the recovery, said of that one. */
  smallestMessage: string;
  /** Of a workload of steps, the fewest that violate; all of them for one that is a function. */
  smallestSteps: readonly unknown[];
  /** What the program did up to the smallest crash, a line each, and what became of it. */
  trace: string[];
}

export interface Tally {
  /** Crash states that were judged. */
  states: number;
  /** Of these, states that differ on disk from every one before. */
  distinct: number;
  violations: number;
}

export interface CrashReport {
  name: string;
  seed: number;
  /** Entries of the trace without faults. */
  entries: number;
  states: number;
  distinct: number;
  byKind: Partial<Record<CaseKind, Tally>>;
  /** At most as many as the budget allows; `byKind` counts them all. */
  violations: Violation[];
  /** False when the budget or a signal ended the check before all cases had been tried. */
  complete: boolean;
  milliseconds: number;
}

/** A step of more letters is cut off; `smallestSteps` has it whole. */
const MOST_LETTERS = 200;

/** A report for people: a table, and the story of each violation. */
export function formatReport(report: CrashReport): string {
  const { name, seed, states, distinct, byKind, violations, milliseconds } = report;
  const rows = Object.entries(byKind).map(([kind, tally]) => [
    kind,
    String(tally.states),
    String(tally.distinct),
    String(tally.violations),
  ]);
  const seconds = (milliseconds / 1000).toFixed(1);
  const lines = [
    `${name}: ${states} crash states, ${distinct} distinct, seed ${seed}, ${seconds} s` +
      (report.complete ? "" : " (ended early)"),
    ...table([["kind", "states", "distinct", "violations"], ...rows]),
  ];
  for (const violation of violations) lines.push("", ...storyOf(violation));
  return lines.join("\n");
}

function storyOf(violation: Violation): string[] {
  const { kind, message, seed, vector, smallestVector, smallestSteps, trace } = violation;
  const { smallestMessage } = violation;
  const what = kind in crashKinds ? `: ${crashKinds[kind as CrashKind]}` : "";
  const lines = [`violation (${kind}${what})`, `  ${indented(message)}`];
  lines.push(`  seed ${seed}, vector ${vector}`);
  const said = smallestMessage === message ? "" : `: ${indented(smallestMessage)}`;
  if (smallestVector !== vector || said) lines.push(`  smallest vector ${smallestVector}${said}`);
  if (smallestSteps.length > 0) lines.push(`  steps: [${smallestSteps.map(textOfStep).join(",")}]`);
  const check = smallestSteps.length > 0 ? "{ ...check, steps }" : "check";
  lines.push(`  replay: await replayCrash(${check}, "${smallestVector}")`);
  return [...lines, ...trace.map((line) => `    ${line}`)];
}

function indented(message: string): string {
  return message.replaceAll("\n", "\n  ");
}

function textOfStep(step: unknown): string {
  const text = JSON.stringify(step) ?? String(step);
  return text.length > MOST_LETTERS ? `${text.slice(0, MOST_LETTERS - 3)}...` : text;
}

function table(rows: readonly string[][]): string[] {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join("  ")
      .trimEnd(),
  );
}
