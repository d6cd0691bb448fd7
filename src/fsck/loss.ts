/**
 * What a repair could not bring back, or put elsewhere, told for each place: nothing that could
 * still be read is thrown away without a word here.
 */
import type { FindingPlace } from "./finding.ts";

/**
 * - `gone`: nobody knows any more what was mapped here; the range reads as zeroes now
 * - `rebuilt`: the map was lost, and made again from the records of the segments
 * - `older`: what was written here last is lost; the range holds what it held before
 * - `unverified`: the blocks' checksums were lost, and are those of the data as it is now
 * - `unreadable`: the data cannot be read or does not match; reading it goes on to fail
 * - `orphans`: data without an owner, kept under the name of the subvolume
 * - `doubtful`: a block has more references than maps, so that some map may have lost the range
 * - `resized`: the size made no sense, or its map reached beyond it
 * - `renamed`: a subvolume that could not keep its name
 */
export type LossKind =
  | "gone"
  | "rebuilt"
  | "older"
  | "unverified"
  | "unreadable"
  | "orphans"
  | "doubtful"
  | "resized"
  | "renamed";

/** One line of a loss report. */
export interface Loss {
  kind: LossKind;
  /** The subvolume, or the first of those that share the place. */
  subvolume?: string;
  /** Others that share it, eight at most, where it is unreadable. */
  alsoIn?: string[];
  /** Bytes of the subvolume. */
  offset?: number;
  length?: number;
  note: string;
}

/** A block that stays as it is, at its place as far as anybody knows it. */
export function unreadable({ subvolume, alsoIn, range }: FindingPlace, note: string): Loss {
  const owner = subvolume === undefined ? {} : { subvolume };
  return { kind: "unreadable", ...owner, ...(alsoIn ? { alsoIn } : {}), ...range, note };
}

/** True when data is not what it was before the damage. */
export function costsData({ kind }: Loss): boolean {
  return kind === "gone" || kind === "older" || kind === "unreadable";
}
