/** One case of a check once more, exactly: for a debugger, and for the shrinking of violations. */
import { type CrashCase, formatCase, parseCase } from "./crash-case.ts";
import type { CrashCheck, Moment, Recoverable } from "./crash-check.ts";
import { imageAfter, type Recording } from "./crash-states.ts";
import type { CrashVector } from "./crash-vector.ts";
import { Judge, recoverFrom } from "./judge.ts";
import { marksOf } from "./operation.ts";
import { orThrow, record, type Run } from "./recording.ts";
import { storyOf } from "./trace-story.ts";

export interface Replayed {
  /** What is wrong, if anything is. */
  violation: { error: unknown } | undefined;
  /** What the program did, and what became of it. */
  trace: string[];
}

/**
 * Runs the case that a vector of a report names.
 *
 * @throws SyntaxError when the text is no vector, RangeError when the workload has no such point.
 */
export async function replayCrash<Observed, Step>(
  check: CrashCheck<Observed, Step>,
  vector: string,
): Promise<Replayed> {
  const steps = check.steps ?? [];
  const crashCase = parseCase(vector);
  const run = await record(check, steps, crashCase.plan);
  if (!crashCase.plan) orThrow(run);
  const violation = await violationOf(check, run, crashCase);
  return { violation, trace: await storyOfCase(check, run, crashCase) };
}

/** What the program did up to the crash; of crashes in a recovery, one part for each start. */
export async function storyOfCase<Observed>(
  check: Recoverable<Observed>,
  run: Run,
  { vectors }: CrashCase,
): Promise<string[]> {
  const lines = storyOf(run, vectors[0]!, run.strikes);
  let recording: Recording = run;
  for (const [i, vector] of vectors.entries()) {
    if (i > 0) lines.push("the program starts on what is left", ...storyOf(recording, vector));
    if (i === vectors.length - 1) break;
    ({ recording } = await recoverFrom(check, imageAfter(recording, vector), true));
  }
  return lines;
}

/** Judges one case of a run. */
export async function violationOf<Observed>(
  check: Recoverable<Observed>,
  run: Run,
  { plan, vectors }: CrashCase,
): Promise<{ error: unknown } | undefined> {
  if (run.hangs) return run.failure;
  let recording: Recording = run;
  for (const vector of vectors.slice(0, -1)) {
    const image = imageAfter(recording, vector);
    ({ recording } = await recoverFrom(check, image, true));
  }
  const image = imageAfter(recording, vectors.at(-1)!);
  const moment = momentOf(run, { plan, vectors });
  return (await new Judge(check).judge(image, moment)).violation;
}

/** What an oracle is told of a case. */
export function momentOf(run: Run, crashCase: CrashCase): Moment {
  const { plan, vectors } = crashCase;
  const [first] = vectors as readonly [CrashVector];
  return {
    marks: marksOf(run.trace, first.cut),
    fault: plan && { plan, struck: run.strikes.map(({ operation }) => operation) },
    vector: formatCase(crashCase),
  };
}
