/**
 * A case of a check: the fault that the run met, if any, and where the power went. With the seed of
 * the check its text names the case exactly, as in `@17:EIO|42,d40-/17!`.
 */
import { type CrashVector, formatVectors, parseVectors } from "./crash-vector.ts";
import { type FaultPlan, formatPlan, parsePlan } from "./faults.ts";

export interface CrashCase {
  plan?: FaultPlan | undefined;
  /** The crash of the workload, then that of the recovery from it, and so on. */
  vectors: readonly CrashVector[];
}

export function formatCase({ plan, vectors }: CrashCase): string {
  return (plan ? `${formatPlan(plan)}|` : "") + formatVectors(vectors);
}

/** The inverse of {@link formatCase}; a `SyntaxError` says what cannot be understood. */
export function parseCase(text: string): CrashCase {
  const bar = text.indexOf("|");
  if (bar < 0) return { vectors: parseVectors(text) };
  return { plan: parsePlan(text.slice(0, bar)), vectors: parseVectors(text.slice(bar + 1)) };
}
