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
  /** Nothing when the same state was recovered before, or recoveries are not recorded. */
  recording: Recording | undefined;
}

export class Judge<Observed> {
  readonly #check: Recoverable<Observed>;
  readonly #record: boolean;
  readonly #known = new Map<number, Outcome<Observed>["result"]>();

  constructor(check: Recoverable<Observed>, options: { recordRecoveries: boolean }) {
    this.#check = check;
    this.#record = options.recordRecoveries;
  }

  async judge(image: DiskImage, moment: Moment): Promise<Verdict> {
    const fingerprint = fingerprintOfImage(image);
    let result = this.#known.get(fingerprint);
    let recording: Recording | undefined;
    if (!result) {
      const outcome = await recoverFrom(this.#check, image, this.#record);
      ({ result } = outcome);
      if (this.#record) ({ recording } = outcome);
      this.#known.set(fingerprint, result);
    }
    return { fingerprint, violation: await this.#violation(result, moment), recording };
  }

  async #violation(
    result: Outcome<Observed>["result"],
    moment: Moment,
  ): Promise<{ error: unknown } | undefined> {
    if ("error" in result) {
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
    const observed = await check.recover(disk);
    return { result: { observed }, recording: { start: image, trace: [...disk.trace] } };
  } catch (error) {
    return { result: { error }, recording: { start: image, trace: [...disk.trace] } };
  }
}
