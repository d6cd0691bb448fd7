/** Shapes that random work seldom makes: extents grow together, trees grow and shrink. */
import { describe, expect, it } from "vitest";
import { isLeaf } from "../../src/format/map-node.ts";
import type { JournalRecord } from "../../src/format/records.ts";
import { extents } from "../../src/map/lookup.ts";
import { applyCommit } from "../../src/replay/apply.ts";
import type { State } from "../../src/replay/state.ts";
import { audit } from "../../src/testing-store/audit.ts";
import { emptyState } from "../support/states.ts";

/** A state with one empty subvolume; nodes of 4 entries, segments of 8 blocks. */
async function stateWith(...records: JournalRecord[]): Promise<State> {
  const state = await emptyState({ nodeEntries: 4, segmentBlocks: 8, capacityBlocks: 4000 });
  commit(state, [
    { type: "create", subvolume: 1, name: "disk", size: 10_000 * 512, created: 0 },
    ...records,
  ]);
  return state;
}

function commit(state: State, records: JournalRecord[]): void {
  applyCommit(state, { lsn: state.lsn + 1, records });
  audit(state, { leaks: true });
}

function write(vblock: number, pblock: number, count = 1): JournalRecord {
  const checksums = new Uint32Array(count).fill(1);
  return { type: "remap", subvolume: 1, vblock, pblock, count, checksums };
}

function allocate(vblock: number, pblock: number, count = 1): JournalRecord {
  return { type: "remap", subvolume: 1, vblock, pblock, count, checksums: null };
}

function unmap(vblock: number, count: number): JournalRecord {
  return { type: "unmap", subvolume: 1, vblock, count };
}

/** Extents as `[vblock, pblock, count]`, with `"u"` when unwritten. */
function extentsOf(state: State): unknown[] {
  const { root } = state.catalogue.require(1);
  return Array.from(extents(state.nodes, root, 0, Infinity), (extent) => [
    extent.vblock,
    extent.pblock,
    extent.count,
    ...(extent.unwritten ? ["u"] : []),
  ]);
}

/** Entries of each node, level by level from the root. */
function shapeOf(state: State, id: number = state.catalogue.require(1).root): unknown {
  if (id === 0) return "empty";
  const node = state.nodes.get(id);
  if (isLeaf(node)) return node.count;
  return Array.from(node.children.subarray(0, node.count), (child) => shapeOf(state, child));
}

/** One block each, not contiguous with each other. */
function scattered(count: number): JournalRecord[] {
  return Array.from({ length: count }, (_, i) => write(i * 2, i));
}

describe("extents", () => {
  it("grow together with the one before, the one behind, or both", async () => {
    const state = await stateWith(write(10, 1), write(12, 3), write(11, 2));
    expect(extentsOf(state)).toEqual([[10, 1, 3]]);
  });

  it("do not grow over the border of a segment", async () => {
    const state = await stateWith(write(0, 6, 2), write(2, 8, 2));
    expect(extentsOf(state)).toEqual([
      [0, 6, 2],
      [2, 8, 2],
    ]);
  });

  it("do not grow together when one is unwritten, and do once it is written", async () => {
    const state = await stateWith(write(0, 0), allocate(1, 1), write(2, 2));
    expect(extentsOf(state)).toEqual([
      [0, 0, 1],
      [1, 1, 1, "u"],
      [2, 2, 1],
    ]);
    const checksums = Uint32Array.of(5);
    commit(state, [{ type: "convert", subvolume: 1, vblock: 1, pblock: 1, count: 1, checksums }]);
    expect(extentsOf(state)).toEqual([[0, 0, 3]]);
  });

  it("do not grow together when they are contiguous on one side only", async () => {
    const state = await stateWith(write(0, 0), write(1, 2), write(3, 3));
    expect(extentsOf(state)).toHaveLength(3);
  });

  it("are cut by what is written into them, and keep what they say of the rest", async () => {
    const state = await stateWith(allocate(0, 0, 8), write(3, 16, 2));
    expect(extentsOf(state)).toEqual([
      [0, 0, 3, "u"],
      [3, 16, 2],
      [5, 5, 3, "u"],
    ]);
  });
});

describe("a tree", () => {
  it("that is written in sequence has full nodes", async () => {
    const state = await stateWith(...scattered(20));
    expect(shapeOf(state)).toEqual([[4, 4, 4, 4], [4]]);
  });

  it("splits an overfull branch in the middle elsewhere", async () => {
    const state = await stateWith(...scattered(20), write(3, 100));
    expect(shapeOf(state)).toEqual([[2, 3], [4, 4, 4], [4]]);
  });

  it("splits an overfull leaf in the middle elsewhere", async () => {
    const state = await stateWith(...scattered(4), write(3, 100));
    expect(shapeOf(state)).toEqual([2, 3]);
  });

  it("becomes empty, and lower, when it is unmapped", async () => {
    const state = await stateWith(...scattered(20), unmap(8, 1000));
    expect(shapeOf(state)).toBe(4);
    commit(state, [unmap(0, 1000)]);
    expect(shapeOf(state)).toBe("empty");
  });

  it("leaves a shared node alone when it becomes the root with but one child", async () => {
    const state = await stateWith(...scattered(17));
    expect(shapeOf(state)).toEqual([[4, 4, 4, 4], [1]]);
    commit(state, [
      { type: "snapshot", source: 1, subvolume: 2, name: "snapshot", created: 0 },
      unmap(0, 32),
    ]);
    expect(shapeOf(state)).toEqual([1]);
    expect(shapeOf(state, state.catalogue.require(2).root)).toEqual([[4, 4, 4, 4], [1]]);
    commit(state, [write(500, 50)]);
    expect(shapeOf(state)).toBe(2);
  });

  it("joins nodes that have run nearly empty, and not so that they overflow", async () => {
    const state = await emptyState({ nodeEntries: 16, segmentBlocks: 8, capacityBlocks: 4000 });
    commit(state, [
      { type: "create", subvolume: 1, name: "disk", size: 10_000 * 512, created: 0 },
      ...scattered(64),
    ]);
    expect(shapeOf(state)).toEqual([16, 16, 16, 16]);
    commit(state, [unmap(0, 13 * 2)]);
    expect(shapeOf(state)).toEqual([3, 16, 16, 16]);
    commit(state, [unmap(32, 8 * 2)]);
    expect(shapeOf(state)).toEqual([3, 8, 16, 16]);
    commit(state, [unmap(26, 2)]);
    expect(shapeOf(state)).toEqual([10, 16, 16]);
  });
});
