/**
 * Blocks that the journal carries, as a replay gathers them: each stands in place of what the data
 * device holds, until a later record gives the block to somebody else. Replay may begin long before
 * a block came free, at the creation of the store even, and meet it again in a frame without data.
 */
import type { Commit } from "../format/journal-frame.ts";
import type { BlockRun } from "../space/busy.ts";

/** The blocks that commits give new contents, wherever those are. */
export function* blocksGiven(commits: Iterable<Commit>): Generator<BlockRun> {
  for (const { records } of commits) {
    for (const record of records) {
      if (record.type === "remap" || record.type === "convert") yield record;
      else if (record.type === "relocate") yield { pblock: record.to, count: record.count };
    }
  }
}
