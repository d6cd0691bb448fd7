/**
 * A state and its checkpoint: lists so long that they are cut into pages, what is remembered beside
 * the values, and that a checkpoint which lacks or damages any of its values is not believed.
 */
import { describe, expect, it } from "vitest";
import type { Environment } from "../../src/checkpoint/environment.ts";
import { isBlockspaceError } from "../../src/base/errors.ts";
import { kinds } from "../../src/format/checkpoint-values.ts";
import { open as openSealed, seal } from "../../src/format/sealed-value.ts";
import type { State } from "../../src/replay/state.ts";
import { audit } from "../../src/testing-store/audit.ts";
import { pictureOf } from "../support/state-digest.ts";
import { checkpointOf, emptyState, geometryWith, loadedState } from "../support/states.ts";
import { Workload } from "../support/workload.ts";

const small = { nodeEntries: 4, segmentBlocks: 8, capacityBlocks: 8 * 1300 };

/** More segments, dead nodes and changed keys than one page of a checkpoint holds. */
async function largeState(): Promise<Workload> {
  const workload = new Workload(await emptyState(small), { size: 4000, run: 1, subvolumes: 5000 });
  workload.commit([{ verb: "create", a: 0, b: 3999, c: 0 }]);
  for (let i = 0; i < 4500; i++) workload.commit([{ verb: "write", a: 0, b: i * 7, c: 0 }]);
  for (let i = 0; i < 600; i++) {
    workload.commit([{ verb: "snapshot", a: 0, b: 0, c: 0 }]);
    workload.commit([{ verb: "write", a: 0, b: i * 7, c: 0 }]);
  }
  for (let i = 0; i < 598; i++) workload.commit([{ verb: "delete", a: 1, b: 0, c: 0 }]);
  return workload;
}

/** Something of every kind: shared nodes, dead nodes, busy blocks. */
async function variedState(): Promise<State> {
  const workload = new Workload(await emptyState({ ...small, capacityBlocks: 400 }), { run: 3 });
  workload.commit([{ verb: "create", a: 0, b: 149, c: 0 }]);
  for (let i = 0; i < 60; i++) workload.commit([{ verb: "write", a: 0, b: i * 7, c: 0 }]);
  workload.commit([{ verb: "snapshot", a: 0, b: 0, c: 0 }]);
  for (let i = 0; i < 20; i++) workload.commit([{ verb: "write", a: 0, b: i * 11, c: 0 }]);
  workload.commit([{ verb: "clone", a: 1, b: 0, c: 0 }]);
  workload.commit([{ verb: "delete", a: 0, b: 0, c: 0 }]);
  return workload.state;
}

function keysIn(environment: Environment): { kind: number; id: number }[] {
  return Object.values(kinds)
    .filter((kind) => kind !== kinds.closing)
    .flatMap((kind) => Array.from(environment.scan(kind), ({ id }) => ({ kind, id })));
}

/** Loads the state and reads everything in it. */
function believe(geometry: State["geometry"], environment: Environment): void {
  const state = loadedState(geometry, environment);
  pictureOf(state);
  audit(state);
}

describe("a state that was loaded", () => {
  it("is the one that was stored, with lists of more than a page", async () => {
    const { state } = await largeState();
    expect(state.nodes.dead.length).toBeGreaterThan(500);
    const picture = pictureOf(state);
    const environment = await checkpointOf(state, 99);
    expect(state.changedKeys.length).toBeGreaterThan(1000);
    for (const kind of [kinds.deadNodes, kinds.segmentLive, kinds.changedKeys]) {
      expect([...environment.scan(kind)].length).toBeGreaterThan(1);
    }
    const loaded = loadedState(geometryWith(small), environment, 1 << 18);
    expect(pictureOf(loaded)).toEqual(picture);
    expect(loaded.changedKeys).toEqual(state.changedKeys);
    expect(loaded.segments.busy.count).toBe(state.segments.busy.count);
    audit(loaded);
  });

  it("stores no more of a list than is left of it", async () => {
    const workload = await largeState();
    const { state } = workload;
    await checkpointOf(state);
    while (state.nodes.dead.length > 0) workload.commit([{ verb: "reclaim", a: 7, b: 0, c: 0 }]);
    const environment = await checkpointOf(state);
    expect([...environment.scan(kinds.deadNodes)]).toEqual([]);
    expect(pictureOf(loadedState(geometryWith(small), environment))).toEqual(pictureOf(state));
  });

  it("gives back the checksum of the journal frame that the checkpoint ends with", async () => {
    const state = await variedState();
    const { geometry } = state;
    const environment = await checkpointOf(state, 0xfedcba98);
    const loaded = await emptyState({ ...small, capacityBlocks: geometry.capacityBlocks });
    loaded.source.environment = environment;
    expect(loaded.load()).toBe(0xfedcba98);
  });
});

describe("the memory that only a checkpoint gives back", () => {
  it("grows with changes and is gone with the freeze", async () => {
    const state = await variedState();
    expect(state.dirtyBytes).toBeGreaterThan(1000);
    await checkpointOf(state);
    expect(state.dirtyBytes).toBe(0);
  });
});

describe("a checkpoint is not believed", () => {
  it("when it is empty", async () => {
    const state = await emptyState(small);
    expect(() => state.load()).toThrow(expect.objectContaining({ code: "ECORRUPT" }));
  });

  it("when a value is missing, of those that the state is put together from", async () => {
    const state = await variedState();
    await checkpointOf(state);
    const kept = [kinds.node, kinds.nodeReferences, kinds.segment] as number[];
    const seen = new Set<number>();
    for (const { kind, id } of keysIn(state.source.environment)) {
      if (kept.includes(kind)) continue;
      seen.add(kind);
      const environment = await checkpointOf(state);
      await environment.commit([{ kind, id, value: null }], { epoch: 9, lsn: 9, reset: false });
      const refusal = expect.objectContaining({ code: "ECORRUPT" });
      expect(() => loadedState(state.geometry, environment), `${kind} ${id}`).toThrow(refusal);
    }
    const expected = [kinds.state, kinds.subvolume, kinds.segmentLive, kinds.deadNodes];
    expect([...seen]).toEqual(expect.arrayContaining([...expected, kinds.changedKeys]));
  });

  it("when a value is longer than it should be, though its seal is right", async () => {
    const state = await variedState();
    await checkpointOf(state);
    const seen = new Set<number>();
    for (const { kind, id } of keysIn(state.source.environment)) {
      const environment = await checkpointOf(state);
      const value = environment.get(kind, id);
      if (!value) continue;
      seen.add(kind);
      const body = Buffer.concat([openSealed(kind, id, value), Buffer.alloc(5)]);
      const longer = { kind, id, value: seal(kind, id, body) };
      await environment.commit([longer], { epoch: 9, lsn: 9, reset: false });
      const refusal = expect.objectContaining({ code: "ECORRUPT" });
      expect(() => believe(state.geometry, environment), `${kind} ${id}`).toThrow(refusal);
    }
    expect([...seen]).toEqual(expect.arrayContaining([kinds.state, kinds.nodeReferences]));
  });

  it("when any bit of any value is flipped, at the latest when the value is read", async () => {
    const state = await variedState();
    const sound = await checkpointOf(state);
    let flipped = 0;
    for (const { kind, id } of keysIn(sound)) {
      state.source.environment = sound;
      const environment = await checkpointOf(state);
      const value = environment.get(kind, id)?.slice();
      if (!value) continue;
      value[flipped % value.length]! ^= 1 << (flipped & 7);
      flipped++;
      await environment.commit([{ kind, id, value }], { epoch: 9, lsn: 9, reset: false });
      const refusal = expect.objectContaining({ code: "ECORRUPT" });
      expect(() => believe(state.geometry, environment), `${kind} ${id}`).toThrow(refusal);
    }
    expect(flipped).toBeGreaterThan(50);
  });

  it("when a map leads to a node that is missing", async () => {
    const state = await variedState();
    await checkpointOf(state);
    const ids = Array.from(state.source.environment.scan(kinds.node), ({ id }) => id);
    for (const id of ids) {
      const environment = await checkpointOf(state);
      const changes = [{ kind: kinds.node, id, value: null }];
      await environment.commit(changes, { epoch: 9, lsn: 9, reset: false });
      let failure: unknown;
      try {
        believe(state.geometry, environment);
      } catch (error) {
        failure = error;
      }
      expect(isBlockspaceError(failure, "ECORRUPT")).toBe(true);
    }
  });
});
