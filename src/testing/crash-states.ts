/**
 * Every state that a trace allows a disk to be in after loss of power, under a {@link CrashModel}:
 * all of them where they are few, a seeded sample where they are many.
 *
 * The power goes between any two entries of the trace. What is enumerated at each point are the
 * crashes that the newest entry makes possible: those in which it is wholly lost were possible one
 * entry earlier. After a mark everything that is still uncertain is enumerated again: the states
 * are not new, but a program may have promised more by then. So it is after a flush that has passed
 * over something: what it covered may now be there without what was issued before.
 */
import { CrashPoint } from "./crash-point.ts";
import { type CrashKind, type CrashModel, defaultModel } from "./crash-model.ts";
import { type CrashVector, fateIn } from "./crash-vector.ts";
import { situationAt, vectorsOf } from "./crash-vectors.ts";
import type { DiskImage } from "./disk-image.ts";
import type { TraceEntry } from "./operation.ts";
import { type Random, randomFrom } from "./random.ts";

/** One crash; `image` builds what is on the disk after it. */
export interface CrashState {
  kind: CrashKind;
  vector: CrashVector;
  image: () => DiskImage;
}

export interface Recording {
  /** What was on the disk before. */
  start: DiskImage;
  trace: readonly TraceEntry[];
}

export interface CrashStatesOptions extends Partial<CrashModel> {
  seed?: number;
  /** About so many states at most, spread evenly over the trace by chance; all unless told. */
  limit?: number;
  /** Crashes before so many entries are left out. */
  firstCut?: number;
}

/**
 * The crash states of a recording, in the order of their points. A state is good until the next one
 * is asked for.
 */
export function* crashStates(
  recording: Recording,
  options: CrashStatesOptions = {},
): Generator<CrashState> {
  const { seed = 1, limit = Infinity, firstCut = 0, ...given } = options;
  const model = { ...defaultModel, ...given };
  let share = 1;
  if (limit < Infinity) {
    let total = 0;
    for (const _ of enumerate(recording, model, firstCut, randomFrom(seed))) total++;
    share = limit / total;
  }
  const choose = randomFrom(seed + 1);
  for (const state of enumerate(recording, model, firstCut, randomFrom(seed))) {
    if (share >= 1 || choose() < share) yield state;
  }
}

/** The image that one vector leads to; `RangeError` when the trace has no such point. */
export function imageAfter({ start, trace }: Recording, vector: CrashVector): DiskImage {
  if (vector.cut > trace.length) {
    throw new RangeError(`the trace has ${trace.length} entries; the crash is after ${vector.cut}`);
  }
  return pointAt({ start, trace }, vector.cut).image(fateIn(vector));
}

/** What is known at a point of a trace. */
export function pointAt({ start, trace }: Recording, cut: number): CrashPoint {
  const point = new CrashPoint(start);
  for (const entry of trace.slice(0, cut)) point.note(entry);
  return point;
}

function* enumerate(
  { start, trace }: Recording,
  model: CrashModel,
  firstCut: number,
  random: Random,
): Generator<CrashState> {
  const point = new CrashPoint(start);
  let timesCertain = 0;
  for (let cut = 0; cut <= trace.length; cut++) {
    if (cut > 0) point.note(trace[cut - 1]!);
    const isNew = cut === 0 || cut === firstCut || point.timesCertain > timesCertain;
    timesCertain = point.timesCertain;
    if (cut < firstCut) continue;
    const newest = trace[cut - 1];
    const situation = situationAt(point, cut, { newest, isNew }, random);
    if (!situation) continue;
    for (const kind of model.kinds) {
      for (const vector of vectorsOf[kind](situation, model)) {
        yield { kind, vector, image: () => point.image(fateIn(vector)) };
      }
    }
  }
}
