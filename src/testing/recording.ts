/** One run of a workload on a recording disk, with or without a fault. */
import type { CrashCheck } from "./crash-check.ts";
import type { Recording } from "./crash-states.ts";
import { SimulatedDisk } from "./disk.ts";
import { EMPTY_IMAGE } from "./disk-image.ts";
import { FaultInjector, type FaultPlan } from "./faults.ts";
import type { Operation } from "./operation.ts";

export interface Run extends Recording {
  /** Every operation that was asked for, reads too. */
  operations: Operation[];
  /** The operations that met the fault. */
  struck: Operation[];
  /** What the workload threw, wrapped so that even `undefined` shows. */
  failure: { error: unknown } | undefined;
  /** It did not end, and was left behind; `failure` says so. */
  hangs: boolean;
}

/** A run that has not ended by then never will: nothing on a simulated disk takes time. */
const HANG_MS = 30_000;

/** Runs the workload; a failure is in the answer. */
export async function record<Observed, Step>(
  check: CrashCheck<Observed, Step>,
  steps: readonly Step[],
  plan?: FaultPlan,
): Promise<Run> {
  const start = check.start ?? EMPTY_IMAGE;
  const operations: Operation[] = [];
  const injector = plan && new FaultInjector(plan);
  const disk = new SimulatedDisk({
    image: start,
    record: true,
    onOperation: (operation) => {
      operations.push(operation);
      return injector?.onOperation(operation);
    },
  });
  let failure: Run["failure"];
  let hangs = false;
  try {
    hangs = await hasHung(async () => check.workload(disk, steps));
    if (hangs)
      failure = { error: new Error(`the workload did not end within ${HANG_MS / 1000} s`) };
  } catch (error) {
    failure = { error };
  }
  const struck = injector?.struck ?? [];
  return { start, trace: [...disk.trace], operations, struck: [...struck], failure, hangs };
}

async function hasHung(work: () => Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const hang = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(true), HANG_MS);
  });
  try {
    return await Promise.race([work().then(() => false), hang]);
  } finally {
    clearTimeout(timer);
  }
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
