/**
 * From what is on disk to the state: the newest checkpoint that can be believed, and the journal
 * behind it (promises I1 and I2).
 *
 * Replay writes nothing. It may be cut short at any point and run again with the same result; what
 * must be written afterwards is written by the host that asked for it. When the newest checkpoint
 * is damaged, the other one is used with more of the journal, which is kept back to the older of
 * the two for this. When both are, the journal alone will do if it is whole since creation.
 */
import type { BlockMemory } from "../base/block-memory.ts";
import { isBlockspaceError } from "../base/errors.ts";
import { emptyEnvironment } from "../checkpoint/empty-environment.ts";
import type { Environment, OpenEnvironment } from "../checkpoint/environment.ts";
import type { Directory } from "../device/device.ts";
import { type CarriedBlock, carriedBlocks } from "../format/journal-frame.ts";
import type { JournalIdentity } from "../journal/files.ts";
import { type JournalEnd, JournalReader } from "../journal/reader.ts";
import type { BlockRun } from "../space/busy.ts";
import type { Geometry } from "../space/geometry.ts";
import { applyCommit } from "./apply.ts";
import { blocksGiven } from "./carried-blocks.ts";
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

/** The environments as replay found them. */
export interface Environments {
  /** By name; one that is damaged so that it cannot be opened is left out. */
  opened: Partial<Record<"a" | "b", Environment>>;
  /** The one that the state was loaded from; an empty one when there is no checkpoint. */
  newest: Environment;
  /** The commit that the newest holds. */
  lsn: number;
  /** The commit that the older of two holds; 0 when there are not two that can be believed. */
  olderLsn: number;
  /** The greatest epoch that any of them claims; the next checkpoint's is greater. */
  epoch: number;
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
  const chosen = await chooseCheckpoint(source, cacheSize);
  const { state, checksum } = chosen;
  const checkpointLsn = state.lsn;
  const reader = new JournalReader(source.journal, source.identity, {
    lsn: checkpointLsn,
    checksum,
  });
  const restored = new Map<number, number>();
  const counts = { commits: 0, records: 0, bytes: 0 };
  const batches = reader.batches();
  let next = await batches.next();
  while (!next.done) {
    const carried = carriedBlocks(next.value, source.geometry.blockSize);
    for (const commit of next.value.commits) applyCommit(state, commit);
    for (const run of blocksGiven(next.value.commits)) drop(run, restored, memory);
    keep(carried, restored, memory);
    counts.commits += next.value.commits.length;
    for (const commit of next.value.commits) counts.records += commit.records.length;
    counts.bytes += next.value.header.length;
    next = await batches.next();
  }
  const end = next.value;
  const recovery: Recovery = {
    checkpointLsn,
    lastLsn: end.lsn,
    ...counts,
    discardedBytes: end.discardedBytes,
    milliseconds: Math.round(performance.now() - began),
    ...(chosen.damage === undefined ? {} : { damagedCheckpoint: chosen.damage }),
  };
  return { state, environments: chosen.environments, end, restored, recovery };
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

interface Chosen {
  state: State;
  checksum: number;
  environments: Environments;
  damage: string | undefined;
}

async function chooseCheckpoint(source: ReplaySource, cacheSize: number): Promise<Chosen> {
  const opened: Environments["opened"] = {};
  const candidates: { environment: Environment; epoch: number; lsn: number }[] = [];
  let damage: string | undefined;
  for (const name of ["a", "b"] as const) {
    try {
      const environment = await source.openEnvironment(name);
      opened[name] = environment;
      const closing = environment.closing();
      if (closing) candidates.push({ environment, epoch: closing.epoch, lsn: closing.lsn });
    } catch (error) {
      damage = damageOf(error, name);
    }
  }
  candidates.sort((one, two) => two.epoch - one.epoch);
  const epoch = candidates[0]?.epoch ?? 0;
  for (const { environment } of candidates) {
    try {
      const state = new State(source.geometry, environment, cacheSize);
      const checksum = state.load();
      const older = candidates.find((candidate) => candidate.environment !== environment);
      const olderLsn = older ? Math.min(older.lsn, state.lsn) : 0;
      const environments = { opened, newest: environment, lsn: state.lsn, olderLsn, epoch };
      return { state, checksum, environments, damage };
    } catch (error) {
      damage = damageOf(error, environment.name);
    }
  }
  const state = new State(source.geometry, emptyEnvironment, cacheSize);
  // One more, or a damaged environment would seem to be just one checkpoint behind the next.
  const next = { lsn: 0, olderLsn: 0, epoch: epoch + 1 };
  const environments = { opened, newest: emptyEnvironment, ...next };
  return { state, checksum: 0, environments, damage };
}

/** Why a checkpoint cannot be believed; any error that is not damage is thrown on. */
function damageOf(error: unknown, name: string): string {
  if (isBlockspaceError(error, "ECORRUPT")) return `${name}: ${error.message}`;
  throw error;
}
