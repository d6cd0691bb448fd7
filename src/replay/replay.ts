/**
 * From what is on disk to the state: the newest checkpoint that can be believed, and the journal
 * behind it (promises I1 and I2).
 *
 * Replay writes nothing. It may be cut short at any point and run again with the same result; what
 * must be written afterwards is written by the host that asked for it. When the newest checkpoint
 * turns out to be damaged, be it in a value that only a commit of the journal asks for, replay
 * begins again with the other one and more of the journal, which is kept back to the older of the
 * two for this. When both are, the journal alone will do if it is whole since creation.
 */
import type { BlockMemory } from "../base/block-memory.ts";
import { BlockspaceError, isBlockspaceError, placeOf, reasonIn } from "../base/errors.ts";
import { emptyEnvironment } from "../checkpoint/empty-environment.ts";
import type { OpenEnvironment } from "../checkpoint/environment.ts";
import type { Directory } from "../device/device.ts";
import { type CarriedBlock, carriedBlocks } from "../format/journal-frame.ts";
import type { JournalIdentity } from "../journal/files.ts";
import { type JournalEnd, JournalReader } from "../journal/reader.ts";
import type { BlockRun } from "../space/busy.ts";
import type { Geometry } from "../space/geometry.ts";
import { applyCommit } from "./apply.ts";
import { blocksGiven } from "./carried-blocks.ts";
import { damageOf, type Environments, openEnvironments } from "./environments.ts";
import { State } from "./state.ts";

/** What an opening host found and did; sizes in bytes. */
export interface Recovery {
  /** The commit that the checkpoint held. */
  checkpointLsn: number;
  /** The last commit after replay. */
  lastLsn: number;
  /** Commits and records replayed, and the journal bytes they took. */
  commits: number;
  records: number;
  bytes: number;
  /** Bytes of a torn frame that no one was told of. */
  discardedBytes: number;
  milliseconds: number;
  /** Why a newer checkpoint was passed over, if one was. */
  damagedCheckpoint?: string;
}

/** Where the parts of a store are. */
export interface ReplaySource {
  geometry: Geometry;
  journal: Directory;
  identity: JournalIdentity;
  openEnvironment: OpenEnvironment;
}

export interface Replayed {
  state: State;
  environments: Environments;
  end: JournalEnd;
  /** By physical block: slots with blocks that were only in the journal; they belong home. */
  restored: Map<number, number>;
  recovery: Recovery;
}

/**
 * Rebuilds the state; `cacheSize` in bytes bounds what of it stays in memory. Blocks that the
 * journal carries are put into `memory`.
 */
export async function replay(
  source: ReplaySource,
  cacheSize: number,
  memory: BlockMemory,
): Promise<Replayed> {
  const began = performance.now();
  const found = await openEnvironments(source.openEnvironment);
  let { damage } = found;
  let disbelieved: Disbelieved | undefined;
  for (const environments of found.starts) {
    try {
      const rebuilt = await rebuild(environments, source, cacheSize, memory);
      const { state, end, restored, counts } = rebuilt;
      const recovery: Recovery = {
        checkpointLsn: rebuilt.checkpointLsn,
        lastLsn: end.lsn,
        ...counts,
        discardedBytes: end.discardedBytes,
        milliseconds: Math.round(performance.now() - began),
        ...(damage === undefined ? {} : { damagedCheckpoint: damage }),
      };
      return { state, environments, end, restored, recovery };
    } catch (error) {
      if (!(error instanceof Disbelieved)) throw damage === undefined ? error : both(error, damage);
      damage ??= damageOf(environments.newest.name, error.cause);
      disbelieved ??= error;
    }
  }
  throw disbelieved!.cause;
}

/** What replay began with, or what it made of it, turned out to be damaged. */
class Disbelieved extends Error {
  declare readonly cause: BlockspaceError;
}

/** Does what looks at the state: tells damage there from damage to the journal. */
function believing<T>(work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (isBlockspaceError(cause, "ECORRUPT")) throw new Disbelieved(cause.message, { cause });
    throw cause;
  }
}

/** An error of the journal, which is read from far back since a checkpoint is damaged. */
function both(error: unknown, damage: string): unknown {
  if (!isBlockspaceError(error, "ECORRUPT")) return error;
  const message = `${reasonIn(error)}; a checkpoint was passed over: ${damage}`;
  return new BlockspaceError("ECORRUPT", message, { ...placeOf(error), cause: error });
}

interface Rebuilt {
  state: State;
  checkpointLsn: number;
  end: JournalEnd;
  restored: Map<number, number>;
  counts: { commits: number; records: number; bytes: number };
}

/** From one checkpoint, or from none where it is the empty one. */
async function rebuild(
  { newest }: Environments,
  source: ReplaySource,
  cacheSize: number,
  memory: BlockMemory,
): Promise<Rebuilt> {
  const state = new State(source.geometry, newest, cacheSize);
  const checksum = newest === emptyEnvironment ? 0 : await loadInTurns(state);
  const checkpointLsn = state.lsn;
  const start = { lsn: checkpointLsn, checksum };
  const batches = new JournalReader(source.journal, source.identity, start).batches();
  const restored = new Map<number, number>();
  const counts = { commits: 0, records: 0, bytes: 0 };
  try {
    let next = await batches.next();
    while (!next.done) {
      const { commits, header } = next.value;
      const carried = carriedBlocks(next.value, source.geometry.blockSize);
      believing(() => commits.forEach((commit) => applyCommit(state, commit)));
      for (const run of blocksGiven(commits)) drop(run, restored, memory);
      keep(carried, restored, memory);
      counts.commits += commits.length;
      for (const commit of commits) counts.records += commit.records.length;
      counts.bytes += header.length;
      next = await batches.next();
    }
    return { state, checkpointLsn, end: next.value, restored, counts };
  } catch (error) {
    for (const slot of restored.values()) memory.release({ slot, count: 1 });
    // Closes the file that the reader is in.
    await batches.return(undefined as never);
    throw error;
  }
}

/** Takes the checkpoint up; the event loop turns between the steps. */
async function loadInTurns(state: State): Promise<number> {
  const steps = state.loading();
  for (;;) {
    const { done, value } = believing(() => steps.next());
    if (done === true) return value;
    await new Promise(setImmediate);
  }
}

/** Forgets what was carried for blocks that have new contents. */
function drop(run: BlockRun, restored: Map<number, number>, memory: BlockMemory): void {
  if (restored.size === 0) return;
  for (let pblock = run.pblock; pblock < run.pblock + run.count; pblock++) {
    const slot = restored.get(pblock);
    if (slot === undefined) continue;
    restored.delete(pblock);
    memory.release({ slot, count: 1 });
  }
}

/** Copies the blocks that a frame carries. */
function keep(
  carried: readonly CarriedBlock[],
  restored: Map<number, number>,
  memory: BlockMemory,
): void {
  for (const { pblock, data } of carried) {
    const { slot } = memory.take(1);
    memory.view({ slot, count: 1 }).set(data);
    restored.set(pblock, slot);
  }
}
