/**
 * A crash vector names one crash exactly, as a short text for logs and command lines:
 *
 *     42                 the power goes when 42 entries of the trace have been issued; all of it
 *                        reached the medium
 *     42!                ... and nothing of it that was not durable did
 *     42,d40-            ... all but the data of entry 40
 *     42,s40-,n7-        ... all but the size that entry 40 gave its file, and the names of entry 7
 *     42!,d40+           ... nothing but the data of entry 40
 *     42,d40:k512g512    ... of the data of entry 40 the first 512 bytes, then 512 of garbage
 *
 * A crash within the recovery from a crash is one vector after the other: `42,d40-/17!`.
 */
import type { Fate, TornPart, Unit } from "./crash-point.ts";

/** What may be lost of an entry, by the letter it has in the text. */
const letters = { data: "d", size: "s", names: "n" } as const;

export interface CrashVector {
  /** Entries of the trace that have been issued. */
  cut: number;
  /** The fate of every unit that `fates` does not name. */
  others: "kept" | "lost";
  /** By unit, as `d40`. */
  fates: ReadonlyMap<string, Fate>;
}

/** The name of a unit in vectors. */
export function unitName(unit: Pick<Unit, "type" | "at">): string {
  return `${letters[unit.type]}${unit.at}`;
}

export function fateIn(vector: CrashVector): (unit: Unit) => Fate {
  return (unit) => vector.fates.get(unitName(unit)) ?? vector.others;
}

function formatVector({ cut, others, fates }: CrashVector): string {
  const clauses = Array.from(fates, ([name, fate]) => `,${name}${formatFate(fate)}`);
  return `${cut}${others === "lost" ? "!" : ""}${clauses.join("")}`;
}

/** Several crashes, each within the recovery from the one before. */
export function formatVectors(vectors: readonly CrashVector[]): string {
  return vectors.map(formatVector).join("/");
}

/** The inverse of {@link formatVectors}; a `SyntaxError` says what cannot be understood. */
export function parseVectors(text: string): CrashVector[] {
  return text.split("/").map(parseVector);
}

function parseVector(text: string): CrashVector {
  const [head, ...clauses] = text.split(",");
  const cut = /^(\d+)(!?)$/.exec(head!);
  if (!cut) throw new SyntaxError(`"${head}" is no crash vector; one begins as in 42 or 42!`);
  const fates = new Map(clauses.map(parseClause));
  return { cut: Number(cut[1]), others: cut[2] ? "lost" : "kept", fates };
}

function parseClause(text: string): [string, Fate] {
  const clause = /^([dsn]\d+)(?:([+-])|:((?:[klg]\d+)+))$/.exec(text);
  if (!clause) {
    throw new SyntaxError(`"${text}" is no clause of a crash vector; d40-, s40+, d40:k512g512 are`);
  }
  const [, name, sign, parts] = clause;
  if (sign) return [name!, sign === "+" ? "kept" : "lost"];
  return [
    name!,
    [...parts!.matchAll(/([klg])(\d+)/g)].map(([, what, length]) => ({
      what: ({ k: "kept", l: "lost", g: "garbage" } as const)[what as "k" | "l" | "g"],
      length: Number(length),
    })),
  ];
}

function formatFate(fate: Fate): string {
  if (typeof fate === "string") return fate === "kept" ? "+" : "-";
  return `:${mergedParts(fate)
    .map(({ what, length }) => what[0]! + length)
    .join("")}`;
}

/** Neighbours of one kind as one part, and without the end that is lost anyway. */
export function mergedParts(parts: readonly TornPart[]): TornPart[] {
  const result: TornPart[] = [];
  for (const { what, length } of parts) {
    const last = result.at(-1);
    if (last?.what === what) last.length += length;
    else result.push({ what, length });
  }
  if (result.length > 1 && result.at(-1)!.what === "lost") result.pop();
  return result;
}
