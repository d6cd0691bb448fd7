/**
 * Calls as sequences of steps, so that one description of what a call does serves both faces of a
 * file system. At each step something has been issued to the disk; the synchronous face goes on at
 * once, the asynchronous one waits until it is done. Between two steps of a call, those of others
 * may run, as they may with `node:fs/promises`.
 */
import { asCall, type SystemCall } from "./disk-errors.ts";
import type { Done, SimulatedDisk } from "./disk.ts";

/** Yields what was issued, returns what the call returns. */
export type Steps<T> = Generator<Done, T, void>;

/** One thing that is issued to the disk for a call; errors are told as those of the call. */
export function* step(call: SystemCall, issue: () => Done): Steps<Done> {
  const done = asCall(call, issue);
  yield done;
  return done;
}

/** A call made of several others; their errors are told as those of the one. */
export function* oneCall<T>(call: SystemCall, steps: Steps<T>): Steps<T> {
  let next = asCall(call, () => steps.next());
  while (!next.done) {
    yield next.value;
    next = asCall(call, () => steps.next());
  }
  return next.value;
}

/** Runs a call to its end. */
export function runNow<T>(steps: Steps<T>): T {
  let next = steps.next();
  while (!next.done) next = steps.next();
  return next.value;
}

const NOTHING: Done = { entry: undefined, bytes: 0, delayTurns: 0 };

/** Runs the first step at once, and each later one when the step before it is done. */
export async function runInTurns<T>(disk: SimulatedDisk, steps: Steps<T>): Promise<T> {
  try {
    let next = steps.next();
    while (!next.done) {
      await disk.settle(next.value);
      next = steps.next();
    }
    return next.value;
  } catch (error) {
    // Others have a turn now and then also beside a program that tries again and again.
    await disk.settle(NOTHING);
    throw error;
  }
}
