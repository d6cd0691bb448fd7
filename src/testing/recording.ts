/** One run of a workload on a recording disk, with or without a fault. */
import type { CrashCheck } from "./crash-check.ts";
import type { Recording } from "./crash-states.ts";
import { SimulatedDisk } from "./disk.ts";
import { EMPTY_IMAGE } from "./disk-image.ts";
import { FaultInjector, type FaultPlan } from "./faults.ts";
import { HangError, unlessHung } from "./hang.ts";
import type { Fault, Operation } from "./operation.ts";

/** What an operation met, and how many entries the trace had by then. */
export interface Strike {
  operation: Operation;
  fault: Fault;
  before: number;
}

export interface Run extends Recording {
  /** Every operation that was asked for, reads too. */
  operations: Operation[];
  /** The operations that met the fault, in order. */
  strikes: Strike[];
  /** What the workload threw, wrapped so that even `undefined` shows. */
  failure: { error: unknown } | undefined;
  /** It did not end, and was left behind; `failure` says so. */
  hangs: boolean;
}

/** Runs the workload; a failure is in the answer. */
export async function record<Observed, Step>(
  check: CrashCheck<Observed, Step>,
  steps: readonly Step[],
  plan?: FaultPlan,
): Promise<Run> {
  const start = check.start ?? EMPTY_IMAGE;
  const operations: Operation[] = [];
  const strikes: Strike[] = [];
  const injector = plan && new FaultInjector(plan);
  const disk: SimulatedDisk = new SimulatedDisk({
    image: start,
    record: true,
    onOperation: (operation) => {
      operations.push(operation);
      const fault = injector?.onOperation(operation) ?? undefined;
      if (fault) strikes.push({ operation, fault, before: disk.trace.length });
      return fault;
    },
  });
  let failure: Run["failure"];
  try {
    await unlessHung("workload", disk, () => check.workload(disk, steps));
  } catch (error) {
    failure = { error };
  }
  const hangs = failure?.error instanceof HangError;
  return { start, trace: [...disk.trace], operations, strikes, failure, hangs };
}

/** A workload that fails without a fault is no workload; says so with the error as cause. */
export function orThrow(run: Run): Run {
  if (run.failure) {
    throw new Error("the workload fails although nothing went wrong on its disk", {
      cause: run.failure.error,
    });
  }
  return run;
}
