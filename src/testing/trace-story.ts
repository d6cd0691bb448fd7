/** A trace up to a crash, a line for each entry, with what became of what was not durable. */
import { pointAt, type Recording } from "./crash-states.ts";
import { type CrashVector, fateIn, unitName } from "./crash-vector.ts";
import type { TraceEntry } from "./operation.ts";

/** So many of the last entries are told. */
const MOST_LINES = 40;

export function storyOf(recording: Recording, vector: CrashVector): string[] {
  const fates = new Map<number, string[]>();
  const fateOf = fateIn(vector);
  for (const unit of pointAt(recording, vector.cut).units()) {
    const fate = fateOf(unit);
    const what = unit.type === "names" ? "name" : unit.type;
    const known = vector.fates.get(unitName(unit));
    const text = typeof fate === "string" ? `${what} ${fate}` : `${what} torn ${tornText(known)}`;
    fates.set(unit.at, [...(fates.get(unit.at) ?? []), text]);
  }
  const told = recording.trace.slice(0, vector.cut);
  const lines = told.slice(-MOST_LINES).map((entry) => {
    const fate = fates.get(entry.index);
    return lineOf(entry) + (fate ? `  [${fate.join(", ")}]` : "");
  });
  const untold = told.length - lines.length;
  if (untold > 0) lines.unshift(`(${untold} entries before)`);
  return [...lines, "the power goes"];
}

function lineOf({ index, operation }: TraceEntry): string {
  const number = String(index).padStart(4);
  if (operation.kind === "mark") return `${number} mark ${textOf(operation.value)}`;
  const { kind, path, offset, length } = operation;
  const range = [
    length === undefined ? "" : ` ${length} bytes`,
    offset === undefined ? "" : ` at ${offset}`,
  ].join("");
  return `${number} ${kind} ${path}${range}`;
}

function tornText(fate: unknown): string {
  if (!Array.isArray(fate)) return "";
  return fate.map(({ what, length }) => `${length} ${what}`).join(" ");
}

function textOf(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
