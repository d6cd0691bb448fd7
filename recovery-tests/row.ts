/** What a row of the matrix of faults is: a family of numbered cases, and how to run a share. */
import {
  checkCrashConsistency,
  type CheckOptions,
  type CrashCheck,
  replayCrash,
  type Violation,
} from "blockspace/testing";

/** A row that has found so many looks no further. */
const MOST_VIOLATIONS = 5;

export interface RowViolation {
  /** Row and case, as `2:1375`; with the vector the argument of `npm run replay`. */
  seed: string;
  vector: string;
  message: string;
  /** What happened, a line each. */
  story: readonly string[];
}

export interface RowResult {
  /** Crash states, damaged stores, kills: whatever the row counts. */
  cases: number;
  violations: RowViolation[];
  /** Why the row could not be run here. */
  skipped?: string;
}

/** A part of a row, when several processes share it. */
export interface Share {
  /** Cases to run, about. */
  cases: number;
  /** The cases numbered `part`, `part + of`, `part + 2 * of`, ... */
  part: number;
  of: number;
  /** Fingerprints of crash states that were tried; new ones are added. */
  seen: Set<number>;
  /** At most about so many states of each workload, and no search for smaller violations. */
  statesPerWorkload?: number;
  onProgress?: (cases: number) => void;
}

export interface Row {
  number: number;
  fault: string;
  /** The promises that the fault leaves standing. */
  leaves: string;
  /** Cases of a whole run. */
  cases: number;
  /** Cases of a quick one, where a small part of the whole would show nothing. */
  quickCases?: number;
  /** Not to be split between processes. */
  isWhole?: boolean;
  /** Its cases are crash states, which are counted once each over all rows. */
  hasStates?: boolean;
  run(share: Share): Promise<RowResult>;
  /** One case once more; what was violated, and the story. */
  replay(index: number, vector: string): Promise<{ message: string | undefined; story: string[] }>;
}

/** The check of one numbered case. */
export interface Case {
  check: CrashCheck;
  options: CheckOptions;
}

/** A row whose cases are crash states of numbered workloads. */
export function crashRow(
  row: Pick<Row, "number" | "fault" | "leaves" | "cases">,
  caseOf: (index: number) => Promise<Case>,
): Row {
  return {
    ...row,
    hasStates: true,
    async run(share) {
      const result: RowResult = { cases: 0, violations: [] };
      for (let index = share.part; result.cases < share.cases; index += share.of) {
        const { check, options } = await caseOf(index);
        const { statesPerWorkload: most } = share;
        const sample = most === undefined ? undefined : sampleOf(most);
        try {
          const report = await checkCrashConsistency(check, {
            ...options,
            seed: index,
            seen: share.seen,
            shrink: sample === undefined,
            onProgress: ({ states }) => share.onProgress?.(result.cases + states),
            budget: { violations: 1, ...options.budget, ...sample?.budget },
            model: { ...options.model, ...sample?.model },
          });
          result.cases += report.states;
          result.violations.push(...report.violations.map((one) => named(row.number, index, one)));
        } catch (error) {
          // Nothing went wrong on its disk, and the workload failed all the same.
          result.violations.push(failed(row.number, index, error));
        }
        if (result.violations.length >= MOST_VIOLATIONS) break;
      }
      return result;
    },
    async replay(index, vector) {
      const { check } = await caseOf(index);
      const { violation, trace } = await replayCrash(check, vector);
      return { message: violation && String(violation.error), story: trace };
    },
  };
}

/** A few states of a workload, found without looking at all that there are. */
function sampleOf(states: number): Pick<CheckOptions, "budget" | "model"> {
  return {
    budget: { violations: 1, states, faults: 3 * states, statesPerFault: 3 },
    model: { exhaustiveUnits: 3, subsetSamples: 6, tearSamples: 3, recoverySamples: 1 },
  };
}

function failed(row: number, index: number, error: unknown): RowViolation {
  const cause = error instanceof Error ? error.cause : undefined;
  const stack = cause instanceof Error ? (cause.stack ?? "").split("\n").slice(1, 6) : [];
  const message = `${String(error)}: ${String(cause)}`;
  return { seed: `${row}:${index}`, vector: "0", message, story: stack };
}

function named(row: number, index: number, violation: Violation): RowViolation {
  const { vector, smallestVector, smallestSteps, message, trace, error } = violation;
  const stack = error instanceof Error ? (error.stack ?? "").split("\n").slice(1, 6) : [];
  return {
    seed: `${row}:${index}`,
    vector,
    message,
    story: [
      `fewest steps: ${JSON.stringify(smallestSteps)}`,
      `smallest vector with these: ${smallestVector}`,
      ...trace,
      ...stack,
    ],
  };
}

/** The `run` of a row of numbered cases, each with one violation at most. */
export function countedRun(
  violationOf: (index: number) => Promise<RowViolation | undefined>,
): Row["run"] {
  return async ({ part, of, cases, onProgress }) => {
    const result: RowResult = { cases: 0, violations: [] };
    for (let index = part; result.cases < cases; index += of) {
      const violation = await violationOf(index);
      result.cases++;
      onProgress?.(result.cases);
      if (violation && result.violations.push(violation) >= MOST_VIOLATIONS) break;
    }
    return result;
  };
}
