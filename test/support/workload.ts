/**
 * Random work for a state, as the host would do it: steps of plain numbers, which shrink well, are
 * turned into valid records by looking at the state of the moment. What a step asks for and cannot
 * have (no space, no such subvolume) is left out.
 */
import fc from "fast-check";
import type { Commit } from "../../src/format/journal-frame.ts";
import type { JournalRecord } from "../../src/format/records.ts";
import { type Extent, extents } from "../../src/map/lookup.ts";
import { produceCommit } from "../../src/replay/apply.ts";
import type { State } from "../../src/replay/state.ts";
import { Allocator } from "../../src/space/allocator.ts";
import type { BlockRun } from "../../src/space/busy.ts";
import { blocksIn } from "../../src/space/geometry.ts";
import { Ledger } from "../../src/space/ledger.ts";
import { passCheckpoints } from "./states.ts";
import { StoreModel } from "./store-model.ts";

/** What kinds of steps there are, with how often each is taken. */
const weights = {
  write: 12,
  allocate: 3,
  convert: 3,
  unmap: 4,
  create: 1,
  snapshot: 2,
  clone: 1,
  rollback: 1,
  rename: 1,
  delete: 1,
  resize: 1,
  reclaim: 3,
  relocate: 2,
  stage: 1,
  unstage: 1,
} as const;

export type Verb = keyof typeof weights;

export interface Step {
  verb: Verb;
  a: number;
  b: number;
  c: number;
}

/** Steps of these kinds, or of all. */
export function stepsOf(
  verbs: readonly Verb[] = Object.keys(weights) as Verb[],
): fc.Arbitrary<Step> {
  const numbers = { a: fc.nat(), b: fc.nat(), c: fc.nat() };
  return fc.oneof(
    ...verbs.map((verb) => ({
      weight: weights[verb],
      arbitrary: fc.record({ verb: fc.constant(verb), ...numbers }),
    })),
  );
}

/** How large things get. */
export interface WorkloadLimits {
  /** Blocks of a new subvolume. */
  size: number;
  /** Blocks of a write or discard at most. */
  run: number;
  subvolumes: number;
}

const defaultLimits: WorkloadLimits = { size: 150, run: 12, subvolumes: 10 };

type Emit = (record: JournalRecord) => void;

export class Workload {
  readonly state: State;
  readonly allocator: Allocator;
  readonly ledger: Ledger;
  readonly model: StoreModel;
  readonly commits: Commit[];
  readonly staged: BlockRun[] = [];
  readonly #limits: WorkloadLimits;
  #checksum: number;

  /** Takes up a state where former work has left it. */
  constructor(
    state: State,
    limits: Partial<WorkloadLimits> = {},
    former: { model: StoreModel; commits: Commit[] } = {
      model: new StoreModel(state.geometry.blockSize),
      commits: [],
    },
  ) {
    this.state = state;
    this.allocator = new Allocator(state.segments);
    this.ledger = new Ledger(state.segments, this.allocator);
    this.model = former.model;
    this.commits = former.commits;
    this.#checksum = 1 + former.commits.length * 1000;
    this.#limits = { ...defaultLimits, ...limits };
  }

  /** Makes one commit of some steps; it may turn out empty. */
  commit(steps: readonly Step[]): Commit {
    const records = produceCommit(this.state, (emit) => {
      for (const step of steps) {
        this.#take(step, (record) => {
          emit(record);
          this.model.apply(record);
        });
      }
    });
    const commit = { lsn: this.state.lsn, records };
    this.commits.push(commit);
    return commit;
  }

  /** Makes a commit of each step; busy blocks are let go when space runs short. */
  run(steps: readonly Step[], afterEach: () => void = () => undefined): this {
    for (const step of steps) {
      this.commit([step]);
      if (this.ledger.free < this.#limits.run * 4) passCheckpoints(this.state);
      afterEach();
    }
    return this;
  }

  #take(step: Step, emit: Emit): void {
    const { verb, a, b, c } = step;
    if (verb === "create") return this.#create(b, emit);
    if (verb === "reclaim") return emit({ type: "reclaim", nodes: 1 + (a % 8) });
    if (verb === "relocate") return this.#relocate(a, b, emit);
    if (verb === "stage") return this.#stage(b);
    if (verb === "unstage") return this.#unstage(a);
    const ids = [...this.model.subvolumes.keys()];
    const subvolume = ids[a % ids.length];
    if (subvolume === undefined) return this.#create(b, emit);
    const { size } = this.model.get(subvolume);
    const vblock = size === 0 ? 0 : b % size;
    const count = Math.min(1 + (c % this.#limits.run), size - vblock);
    const other = ids[b % ids.length]!;
    switch (verb) {
      case "write":
      case "allocate":
        return this.#map({ subvolume, vblock, count, written: verb === "write" }, emit);
      case "convert":
        return this.#convert(subvolume, c, emit);
      case "unmap": {
        const most = c % 7 === 0 ? size - vblock : count;
        if (most > 0) emit({ type: "unmap", subvolume, vblock, count: most });
        return;
      }
      case "snapshot":
      case "clone":
        return this.#share(verb, subvolume, emit);
      case "rollback":
        return emit({ type: "rollback", subvolume, source: other });
      case "rename":
        return emit({ type: "rename", subvolume, name: `renamed ${subvolume}.${c}` });
      case "delete":
        return emit({ type: "delete", subvolume });
      case "resize": {
        const blocks = b % (this.#limits.size * 2);
        const { blockSize } = this.state.geometry;
        return emit({ type: "resize", subvolume, size: Math.max(1, blocks * blockSize - (c % 2)) });
      }
    }
  }

  #create(b: number, emit: Emit): void {
    if (this.model.subvolumes.size >= this.#limits.subvolumes) return;
    const subvolume = this.state.catalogue.next;
    const size = (1 + (b % this.#limits.size)) * this.state.geometry.blockSize;
    emit({ type: "create", subvolume, name: `volume ${subvolume}`, size, created: subvolume });
  }

  #share(type: "snapshot" | "clone", source: number, emit: Emit): void {
    if (this.model.subvolumes.size >= this.#limits.subvolumes) return;
    const subvolume = this.state.catalogue.next;
    emit({ type, source, subvolume, name: `${type} ${subvolume}`, created: subvolume });
  }

  #map(
    range: { subvolume: number; vblock: number; count: number; written: boolean },
    emit: Emit,
  ): void {
    const { subvolume, written } = range;
    const count = Math.min(range.count, this.ledger.free);
    for (let done = 0; done < count;) {
      const run = this.allocator.take(count - done);
      const checksums = written ? this.#checksums(run.count) : null;
      emit({ type: "remap", subvolume, vblock: range.vblock + done, ...run, checksums });
      done += run.count;
    }
  }

  /** Writes an unwritten extent in place, when nobody shares it. */
  #convert(subvolume: number, c: number, emit: Emit): void {
    const { root } = this.state.catalogue.require(subvolume);
    const candidates = [...extents(this.state.nodes, root, 0, Infinity)].filter((extent) =>
      this.#isConvertible(extent),
    );
    const extent = candidates[c % candidates.length];
    if (!extent) return;
    const skip = c % extent.count;
    const { vblock, pblock, count } = extent;
    const checksums = this.#checksums(1 + (c % (count - skip)));
    const place = { vblock: vblock + skip, pblock: pblock + skip, count: checksums.length };
    emit({ type: "convert", subvolume, ...place, checksums });
  }

  #isConvertible({ unwritten, pblock, count }: Extent): boolean {
    for (let i = 0; i < count; i++) {
      if (this.state.segments.references(pblock + i) !== 1) return false;
    }
    return unwritten;
  }

  /** Moves a maximal run of live blocks, or all of a segment, to free blocks of the same shape. */
  #relocate(a: number, b: number, emit: Emit): void {
    const { state } = this;
    if (state.nodes.dead.length > 0) emit({ type: "reclaim", nodes: 1_000_000 });
    const { segmentBlocks } = state.geometry;
    const segment = a % state.geometry.segments;
    const source = segment * segmentBlocks;
    const runs = this.#liveRuns(segment);
    if (runs.length === 0) return;
    const all = { pblock: source, count: blocksIn(state.geometry, segment) };
    const run = b % 3 === 0 ? all : runs[b % runs.length]!;
    const target = this.allocator.takeWhole(run.count);
    if (target) emit({ type: "relocate", from: run.pblock, to: target.pblock, count: run.count });
  }

  #liveRuns(segment: number): BlockRun[] {
    const { segments, geometry } = this.state;
    const runs: BlockRun[] = [];
    for (let i = 0; i < blocksIn(geometry, segment); i++) {
      const pblock = segment * geometry.segmentBlocks + i;
      if (segments.references(pblock) === 0) continue;
      const last = runs.at(-1);
      if (last && last.pblock + last.count === pblock) last.count++;
      else runs.push({ pblock, count: 1 });
    }
    return runs;
  }

  /** Blocks that belong to no map yet, as a cookie's. */
  #stage(b: number): void {
    const count = Math.min(1 + (b % this.#limits.run), this.ledger.free);
    if (count === 0) return;
    const run = this.allocator.take(count);
    this.allocator.hold(run);
    this.staged.push(run);
  }

  #unstage(a: number): void {
    const [run] = this.staged.splice(a % Math.max(1, this.staged.length), 1);
    if (run) this.allocator.unhold(run);
  }

  #checksums(count: number): Uint32Array {
    return Uint32Array.from({ length: count }, () => this.#checksum++);
  }
}
