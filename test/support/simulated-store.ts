/**
 * A store without files: a state under random work, two environments in memory that checkpoints go
 * to in turn, and crashes that leave only those and a prefix of the commits. A checkpoint is made
 * in the two halves in which the host makes it, so that work goes on between freeze and thaw.
 */
import { commitDelta, type FrozenState } from "../../src/checkpoint/delta.ts";
import type { Environment } from "../../src/checkpoint/environment.ts";
import { MemoryEnvironments } from "../../src/checkpoint/memory-environment.ts";
import type { Commit } from "../../src/format/journal-frame.ts";
import { applyCommit } from "../../src/replay/apply.ts";
import { State } from "../../src/replay/state.ts";
import type { Geometry } from "../../src/space/geometry.ts";
import { StoreModel } from "./store-model.ts";
import { type Step, Workload, type WorkloadLimits } from "./workload.ts";

/** What a reopened store starts from: a checkpoint, or the journal alone. */
export type Start = "newest" | "older" | "journal";

export interface StoreOptions {
  geometry: Geometry;
  cacheSize: number;
  limits: Partial<WorkloadLimits>;
}

/** The environments as a host knows them; `newest` is neither of them when both are worthless. */
interface Environments {
  store: MemoryEnvironments;
  a: Environment;
  b: Environment;
  newest: Environment;
  epoch: number;
}

export class SimulatedStore {
  readonly options: StoreOptions;
  workload: Workload;
  /** Checkpoints that had to copy everything. */
  resets = 0;
  #environments: Environments;
  #frozen: FrozenState | undefined;
  /** By LSN: the blocks that were live then. */
  readonly #live = new Map<number, Set<number>>([[0, new Set()]]);

  static async create(options: StoreOptions): Promise<SimulatedStore> {
    const environments = await openAll(new MemoryEnvironments());
    return new SimulatedStore(options, environments);
  }

  private constructor(options: StoreOptions, environments: Environments) {
    this.options = options;
    this.#environments = environments;
    const state = new State(options.geometry, environments.newest, options.cacheSize);
    this.workload = new Workload(state, options.limits);
  }

  get state(): State {
    return this.workload.state;
  }

  get checkpointLsn(): number {
    return this.#environments.newest.closing()?.lsn ?? 0;
  }

  /** The LSN that a crash may lead back to: that of the older checkpoint, if there are two. */
  get olderLsn(): number {
    const other = this.#target.closing();
    return other && this.#isOneBehind ? other.lsn : this.checkpointLsn;
  }

  commit(steps: readonly Step[]): void {
    this.workload.commit(steps);
    this.#live.set(this.state.lsn, liveBlocks(this.state));
  }

  /** Blocks that some state from `lsn` on refers to: they must not be written again (I4). */
  liveSince(lsn: number): Set<number> {
    const blocks = new Set<number>();
    for (const [at, live] of this.#live) if (at >= lsn) for (const block of live) blocks.add(block);
    return blocks;
  }

  /** The first half of a checkpoint. */
  freeze(): void {
    this.#frozen ??= this.state.freeze();
  }

  /** The second half; then it is the newest checkpoint, and what waited long enough is free. */
  async thaw(pinned: ReadonlySet<number> = new Set()): Promise<void> {
    const frozen = this.#frozen;
    if (!frozen) return;
    const { state } = this;
    const { newest } = this.#environments;
    const target = this.#target;
    const reset = !this.#isOneBehind;
    if (reset) this.resets++;
    const lastChangedKeys = state.changedKeys;
    const delta = { target, newest, lastChangedKeys, frozen, reset };
    const epoch = this.#environments.epoch + 1;
    await commitDelta(delta, epoch, Promise.resolve(7));
    state.thaw(target);
    Object.assign(this.#environments, { newest: target, epoch });
    this.#frozen = undefined;
    state.segments.busy.leaving(pinned);
    state.segments.busy.release();
  }

  async checkpoint(): Promise<void> {
    this.freeze();
    await this.thaw();
  }

  /** The state that a reopened store would have; where there is no older checkpoint, the newest. */
  async reopened(start: Start, lastLsn: number = this.state.lsn): Promise<State> {
    return (await this.#reopen(start, lastLsn)).state;
  }

  /** The process dies, and the store is opened again from what is left. */
  async crash(start: Start, lastLsn: number): Promise<void> {
    const { state, environments } = await this.#reopen(start, lastLsn);
    const commits = this.#commitsUpTo(lastLsn);
    const model = new StoreModel(this.options.geometry.blockSize);
    for (const { records } of commits) for (const record of records) model.apply(record);
    this.workload = new Workload(state, this.options.limits, { model, commits });
    this.#environments = environments;
    this.#frozen = undefined;
    for (const lsn of this.#live.keys()) if (lsn > lastLsn) this.#live.delete(lsn);
  }

  async #reopen(
    start: Start,
    lastLsn: number,
  ): Promise<{ state: State; environments: Environments }> {
    const { geometry, cacheSize } = this.options;
    const environments = await openAll(this.#environments.store.copy());
    const { a, b } = environments;
    const older = start === "older" && this.#isOneBehind;
    const chosen = older ? this.#target : this.#environments.newest;
    const mine = chosen.name === "a" ? a : b;
    const usable = start !== "journal" && chosen.closing() !== undefined;
    environments.newest = usable ? mine : await worthless();
    // An epoch is left out, so that nothing worthless looks as if it were one checkpoint behind.
    environments.epoch = this.#environments.epoch + (usable ? 0 : 1);
    const state = new State(geometry, environments.newest, cacheSize);
    if (usable) state.load();
    for (const commit of this.#commitsUpTo(lastLsn)) {
      if (commit.lsn > state.lsn) applyCommit(state, commit);
    }
    return { state, environments };
  }

  get #target(): Environment {
    const { a, b, newest } = this.#environments;
    return newest === a ? b : a;
  }

  get #isOneBehind(): boolean {
    const epoch = this.#environments.newest.closing()?.epoch ?? 0;
    return this.#target.closing()?.epoch === epoch - 1;
  }

  #commitsUpTo(lsn: number): Commit[] {
    return this.workload.commits.filter((commit) => commit.lsn <= lsn);
  }
}

async function openAll(store: MemoryEnvironments): Promise<Environments> {
  const newest = await worthless();
  return { store, a: await store.open("a"), b: await store.open("b"), newest, epoch: 0 };
}

async function worthless(): Promise<Environment> {
  return new MemoryEnvironments().open("a");
}

export function liveBlocks(state: State): Set<number> {
  const blocks = new Set<number>();
  for (let pblock = 0; pblock < state.geometry.capacityBlocks; pblock++) {
    if (state.segments.references(pblock) > 0) blocks.add(pblock);
  }
  return blocks;
}
