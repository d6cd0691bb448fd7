/** Reading maps: any range, any start, against the naive model; and what damage looks like. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newBranch, newLeaf } from "../../src/format/map-node.ts";
import { extents, nextExtent, isPathShared } from "../../src/map/lookup.ts";
import type { State } from "../../src/replay/state.ts";
import { runs } from "../support/property-runs.ts";
import { emptyState, smallGeometries } from "../support/states.ts";
import type { ModelSubvolume } from "../support/store-model.ts";
import { stepsOf, Workload } from "../support/workload.ts";

interface MappedBlock {
  vblock: number;
  pblock: number;
  unwritten: boolean;
}

function modelBlocks({ map }: ModelSubvolume, from: number, to: number): MappedBlock[] {
  return [...map]
    .filter(([vblock]) => vblock >= from && vblock < to)
    .toSorted(([a], [b]) => a - b)
    .map(([vblock, { pblock, checksum }]) => ({ vblock, pblock, unwritten: checksum === null }));
}

/** The extents of a range block by block, checked for shape on the way. */
function mapBlocks(state: State, root: number, from: number, to: number): MappedBlock[] {
  const blocks: MappedBlock[] = [];
  let at = from;
  for (const { vblock, pblock, count, unwritten } of extents(state.nodes, root, from, to)) {
    expect(vblock).toBeGreaterThanOrEqual(at);
    expect(count).toBeGreaterThan(0);
    at = vblock + count;
    expect(at).toBeLessThanOrEqual(to);
    for (let i = 0; i < count; i++) {
      blocks.push({ vblock: vblock + i, pblock: pblock + i, unwritten });
    }
  }
  return blocks;
}

const work = fc.array(stepsOf(["write", "allocate", "convert", "unmap", "snapshot", "clone"]), {
  maxLength: 200,
  size: "max",
});
const ranges = fc.array(fc.tuple(fc.nat(170), fc.nat(170)), { maxLength: 20 });

describe("extents and nextExtent", () => {
  it("give exactly the mapped blocks of any range", async () => {
    await fc.assert(
      fc.asyncProperty(smallGeometries, work, ranges, async (small, steps, pairs) => {
        const { state, model } = new Workload(await emptyState(small)).run(steps);
        for (const { id, root } of state.catalogue.entries()) {
          for (const [from, to] of [...pairs, [0, Infinity] as const]) {
            const expected = modelBlocks(model.get(id), from, to);
            expect(mapBlocks(state, root, from, to)).toEqual(expected);
            const first = nextExtent(state.nodes, root, from, to);
            expect(first?.vblock).toBe(expected[0]?.vblock);
            expect(first?.pblock).toBe(expected[0]?.pblock);
          }
        }
      }),
      runs(60),
    );
  });

  it("say of a block whether another root shares the path to it", async () => {
    const state = await emptyState({ nodeEntries: 4, segmentBlocks: 32, capacityBlocks: 512 });
    const workload = new Workload(state, { size: 1000, run: 1 });
    const block = (vblock: number): void => {
      workload.commit([{ verb: "write", a: 0, b: vblock, c: 0 }]);
    };
    workload.commit([{ verb: "create", a: 0, b: 999, c: 0 }]);
    for (let vblock = 0; vblock < 40; vblock += 2) block(vblock);
    const shared = (): boolean[] => {
      const { root } = state.catalogue.require(1);
      return Array.from(extents(state.nodes, root, 0, 40), ({ vblock }) =>
        isPathShared(state.nodes, root, vblock),
      );
    };
    expect(new Set(shared())).toEqual(new Set([false]));
    workload.commit([{ verb: "snapshot", a: 0, b: 0, c: 0 }]);
    expect(new Set(shared())).toEqual(new Set([true]));
    block(0);
    expect(shared().slice(0, 2)).toEqual([false, false]);
    expect(shared().at(-1)).toBe(true);
  });

  it("refuse a node that stands at the wrong level", async () => {
    const state = await emptyState({ nodeEntries: 4, segmentBlocks: 32, capacityBlocks: 512 });
    const leaf = newLeaf(4);
    leaf.count = 1;
    leaf.lengths[0] = 1;
    const branch = newBranch(2, 4);
    branch.count = 1;
    branch.children[0] = state.nodes.add(leaf);
    const root = state.nodes.add(branch);
    const damage = expect.objectContaining({ code: "ECORRUPT" });
    expect(() => nextExtent(state.nodes, root, 0, 1)).toThrow(damage);
  });

  it("refuse a node that is missing", async () => {
    const state = await emptyState({ nodeEntries: 4, segmentBlocks: 32, capacityBlocks: 512 });
    const damage = expect.objectContaining({ code: "ECORRUPT" });
    expect(() => nextExtent(state.nodes, 7, 0, 1)).toThrow(damage);
  });
});
