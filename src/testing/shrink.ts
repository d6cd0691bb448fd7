/**
 * From a violation to the smallest one that can be found: the fewest steps of the workload, the
 * earliest crash, the least that is lost. Greedy, within a budget of attempts; what it returns does
 * violate.
 */
import { type CrashCase } from "./crash-case.ts";
import type { CrashCheck } from "./crash-check.ts";
import type { CrashModel } from "./crash-model.ts";
import { crashStates } from "./crash-states.ts";
import type { CrashVector } from "./crash-vector.ts";
import { record, type Run } from "./recording.ts";
import { violationOf } from "./replay-case.ts";

/** Recoveries that shrinking one violation may cost. */
const MOST_ATTEMPTS = 5000;
/** Of these, for the search of fewer steps: the rest is left for an earlier crash. */
const ATTEMPTS_FOR_STEPS = 4500;
/** Of those, for the search of another violation without one of the steps. */
const ATTEMPTS_PER_STEP = 500;

export interface Smallest<Step> {
  steps: readonly Step[];
  run: Run;
  crashCase: CrashCase;
}

interface Budget {
  left: number;
}

export async function shrink<Observed, Step>(
  check: CrashCheck<Observed, Step>,
  model: Partial<CrashModel>,
  found: Smallest<Step>,
): Promise<Smallest<Step>> {
  const forSteps = { left: ATTEMPTS_FOR_STEPS };
  let smallest = found;
  // A fault is named by the number of its operation, which fewer steps would change.
  if (!found.crashCase.plan) smallest = await fewerSteps(check, model, smallest, forSteps);
  const budget = { left: MOST_ATTEMPTS - ATTEMPTS_FOR_STEPS + Math.max(forSteps.left, 0) };
  smallest = await fewerRecoveries(check, smallest, budget);
  smallest = await earlierCrash(check, smallest, budget);
  return lessLost(check, smallest, budget);
}

async function fewerSteps<Observed, Step>(
  check: CrashCheck<Observed, Step>,
  model: Partial<CrashModel>,
  found: Smallest<Step>,
  budget: Budget,
): Promise<Smallest<Step>> {
  let smallest = found;
  let before = Infinity;
  // Without one step, another that stood behind it and had to stay may go as well.
  while (smallest.steps.length < before) {
    before = smallest.steps.length;
    for (let i = before - 1; i >= 0 && smallest.steps.length > 1; i--) {
      const steps = smallest.steps.toSpliced(i, 1);
      const run = await record(check, steps);
      if (run.failure) continue;
      const crashCase = await violationIn(check, model, { ...smallest, run }, budget);
      if (crashCase) smallest = { steps, run, crashCase };
    }
  }
  return smallest;
}

/** The crash that violated before, if it does here as well; else another one. */
async function violationIn<Observed, Step>(
  check: CrashCheck<Observed, Step>,
  model: Partial<CrashModel>,
  { run, crashCase }: Smallest<Step>,
  budget: Budget,
): Promise<CrashCase | undefined> {
  try {
    if (await violates(check, run, crashCase, budget)) return crashCase;
  } catch (error) {
    // There may be no such point any more.
    if (!(error instanceof RangeError)) throw error;
  }
  const limit = Math.min(ATTEMPTS_PER_STEP, budget.left);
  for (const { vector } of crashStates(run, { ...model, limit })) {
    if (await violates(check, run, { vectors: [vector] }, budget)) return { vectors: [vector] };
  }
  return undefined;
}

/** Perhaps the first crash alone, without one in the recovery from it, violates. */
async function fewerRecoveries<Observed, Step>(
  check: CrashCheck<Observed, Step>,
  found: Smallest<Step>,
  budget: Budget,
): Promise<Smallest<Step>> {
  const { vectors } = found.crashCase;
  for (let depth = 1; depth < vectors.length; depth++) {
    const crashCase = { ...found.crashCase, vectors: vectors.slice(0, depth) };
    if (await violates(check, found.run, crashCase, budget)) return { ...found, crashCase };
  }
  return found;
}

/** The earliest crash that violates when everything is kept, or everything lost. */
async function earlierCrash<Observed, Step>(
  check: CrashCheck<Observed, Step>,
  found: Smallest<Step>,
  budget: Budget,
): Promise<Smallest<Step>> {
  const before = found.crashCase.vectors.slice(0, -1);
  const { cut: latest, fates } = found.crashCase.vectors.at(-1)!;
  for (let cut = 0; cut <= latest; cut++) {
    for (const others of ["kept", "lost"] as const) {
      if (cut === latest && fates.size === 0) return found;
      const vector: CrashVector = { cut, others, fates: new Map() };
      const crashCase = { ...found.crashCase, vectors: [...before, vector] };
      if (await violates(check, found.run, crashCase, budget)) return { ...found, crashCase };
    }
  }
  return found;
}

/** Leaves the others as they are and takes back one fate after the other. */
async function lessLost<Observed, Step>(
  check: CrashCheck<Observed, Step>,
  found: Smallest<Step>,
  budget: Budget,
): Promise<Smallest<Step>> {
  let smallest = found;
  const before = found.crashCase.vectors.slice(0, -1);
  const attempt = async (vector: CrashVector): Promise<void> => {
    const crashCase = { ...found.crashCase, vectors: [...before, vector] };
    if (await violates(check, found.run, crashCase, budget)) smallest = { ...found, crashCase };
  };
  for (const name of found.crashCase.vectors.at(-1)!.fates.keys()) {
    const { cut, others, fates } = smallest.crashCase.vectors.at(-1)!;
    await attempt({ cut, others, fates: new Map([...fates].filter(([key]) => key !== name)) });
  }
  return smallest;
}

async function violates<Observed, Step>(
  check: CrashCheck<Observed, Step>,
  run: Run,
  crashCase: CrashCase,
  budget: Budget,
): Promise<boolean> {
  if (budget.left-- <= 0) return false;
  return (await violationOf(check, run, crashCase)) !== undefined;
}
