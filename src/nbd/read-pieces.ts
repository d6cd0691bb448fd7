/**
 * A read cut where data and zeroes meet, so that holes need not be sent. Which ranges are holes is
 * looked up in the moment in which the read begins; every write that was answered before is seen.
 */
import { KiB } from "../base/units.ts";
import type { Subvolume } from "../host/subvolume.ts";

/** A part of a read; without data it reads as zeroes. */
export interface ReadPiece {
  offset: number;
  length: number;
  data?: Uint8Array;
}

/**
 * A read up to this length is data, hole or not: to look costs a sixth of the whole read, and what
 * it would save is a copy of that length.
 */
export const MOST_UNSEEN: number = 8 * KiB;
/** More pieces than this cost more than the zeroes in them. */
const MOST_PIECES = 64;

/** The pieces of a range in order; one with data when it is to be `whole`. */
export async function readPieces(
  subvolume: Subvolume,
  offset: number,
  length: number,
  whole: boolean,
): Promise<ReadPiece[]> {
  const runs = whole || length <= MOST_UNSEEN ? undefined : runsOf(subvolume, offset, length);
  if (!runs) return [{ offset, length, data: await subvolume.read(offset, length) }];
  return Promise.all(
    runs.map(async (run) => {
      if (!run.isData) return { offset: run.offset, length: run.length };
      const data = await subvolume.read(run.offset, run.length);
      return { offset: run.offset, length: run.length, data };
    }),
  );
}

interface Run {
  offset: number;
  length: number;
  isData: boolean;
}

/** Neighbours of the same kind made one; nothing when there are too many. */
function runsOf(subvolume: Subvolume, offset: number, length: number): Run[] | undefined {
  const runs: Run[] = [];
  for (const iomap of subvolume.extents(offset, length)) {
    const isData = iomap.type === "mapped";
    const last = runs.at(-1);
    if (last?.isData === isData) last.length += iomap.length;
    else if (runs.length === MOST_PIECES) return undefined;
    else runs.push({ offset: iomap.offset, length: iomap.length, isData });
  }
  return runs;
}
