/**
 * Which crashes a check tries: the kinds of damage that a loss of power does, and how many of each
 * where there are too many to try them all.
 */

/** What each kind of crash does to what was not durable; the word stands in reports. */
export const crashKinds = {
  prefix: "all of it reached the medium, or nothing did",
  subset: "any of it reached the medium, unit by unit",
  torn: "a write reached it in part",
  garbage: "the last write reached it in part, and garbage stands where it broke off",
  names: "names and sizes reached it, or not, without regard to the data",
} as const;

export type CrashKind = keyof typeof crashKinds;

export interface CrashModel {
  /** All of them unless told. */
  kinds: readonly CrashKind[];
  /** Subsets of up to so many uncertain units are all tried: 2^12. */
  exhaustiveUnits: number;
  /** Beyond that, so many subsets at each point. */
  subsetSamples: number;
  /** Where a write may be torn: at the edges of sectors of these sizes (1: at any byte). */
  grains: readonly number[];
  /** How many ways of tearing one write are tried for each grain, when there are more. */
  tearSamples: number;
  /**
   * Also crash the recovery from a crash, so many deep: 1 is a crash in the recovery, 2 another one
   * in the recovery from that. Of each recovery's crashes `recoverySamples` are tried.
   */
  recoveryDepth: number;
  recoverySamples: number;
}

export const defaultModel: CrashModel = {
  kinds: Object.keys(crashKinds) as CrashKind[],
  exhaustiveUnits: 12,
  subsetSamples: 64,
  grains: [512, 4096, 1],
  tearSamples: 24,
  recoveryDepth: 0,
  recoverySamples: 8,
};
