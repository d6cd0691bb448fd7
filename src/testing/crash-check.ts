/**
 * What a tester says of a program so that its crash consistency can be checked: how it is used,
 * how it recovers, and what is allowed to come out.
 */
import type { DiskImage } from "./disk-image.ts";
import type { SimulatedDisk } from "./disk.ts";
import type { FaultPlan } from "./faults.ts";
import type { Operation } from "./operation.ts";

/** When and how the power went, as far as an oracle has to know. */
export interface Moment {
  /** The values of the marks that the workload had left by then, in order. */
  marks: readonly unknown[];
  /** The fault that the run met, and the operations that it struck. */
  fault?: { plan: FaultPlan; struck: readonly Operation[] } | undefined;
  /** The case as a text, for messages. */
  vector: string;
}

export interface CrashCheck<Observed = unknown, Step = unknown> {
  /** For messages. */
  name?: string;
  /**
   * Uses the program under test on a disk, and leaves marks on it (`disk.mark(value)`) wherever the
   * program has promised something. It must do the same each time that it is run: no clock, no
   * random numbers but seeded ones. In a run without faults it must not throw.
   */
  workload(disk: SimulatedDisk, steps: readonly Step[]): Promise<void> | void;
  /** What the workload is made of, if it can be done in parts: a violation is shrunk to few. */
  steps?: readonly Step[];
  /** Starts the program on what a crash left, and returns what a user then finds. */
  recover(disk: SimulatedDisk): Promise<Observed> | Observed;
  /**
   * Throws when what was found is not allowed. What is allowed is rarely one state: what was
   * acknowledged must be there, what was under way may be.
   */
  oracle(observed: Observed, moment: Moment): Promise<void> | void;
  /**
   * True for an error of `recover` that is allowed. Without it none is: a program that does not
   * start after a crash has lost everything.
   */
  refusal?(error: unknown, moment: Moment): boolean;
  /** What is on the disk before the workload; nothing unless told. */
  start?: DiskImage;
}

/** The part of a check that judges a crash state. */
export type Recoverable<Observed> = Pick<
  CrashCheck<Observed, never>,
  "recover" | "oracle" | "refusal"
>;
