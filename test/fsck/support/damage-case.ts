/**
 * One damaged store from beginning to end: made from a seed, damaged, checked, repaired, checked
 * again, and compared with what it was before.
 */
import { isDeepStrictEqual } from "node:util";
import { kinds } from "../../../src/format/checkpoint-values.ts";
import { examine } from "../../../src/fsck/check.ts";
import type { Loss } from "../../../src/fsck/loss.ts";
import { repairStore } from "../../../src/fsck/repair.ts";
import { replayFrom } from "../../../src/fsck/replay.ts";
import { type Damage, inflict } from "../../../tools/damage/inflict.ts";
import { unaccounted, pictureOf } from "./contents.ts";
import { targetOf } from "./damage-target.ts";
import { FsckStore } from "./fsck-store.ts";
import { sampleStore } from "./sample-store.ts";

/** What became of a damaged store. */
export interface Outcome {
  /** The ids that check found, each once, in order. */
  ids: string[];
  checkExit: number;
  repairExit: number;
  /** Of the check after the repair. */
  afterExit: number | undefined;
  losses: Loss[];
  /** What changed and nobody was told of: by the damage, when check finds none, or by the repair. */
  unaccounted: string[];
  failure: string | undefined;
  /** The damage looks like a loss of power: the last commits are gone, and nothing else. */
  prefix: boolean;
}

export interface CaseOptions {
  inPlace?: boolean;
}

/** The store that a case damages: which one follows from the seed. */
export async function storeFor({ seed }: Damage): Promise<FsckStore> {
  return sampleStore(seed % 10, 3 + (seed % 5) * 2);
}

export async function damaged(
  damage: Damage,
): Promise<{ store: FsckStore; whole: FsckStore } | undefined> {
  const whole = await storeFor(damage);
  const store = whole.copy();
  const older = await sampleStore(damage.seed % 10, 0);
  const done = await inflict(targetOf(store), damage, targetOf(older));
  return done ? { store, whole } : undefined;
}

export async function runCase(
  damage: Damage,
  options: CaseOptions = {},
): Promise<Outcome | undefined> {
  const made = await damaged(damage);
  if (!made) return undefined;
  const { store, whole } = made;
  const { report } = await examine(store.access, { data: true });
  const target = options.inPlace ? undefined : new FsckStore(store.layout);
  const repaired = await repairStore(store.access, target?.access, { data: true });
  const outcome: Outcome = {
    ids: [...new Set(report.findings.map(({ id }) => id))].toSorted(),
    checkExit: report.exitCode,
    repairExit: repaired.exitCode,
    afterExit: repaired.after?.exitCode,
    losses: repaired.losses,
    unaccounted: [],
    failure: repaired.failure?.message ?? report.failure?.message,
    prefix: false,
  };
  if (repaired.after && !repaired.failure) {
    const result = target ?? store;
    outcome.unaccounted = unaccounted(
      await pictureOf(whole),
      await pictureOf(result),
      repaired.losses,
    );
  }
  if (outcome.checkExit === 0 && outcome.failure === undefined) {
    outcome.prefix = await isPrefix(whole, store);
    if (!outcome.prefix) {
      outcome.unaccounted = unaccounted(await pictureOf(whole), await pictureOf(store), []);
    }
  }
  return outcome;
}

/** True when a store has lost its last commits, and nothing but these (promise I2). */
export async function isPrefix(whole: FsckStore, store: FsckStore): Promise<boolean> {
  const [before, after] = [await examine(whole.access), await examine(store.access)];
  const [was, is] = [before.evidence?.chosen?.replayed, after.evidence?.chosen?.replayed];
  if (!before.evidence || !was || !is || is.lsn >= was.lsn) return false;
  const { geometry, journal, journalIdentity: identity, candidates } = before.evidence;
  const from = candidates.find(({ name }) => name === was.start)?.reading.image;
  const { directory, files } = journal;
  const parts = { geometry, journal: directory, files, identity };
  const rewound = await replayFrom(was.start, from, parts, is.lsn);
  if ("unusable" in rewound) return false;
  const compared = [kinds.subvolume, kinds.node, kinds.nodeReferences, kinds.segment];
  return compared.every((kind) => isDeepStrictEqual(rewound.image.scan(kind), is.image.scan(kind)));
}
