/**
 * A trace up to a crash, a line for each entry, with what became of what was not durable; where a
 * fault struck, a line of its own before what came of it.
 */
import { inOrder, type TornPart } from "./crash-point.ts";
import { pointAt, type Recording } from "./crash-states.ts";
import { type CrashVector, fateIn, mergedParts } from "./crash-vector.ts";
import { formatFault } from "./faults.ts";
import type { Operation, TraceEntry } from "./operation.ts";
import type { Strike } from "./recording.ts";

/** So many of the last entries are told. */
const MOST_LINES = 40;

export function storyOf(
  recording: Recording,
  vector: CrashVector,
  strikes: readonly Strike[] = [],
): string[] {
  const fates = new Map<number, string[]>();
  const fateOf = inOrder(fateIn(vector));
  for (const unit of pointAt(recording, vector.cut).units()) {
    const fate = fateOf(unit);
    const what = unit.type === "names" ? "name" : unit.type;
    const text = typeof fate === "string" ? `${what} ${fate}` : `${what} torn ${tornText(fate)}`;
    fates.set(unit.at, [...(fates.get(unit.at) ?? []), text]);
  }
  const told = recording.trace.slice(0, vector.cut);
  const untold = Math.max(told.length - MOST_LINES, 0);
  const lines = untold > 0 ? [`(${untold} entries before)`] : [];
  const linesOfStrikes = (before: number): string[] =>
    strikes
      .filter((strike) => Math.max(strike.before, untold) === before)
      .map(({ operation, fault }) => `   ! ${formatFault(fault)} strikes ${textOfCall(operation)}`);
  for (const entry of told.slice(untold)) {
    const fate = fates.get(entry.index);
    lines.push(...linesOfStrikes(entry.index));
    const returned = returnOf(entry, vector.cut);
    lines.push(lineOf(entry) + returned + (fate ? `  [${fate.join(", ")}]` : ""));
  }
  return [...lines, ...linesOfStrikes(told.length), "the power goes"];
}

function lineOf({ index, operation }: TraceEntry): string {
  const text =
    operation.kind === "mark" ? `mark ${textOf(operation.value)}` : textOfCall(operation);
  return `${String(index).padStart(4)} ${text}`;
}

/** Of a call that others overtook: what it did was not certain to them, flushed or not. */
function returnOf({ index, doneAt }: TraceEntry, cut: number): string {
  if (doneAt === index + 1) return "";
  return doneAt < cut ? `  (returned after ${doneAt - 1})` : "  (has not returned)";
}

function textOfCall({ kind, path, to, offset, length }: Operation): string {
  const range = [
    to === undefined ? "" : ` to ${to}`,
    length === undefined ? "" : ` ${length} bytes`,
    offset === undefined ? "" : ` at ${offset}`,
  ].join("");
  // A traced program's own directory has no name.
  return `${kind} ${path || "."}${range}`;
}

function tornText(fate: readonly TornPart[]): string {
  return mergedParts(fate)
    .map(({ what, length }) => `${length} ${what}`)
    .join(" ");
}

function textOf(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
