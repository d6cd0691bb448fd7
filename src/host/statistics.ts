/**
 * The figures of a running host; sizes in bytes. At any moment
 * `free + reserved + staged + allocated + busy = capacity` (promise I5).
 */
import type { Engine } from "./engine.ts";

export interface Statistics {
  capacity: number;
  blockSize: number;
  /** Can be written or reserved. */
  free: number;
  /** Set aside for cookies, and a little for the host itself. */
  reserved: number;
  /** Allocated under a cookie, not committed. */
  staged: number;
  /** Referred to by at least one map. */
  allocated: number;
  /** Freed, but a checkpoint may still refer to it. */
  busy: number;
  /** The last commit made, known durable, and held by the newest checkpoint. */
  lastLsn: number;
  durableLsn: number;
  checkpointLsn: number;
  subvolumes: number;
  /** Map nodes of deleted maps, still to be taken apart. */
  deadNodes: number;
  /** Data in memory that is not at its place on the data device yet. */
  pendingBytes: number;
  /** Journal files that a checkpoint may need. */
  journalBytes: number;
  /** Counted since the host was opened. */
  commits: number;
  records: number;
  /** Journal writes, each with one flush, whatever the number of commits in it. */
  batches: number;
  checkpoints: number;
  reads: number;
  bytesRead: number;
  bytesWritten: number;
}

export function hostStatistics(engine: Engine): Statistics {
  engine.checkOpen();
  const { state, committer, checkpointer, releaser, counters } = engine;
  const { blockSize, capacityBlocks } = state.geometry;
  const figures = engine.ledger.figures();
  const { guardedBlocks } = releaser;
  return {
    capacity: capacityBlocks * blockSize,
    blockSize,
    free: figures.free * blockSize,
    reserved: figures.reserved * blockSize,
    staged: (figures.staged - guardedBlocks) * blockSize,
    allocated: figures.allocated * blockSize,
    busy: (figures.busy + guardedBlocks) * blockSize,
    lastLsn: state.lsn,
    durableLsn: committer.durableLsn,
    checkpointLsn: checkpointer.lsn,
    subvolumes: state.catalogue.size,
    deadNodes: state.nodes.dead.length,
    pendingBytes: engine.pending.bytes,
    journalBytes: engine.journalBytes,
    batches: committer.batches,
    checkpoints: checkpointer.count,
    ...counters,
  };
}
