/**
 * What a checkpoint writes into the environment whose turn it is. That environment is two
 * checkpoints old, so it lacks what the last checkpoint changed (its list of changed keys says
 * what, the values stand in the newest environment) and what changed since (the frozen state).
 *
 * Where the environment is not exactly one checkpoint behind (it is new, or was found damaged), it
 * is emptied and everything is copied.
 *
 * What is copied from the newest environment is checked on its way. A value that has rotted there
 * would take the place of a sound one, which is what a repair needs: the checkpoint fails instead.
 */
import { MAX_ID } from "../format/checkpoint-key.ts";
import { encodeNumberPage, kinds, PAGE_ENTRIES } from "../format/checkpoint-values.ts";
import { open as openSealed, seal } from "../format/sealed-value.ts";
import type { Change, Environment } from "./environment.ts";

const KIND_STEP: number = MAX_ID + 1;

/** A key as one number, as the list of changed keys holds it. */
export function packKey(kind: number, id: number): number {
  return kind * KIND_STEP + id;
}

function unpackKey(packed: number): { kind: number; id: number } {
  return { kind: Math.floor(packed / KIND_STEP), id: packed % KIND_STEP };
}

/** The state as of one LSN, as a checkpoint writes it. */
export interface FrozenState {
  lsn: number;
  /** What changed since the checkpoint before; each key once. */
  changes(): Iterable<Change>;
  /** The state value; the checksum is that of the journal frame that ends in `lsn`. */
  stateValue(changedKeys: number, journalChecksum: number): Change;
}

/** What a delta is made from. */
export interface DeltaSource {
  target: Environment;
  newest: Environment;
  /** Keys that the newest environment changed against the one before it. */
  lastChangedKeys: readonly number[];
  frozen: FrozenState;
  /** Copy everything, since the target is not exactly one checkpoint behind. */
  reset: boolean;
}

/**
 * Commits what brings the target to the frozen state, as checkpoint `epoch`, and not before
 * `journalChecksum` has resolved: with the checksum of the journal frame that ends in its LSN.
 */
export async function commitDelta(
  source: DeltaSource,
  epoch: number,
  journalChecksum: Promise<number>,
): Promise<void> {
  const { target, frozen, reset } = source;
  const changed = new Set<number>();
  await target.commit(deltaFor(source, changed), {
    epoch,
    lsn: frozen.lsn,
    reset,
    async last() {
      const checksum = await journalChecksum;
      return [frozen.stateValue(changed.size, checksum)];
    },
  });
}

/** Every change but the state value; `changed` gets the keys that changed since the last one. */
export function* deltaFor(source: DeltaSource, changed: Set<number>): Generator<Change, void> {
  const { target, newest, lastChangedKeys, frozen, reset } = source;
  for (const change of frozen.changes()) {
    changed.add(packKey(change.kind, change.id));
    yield change;
  }
  yield* reset ? everythingElse(newest, changed) : missed(newest, lastChangedKeys, changed);
  yield* keyPages(target, [...changed], reset);
}

function* missed(
  newest: Environment,
  lastChangedKeys: readonly number[],
  changed: ReadonlySet<number>,
): Generator<Change> {
  for (const packed of lastChangedKeys) {
    if (changed.has(packed)) continue;
    const { kind, id } = unpackKey(packed);
    const value = newest.get(kind, id);
    if (value) openSealed(kind, id, value);
    yield { kind, id, value: value ?? null };
  }
}

/** The kinds that are the same in two checkpoints but for the changed keys of the newer one. */
export const copiedKinds: readonly number[] = [
  kinds.subvolume,
  kinds.node,
  kinds.nodeReferences,
  kinds.segment,
  kinds.segmentLive,
  kinds.busy,
  kinds.deadNodes,
];

function* everythingElse(newest: Environment, changed: ReadonlySet<number>): Generator<Change> {
  for (const kind of copiedKinds) {
    for (const { id, value } of newest.scan(kind)) {
      if (changed.has(packKey(kind, id))) continue;
      openSealed(kind, id, value);
      yield { kind, id, value: new Uint8Array(value) };
    }
  }
}

function* keyPages(target: Environment, keys: number[], reset: boolean): Generator<Change> {
  const kind = kinds.changedKeys;
  const pages = Math.ceil(keys.length / PAGE_ENTRIES);
  for (let id = 0; id < pages; id++) {
    const page = keys.slice(id * PAGE_ENTRIES, (id + 1) * PAGE_ENTRIES);
    yield { kind, id, value: seal(kind, id, encodeNumberPage(page)) };
  }
  if (reset) return;
  const stale = [...target.scan(kind)].map(({ id }) => id).filter((id) => id >= pages);
  for (const id of stale) yield { kind, id, value: null };
}
