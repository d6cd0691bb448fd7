/** Moving blocks under maps: where owners are looked for, and how often a node is looked at. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { relocateUnder } from "../../src/map/relocate.ts";
import { VblockSet } from "../../src/map/vblock-set.ts";
import { countingNodes } from "../support/counting-nodes.ts";
import { emptyState } from "../support/states.ts";
import { Workload } from "../support/workload.ts";

describe("VblockSet", () => {
  it("finds the next vblock from anywhere", () => {
    const vblocks = fc.array(fc.nat(60), { maxLength: 30 });
    fc.assert(
      fc.property(vblocks, vblocks, (first, second) => {
        const set = new VblockSet();
        for (const vblock of first) set.add(vblock);
        set.next(0);
        for (const vblock of second) set.add(vblock);
        const all = [...first, ...second];
        for (let from = 0; from < 63; from++) {
          const expected = Math.min(Infinity, ...all.filter((vblock) => vblock >= from));
          expect(set.next(from)).toBe(expected);
        }
        expect(set.next(Infinity)).toBe(Infinity);
      }),
    );
  });
});

describe("relocateUnder", () => {
  it("looks at each node once, for however many blocks and snapshots", async () => {
    const state = await emptyState({ nodeEntries: 8, segmentBlocks: 256, capacityBlocks: 4096 });
    const workload = new Workload(state, { size: 2000, run: 1, subvolumes: 300 });
    workload.commit([{ verb: "create", a: 0, b: 1999, c: 0 }]);
    for (let i = 0; i < 500; i++) {
      workload.commit([{ verb: "write", a: 0, b: (i * 7919) % 2000, c: 0 }]);
      if (i % 10 === 0) workload.commit([{ verb: "snapshot", a: 0, b: 0, c: 0 }]);
    }
    const nodes = countingNodes(state.nodes);
    const owners = new VblockSet();
    const { vblocks } = state.segments.record(0)!;
    for (const vblock of vblocks) owners.add(vblock);
    const visited = new Set<number>();
    const move = { pblock: 0, count: 256, shift: 2048 };
    for (const { root } of state.catalogue.entries()) {
      relocateUnder({ ...state.tree, nodes }, root, move, owners, visited);
    }
    expect(nodes.reads).toEqual(visited);
    // A child that was seen is found again from each parent, and its level is checked each time.
    const parents = [...visited].reduce((sum, id) => sum + state.nodes.references(id), 0);
    expect(nodes.gets).toBeLessThanOrEqual(visited.size + parents);
  });

  it("leaves maps alone that have none of the owners' vblocks", async () => {
    const state = await emptyState({ nodeEntries: 8, segmentBlocks: 256, capacityBlocks: 4096 });
    const workload = new Workload(state, { size: 2000, run: 1 });
    workload.commit([{ verb: "create", a: 0, b: 1999, c: 0 }]);
    for (let i = 0; i < 200; i++) workload.commit([{ verb: "write", a: 0, b: i * 5, c: 0 }]);
    const nodes = countingNodes(state.nodes);
    const owners = new VblockSet();
    const move = { pblock: 0, count: 256, shift: 2048 };
    const { root } = state.catalogue.require(1);
    relocateUnder({ ...state.tree, nodes }, root, move, owners, new Set());
    expect([...nodes.reads]).toEqual([root]);
    owners.add(3);
    relocateUnder({ ...state.tree, nodes }, root, move, owners, new Set());
    expect(nodes.reads.size).toBe(state.nodes.get(root).level + 1);
  });
});
