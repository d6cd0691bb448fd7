/**
 * Starts the program under test on crash states and asks the oracle.
 *
 * States that are the same on disk are recovered once; the oracle is asked each time, since the
 * program may have promised more by the time the same state comes round again.
 */
import type { Moment, Recoverable } from "./crash-check.ts";
import type { Recording } from "./crash-states.ts";
import { SimulatedDisk } from "./disk.ts";
import { type DiskImage, fingerprintOfImage } from "./disk-image.ts";
import { HangError, unlessHung } from "./hang.ts";

/** What came of a recovery. */
interface Outcome<Observed> {
  result: { observed: Observed } | { error: unknown };
  /** What the recovery did, where it may be crashed too. */
  recording: Recording;
}

export interface Verdict {
  fingerprint: number;
  /** What is wrong, if anything is. */
  violation: { error: unknown } | undefined;
  /** What the recovery did, if that was asked for and the caller has not had it before. */
  recording: Recording | undefined;
}

export class Judge<Observed> {
  readonly #check: Recoverable<Observed>;
  readonly #known = new Map<number, { result: Outcome<Observed>["result"]; depth: number }>();

  constructor(check: Recoverable<Observed>) {
    this.#check = check;
  }

  /**
   * `depth`: how deep the caller crashes the recovery from this state. A state that came up before
   * is recovered once more when that was less deep, so that its recovery can be crashed, too.
   */
  async judge(image: DiskImage, moment: Moment, depth = 0): Promise<Verdict> {
    const fingerprint = fingerprintOfImage(image);
    let known = this.#known.get(fingerprint);
    let recording: Recording | undefined;
    if (!known || known.depth < depth) {
      const outcome = await recoverFrom(this.#check, image, depth > 0);
      if (depth > 0) ({ recording } = outcome);
      this.#known.set(fingerprint, (known = { result: outcome.result, depth }));
    }
    return { fingerprint, violation: await this.#violation(known.result, moment), recording };
  }

  async #violation(
    result: Outcome<Observed>["result"],
    moment: Moment,
  ): Promise<{ error: unknown } | undefined> {
    if ("error" in result) {
      if (result.error instanceof HangError) return result;
      return this.#check.refusal?.(result.error, moment) ? undefined : result;
    }
    try {
      await this.#check.oracle(result.observed, moment);
      return undefined;
    } catch (error) {
      return { error };
    }
  }
}

/** Starts the program on an image. */
export async function recoverFrom<Observed>(
  check: Recoverable<Observed>,
  image: DiskImage,
  isRecorded: boolean,
): Promise<Outcome<Observed>> {
  const disk = new SimulatedDisk({ image, record: isRecorded });
  try {
    const observed = await unlessHung("recovery", disk, () => check.recover(disk));
    return { result: { observed }, recording: { start: image, trace: [...disk.trace] } };
  } catch (error) {
    return { result: { error }, recording: { start: image, trace: [...disk.trace] } };
  }
}
