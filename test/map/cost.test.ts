/**
 * What edits of a map cost, counted in nodes and never in time (promise I9): one path for a write,
 * two for a discard of any size, nothing more for the thousandth snapshot than for the first.
 */
import { describe, expect, it } from "vitest";
import { replaceRange } from "../../src/map/edit.ts";
import { nextExtent } from "../../src/map/lookup.ts";
import type { State } from "../../src/replay/state.ts";
import { audit } from "../../src/testing-store/audit.ts";
import { countingNodes } from "../support/counting-nodes.ts";
import { emptyState } from "../support/states.ts";
import { Workload } from "../support/workload.ts";

const ENTRIES = 16;
const SIZE = 8000;

/** A subvolume with every other block written, so that each is an extent of its own. */
async function fragmented(): Promise<Workload> {
  const state = await emptyState({
    nodeEntries: ENTRIES,
    segmentBlocks: 32,
    capacityBlocks: 40_000,
  });
  const workload = new Workload(state, { size: SIZE, run: 1, subvolumes: 2000 });
  workload.commit([{ verb: "create", a: 0, b: SIZE - 1, c: 0 }]);
  for (let vblock = 0; vblock < SIZE; vblock += 2) write(workload, vblock);
  return workload;
}

function write(workload: Workload, vblock: number): void {
  workload.commit([{ verb: "write", a: 0, b: vblock, c: 0 }]);
}

function rootOf(state: State): number {
  return state.catalogue.require(1).root;
}

/** Number of nodes touched by making `[from, to)` a hole. */
function discard(state: State, from: number, to: number): number {
  const nodes = countingNodes(state.nodes);
  const entry = state.catalogue.require(1);
  const root = replaceRange({ ...state.tree, nodes }, entry.root, from, to, null);
  state.catalogue.set({ ...entry, root });
  return nodes.reads.size;
}

describe("the cost of", () => {
  it("a discard is two paths and their neighbours, whatever its size", async () => {
    const { state } = await fragmented();
    const depth = state.nodes.get(rootOf(state)).level + 1;
    const before = state.segments.allocated;
    // On each level both ends, their neighbours to join with, and copies.
    expect(discard(state, 3, SIZE - 3)).toBeLessThanOrEqual(depth * 6);
    expect(state.nodes.dead.length).toBeLessThanOrEqual(depth * ENTRIES * 2);
    expect(state.segments.allocated).toBeGreaterThanOrEqual(before - ENTRIES * 2);
    audit(state, { leaks: true });
  });

  it("a discard of a hole is nothing: shared nodes stay shared", async () => {
    const workload = await fragmented();
    const { state } = workload;
    workload.commit([{ verb: "snapshot", a: 0, b: 0, c: 0 }]);
    const { next } = state.nodes;
    const root = rootOf(state);
    discard(state, 5001, 5002);
    expect(rootOf(state)).toBe(root);
    expect(state.nodes.next).toBe(next);
  });

  it("a snapshot is no node, and a write after it one path", async () => {
    const workload = await fragmented();
    const { state } = workload;
    const depth = state.nodes.get(rootOf(state)).level + 1;
    const { next } = state.nodes;
    workload.commit([{ verb: "snapshot", a: 0, b: 0, c: 0 }]);
    expect(state.nodes.next).toBe(next);
    write(workload, 4000);
    expect(state.nodes.next).toBe(next + depth);
    write(workload, 4000);
    expect(state.nodes.next).toBe(next + depth);
  });

  it("a read is the same path at depth 1,000 as at depth 1", async () => {
    const workload = await fragmented();
    const { state } = workload;
    const reads = (vblock: number): number => {
      const nodes = countingNodes(state.nodes);
      nextExtent(nodes, rootOf(state), vblock, vblock + 1);
      return nodes.reads.size;
    };
    const before = reads(4000);
    for (let i = 0; i < 1000; i++) {
      workload.commit([{ verb: "snapshot", a: 0, b: 0, c: 0 }]);
      write(workload, ((i * 7919) % SIZE) & ~1);
    }
    expect(reads(4000)).toBe(before);
    audit(state);
  });

  it("a delete is no node until it is reclaimed, and then one node a step", async () => {
    const workload = await fragmented();
    const { state } = workload;
    workload.commit([{ verb: "delete", a: 0, b: 0, c: 0 }]);
    expect(state.nodes.dead).toHaveLength(1);
    const allocated = state.segments.allocated;
    for (let i = 0; i < 5; i++) workload.commit([{ verb: "reclaim", a: 0, b: 0, c: 0 }]);
    expect(state.segments.allocated).toBeGreaterThanOrEqual(allocated - 5 * ENTRIES);
    expect(state.nodes.dead.length).toBeLessThanOrEqual(5 * ENTRIES);
    audit(state, { leaks: true });
  });
});
