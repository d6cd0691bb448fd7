/**
 * The check of a program's crash consistency: run its workload once, cut the power at every point
 * in every way that a model allows, start the program on what is left, and ask the oracle whether
 * that is allowed. Then the same with every fault that was asked for, at every operation.
 *
 * The idea of states that are all allowed by a trace of writes and barriers is that of ALICE
 * (Pillai et al., OSDI 2014) and CrashMonkey (Mohan et al., OSDI 2018).
 */
import { type CrashCase, formatCase } from "./crash-case.ts";
import type { CrashCheck } from "./crash-check.ts";
import type { CrashModel } from "./crash-model.ts";
import { type CaseKind, type CrashReport, type Tally, type Violation } from "./check-report.ts";
import { crashStates, imageAfter, type Recording } from "./crash-states.ts";
import type { CrashVector } from "./crash-vector.ts";
import { type FaultKind, plansFor } from "./faults.ts";
import { HangError } from "./hang.ts";
import { Judge } from "./judge.ts";
import { BlockspaceError, messageOf } from "../base/errors.ts";
import { isChange, type TraceEntry } from "./operation.ts";
import { randomFrom, seedFor } from "./random.ts";
import { orThrow, record, type Run } from "./recording.ts";
import { momentOf, storyOfCase, violationOf } from "./replay-case.ts";
import { shrink } from "./shrink.ts";

export interface CheckProgress {
  states: number;
  distinct: number;
  violations: number;
}

export interface CheckBudget {
  /** Crash states of the run without faults; all of them unless told. */
  states?: number;
  /** Faults that are tried, spread over the operations; all of them unless told. */
  faults?: number;
  /** Crash states after each fault; 12 unless told. */
  statesPerFault?: number;
  /** Violations after which the check ends; 10 unless told. */
  violations?: number;
}

export interface CheckOptions {
  /** Which crashes; see `CrashModel` for what is tried unless told. */
  model?: Partial<CrashModel>;
  /** Kinds of faults besides crashes; none unless told. */
  faults?: readonly FaultKind[];
  budget?: CheckBudget;
  /** Decides what is sampled where not everything is tried; 1 unless told. */
  seed?: number;
  /** Fingerprints of states that are not counted as distinct; those that are new are added. */
  seen?: Set<number>;
  /**
   * Points before this mark of the workload are left out: another check has had them. Where there
   * is no such mark, none is.
   */
  from?: (mark: unknown) => boolean;
  /** Find a smaller case for each violation; yes unless told. */
  shrink?: boolean;
  onProgress?: (progress: CheckProgress) => void;
  signal?: AbortSignal;
}

/**
 * Checks a program; the report has every violation found. Throws only when the workload fails
 * although nothing went wrong on its disk, and `EINVAL` when it has not touched that disk.
 */
export async function checkCrashConsistency<Observed, Step>(
  check: CrashCheck<Observed, Step>,
  options: CheckOptions = {},
): Promise<CrashReport> {
  return new Checking(check, options).run();
}

class Checking<Observed, Step> {
  readonly #check: CrashCheck<Observed, Step>;
  readonly #options: CheckOptions;
  readonly #seed: number;
  readonly #seen: Set<number>;
  readonly #report: CrashReport;
  #found = 0;

  constructor(check: CrashCheck<Observed, Step>, options: CheckOptions) {
    this.#check = check;
    this.#options = options;
    this.#seed = options.seed ?? 1;
    this.#seen = options.seen ?? new Set();
    this.#report = {
      name: check.name ?? "crash consistency",
      seed: this.#seed,
      entries: 0,
      states: 0,
      distinct: 0,
      byKind: {},
      violations: [],
      complete: true,
      milliseconds: 0,
    };
  }

  async run(): Promise<CrashReport> {
    const began = performance.now();
    const run = orThrow(await record(this.#check, this.#steps));
    this.#refuseIdle(run);
    this.#report.entries = run.trace.length;
    await this.#crashes(run);
    await this.#faults(run);
    this.#report.milliseconds = Math.round(performance.now() - began);
    return this.#report;
  }

  /** A program that goes past its disk, to the real one, would pass whatever it does. */
  #refuseIdle({ operations, trace }: Run): void {
    const isRecoveryTried = this.#check.start !== undefined || this.#depth > 0;
    if (isRecoveryTried || operations.length > 0 || trace.some(isChange)) return;
    const message =
      "the workload did nothing on its disk, so no crash is a test: " +
      "does the program use the file system that it is given?";
    throw new BlockspaceError("EINVAL", message);
  }

  get #depth(): number {
    return this.#options.model?.recoveryDepth ?? 0;
  }

  get #steps(): readonly Step[] {
    return this.#check.steps ?? [];
  }

  get #isOver(): boolean {
    const { budget, signal } = this.#options;
    const isOver = this.#found >= (budget?.violations ?? 10) || signal?.aborted === true;
    if (isOver) this.#report.complete = false;
    return isOver;
  }

  async #crashes(run: Run): Promise<void> {
    const judge = new Judge(this.#check);
    const { from } = this.#options;
    const isFirst = ({ operation }: TraceEntry): boolean =>
      operation.kind === "mark" && from?.(operation.value) === true;
    // The first crash that is tried comes after the mark; all of them where there is none.
    const firstCut = run.trace.findIndex(isFirst) + 1;
    const limit = this.#options.budget?.states ?? Infinity;
    const states = crashStates(run, { ...this.#options.model, seed: this.#seed, limit, firstCut });
    for (const state of states) {
      if (this.#isOver) return;
      const crashCase = { vectors: [state.vector] };
      await this.#try(judge, run, state.kind, crashCase, state.image(), this.#depth);
    }
  }

  /** Every fault at every operation; then the power goes. */
  async #faults(plain: Run): Promise<void> {
    const { faults = [], budget } = this.#options;
    const plans = faults.flatMap((kind) =>
      plain.operations.flatMap((operation, i) =>
        plansFor(kind, operation, i + 1).map((plan) => ({ kind, plan })),
      ),
    );
    const choose = randomFrom(seedFor(this.#seed, "faults"));
    const share = (budget?.faults ?? Infinity) / plans.length;
    for (const { kind, plan } of plans) {
      if (share < 1 && choose() >= share) continue;
      if (this.#isOver) return;
      await this.#fault(kind, plan);
    }
  }

  async #fault(kind: FaultKind, plan: CrashCase["plan"]): Promise<void> {
    const run = await record(this.#check, this.#steps, plan);
    const judge = new Judge(this.#check);
    const limit = this.#options.budget?.statesPerFault ?? 12;
    const end = run.trace.length;
    const ends = (["kept", "lost"] as const).map((others): CrashVector => ({
      cut: end,
      others,
      fates: new Map(),
    }));
    if (run.failure && run.hangs) {
      const crashCase = { plan, vectors: ends.slice(0, 1) };
      await this.#note(run, kind, crashCase, run.failure.error);
      return;
    }
    for (const vector of ends) {
      const crashCase = { plan, vectors: [vector] };
      await this.#try(judge, run, kind, crashCase, imageAfter(run, vector), 0);
    }
    for (const state of crashStates(run, { ...this.#options.model, seed: this.#seed, limit })) {
      if (this.#isOver) return;
      const crashCase = { plan, vectors: [state.vector] };
      await this.#try(judge, run, kind, crashCase, state.image(), 0);
    }
  }

  /** One state; then, `depth` deep, the crashes of the recovery from it. */
  async #try(
    judge: Judge<Observed>,
    run: Run,
    kind: CaseKind,
    crashCase: CrashCase,
    image: Recording["start"],
    depth: number,
  ): Promise<void> {
    const verdict = await judge.judge(image, momentOf(run, crashCase), depth);
    this.#count(kind, verdict.fingerprint);
    if (verdict.violation) await this.#note(run, kind, crashCase, verdict.violation.error);
    const { states, distinct } = this.#report;
    this.#options.onProgress?.({ states, distinct, violations: this.#found });
    if (verdict.violation || !verdict.recording) return;
    const limit = this.#options.model?.recoverySamples ?? 8;
    const seed = seedFor(this.#seed, formatCase(crashCase));
    for (const inner of crashStates(verdict.recording, { ...this.#options.model, seed, limit })) {
      if (this.#isOver) return;
      const deeper = { ...crashCase, vectors: [...crashCase.vectors, inner.vector] };
      await this.#try(judge, run, "recovery", deeper, inner.image(), depth - 1);
    }
  }

  #count(kind: CaseKind, fingerprint: number): void {
    const tally = this.#tally(kind);
    tally.states++;
    this.#report.states++;
    const before = this.#seen.size;
    if (this.#seen.add(fingerprint).size > before) {
      tally.distinct++;
      this.#report.distinct++;
    }
  }

  #tally(kind: CaseKind): Tally {
    return (this.#report.byKind[kind] ??= { states: 0, distinct: 0, violations: 0 });
  }

  async #note(run: Run, kind: CaseKind, crashCase: CrashCase, error: unknown): Promise<void> {
    this.#tally(kind).violations++;
    this.#found++;
    const found = { steps: this.#steps, run, crashCase };
    const model = this.#options.model ?? {};
    // Each attempt at something smaller would take as long as the hang.
    const isFinal = this.#options.shrink === false || error instanceof HangError;
    const smallest = isFinal ? found : await shrink(this.#check, model, found);
    const again = isFinal
      ? undefined
      : await violationOf(this.#check, smallest.run, smallest.crashCase);
    const violation: Violation = {
      kind,
      message: messageOf(error),
      error,
      seed: this.#seed,
      vector: formatCase(crashCase),
      smallestVector: formatCase(smallest.crashCase),
      // A recovery that does not do the same each time may have nothing to say now.
      smallestMessage: messageOf((again ?? { error }).error),
      smallestSteps: smallest.steps,
      trace: await storyOfCase(this.#check, smallest.run, smallest.crashCase),
    };
    this.#report.violations.push(violation);
  }
}
