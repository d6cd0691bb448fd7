/**
 * What a check says: findings, each with a stable id, and the exit code that follows from them.
 * Checks make findings and write nothing; repairs consume them.
 */
import { type FindingId, findingTable, type Severity } from "./finding-table.ts";

/** Where it is; offsets and lengths in bytes. All that is known, and nothing else. */
export interface FindingPlace {
  /** The file in the store's directory, as `journal/00000001`. */
  file?: string;
  /** In the file. */
  offset?: number;
  /** A checkpoint, or the state that the journal leads to from it. */
  state?: "a" | "b" | "replayed";
  /** Kind and id of a value of that checkpoint, as `node 17`. */
  value?: string;
  /** A subvolume by its name; of many that share the place, the first. */
  subvolume?: string;
  /** Others that share the place, eight at most; told of blocks that cannot be read. */
  alsoIn?: string[];
  /** The range of the subvolume. */
  range?: { offset: number; length: number };
  /** The address and length on the data device. */
  blocks?: { address: number; length: number };
  lsn?: number;
}

export interface Finding {
  id: FindingId;
  severity: Severity;
  /** What was found, in one sentence. */
  message: string;
  where: FindingPlace;
  /** Bytes of user data that this may cost. */
  atRisk: number;
  /** The promise that does not hold, as `I6`. */
  promise: string;
  /** What a repair would do. */
  repair: string;
}

/** A finding of the table with what was seen. */
export function finding(
  id: FindingId,
  message: string,
  where: FindingPlace = {},
  atRisk = 0,
): Finding {
  const { severity, promise, repair } = findingTable[id];
  return { id, severity, message, where, atRisk, promise, repair };
}

/** The bits of an exit code, after fsck(8). */
export const exitBits = {
  corrected: 1,
  leaks: 2,
  uncorrected: 4,
  failure: 8,
  usage: 16,
  cancelled: 32,
} as const;

/** What the findings of a check make of its exit code. */
export function exitCodeOf(findings: readonly Finding[]): number {
  if (findings.some(({ severity }) => severity !== "leak")) return exitBits.uncorrected;
  return findings.length > 0 ? exitBits.leaks : 0;
}
