/** Differences between maps against brute force, and that they cost what changed (promise I9). */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { newBranch, newLeaf } from "../../src/format/map-node.ts";
import { differences } from "../../src/map/diff.ts";
import { countingNodes } from "../support/counting-nodes.ts";
import { runs } from "../support/property-runs.ts";
import { emptyState, smallGeometries } from "../support/states.ts";
import type { ModelSubvolume } from "../support/store-model.ts";
import { stepsOf, Workload } from "../support/workload.ts";

/** The vblocks whose contents differ; holes and unwritten blocks are equal. */
function differing(a: ModelSubvolume, b: ModelSubvolume, from: number, to: number): number[] {
  const data = ({ map }: ModelSubvolume, vblock: number): number | undefined => {
    const block = map.get(vblock);
    return block && block.checksum !== null ? block.pblock : undefined;
  };
  const vblocks = new Set([...a.map.keys(), ...b.map.keys()]);
  return [...vblocks]
    .filter((vblock) => vblock >= from && vblock < to && data(a, vblock) !== data(b, vblock))
    .toSorted((one, other) => one - other);
}

describe("differences", () => {
  it("refuse a node that stands at the wrong level", async () => {
    const state = await emptyState({ nodeEntries: 4, segmentBlocks: 32, capacityBlocks: 512 });
    const leaf = newLeaf(4);
    leaf.count = 1;
    leaf.lengths[0] = 1;
    const branch = newBranch(2, 4);
    branch.count = 1;
    branch.children[0] = state.nodes.add(leaf);
    const root = state.nodes.add(branch);
    const compared = (): unknown => [...differences(state.nodes, root, 0, 0, 10)];
    expect(compared).toThrow(expect.objectContaining({ code: "ECORRUPT" }));
  });

  it("are exactly the blocks that differ, in order and merged", async () => {
    const steps = fc.array(stepsOf(), { maxLength: 250, size: "max" });
    const ranges = fc.array(fc.tuple(fc.nat(170), fc.nat(170)), { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(smallGeometries, steps, ranges, async (small, list, pairs) => {
        const { state, model } = new Workload(await emptyState(small)).run(list);
        const entries = [...state.catalogue.entries()];
        for (const a of entries) {
          for (const b of entries) {
            for (const [from, to] of [...pairs, [0, Infinity] as const]) {
              const found = [...differences(state.nodes, a.root, b.root, from, to)];
              const blocks = found.flatMap(({ vblock, count }) =>
                Array.from({ length: count }, (_, i) => vblock + i),
              );
              expect(blocks).toEqual(differing(model.get(a.id), model.get(b.id), from, to));
              const touching = found.filter(
                ({ vblock }, i) => i > 0 && found[i - 1]!.vblock + found[i - 1]!.count === vblock,
              );
              expect(touching).toEqual([]);
            }
          }
        }
      }),
      runs(40),
    );
  });

  it("read only the nodes on the way to what changed", async () => {
    const state = await emptyState({ nodeEntries: 16, segmentBlocks: 32, capacityBlocks: 20_000 });
    const workload = new Workload(state, { size: 20_000, run: 1 });
    workload.commit([{ verb: "create", a: 0, b: 19_999, c: 0 }]);
    for (let vblock = 0; vblock < 20_000; vblock += 2) {
      workload.commit([{ verb: "write", a: 0, b: vblock, c: 0 }]);
    }
    workload.commit([{ verb: "snapshot", a: 0, b: 0, c: 0 }]);
    for (const vblock of [10_000, 15_001]) {
      workload.commit([{ verb: "write", a: 0, b: vblock, c: 0 }]);
    }
    const [disk, snapshot] = Array.from(state.catalogue.entries(), ({ root }) => root);
    const nodes = countingNodes(state.nodes);
    expect([...differences(nodes, disk!, snapshot!, 0, 20_000)]).toEqual([
      { vblock: 10_000, count: 1 },
      { vblock: 15_001, count: 1 },
    ]);
    expect(state.nodes.get(disk!).level).toBe(3);
    // In each of the two maps the root and two paths below it, and what a split has added.
    expect(nodes.reads.size).toBeLessThanOrEqual(2 * (1 + 2 * 3) + 2);
  });

  // All blocks of a disk that was written at random were one range, however many extents they are.
  it("are found a bounded number of extents at a time", async () => {
    const state = await emptyState({ nodeEntries: 16, segmentBlocks: 32, capacityBlocks: 20_000 });
    const workload = new Workload(state, { size: 20_000, run: 1 });
    workload.commit([{ verb: "create", a: 0, b: 19_999, c: 0 }]);
    for (let vblock = 9999; vblock >= 0; vblock--) {
      workload.commit([{ verb: "write", a: 0, b: vblock, c: 0 }]);
    }
    const root = state.catalogue.get(1)!.root;
    const nodes = countingNodes(state.nodes);
    const found = differences(nodes, root, 0, 0, 20_000);
    expect(found.next().value).toEqual({ vblock: 0, count: 4096 });
    const readForOne = nodes.reads.size;
    expect([...found]).toEqual([
      { vblock: 4096, count: 4096 },
      { vblock: 8192, count: 1808 },
    ]);
    expect(readForOne).toBeLessThan(nodes.reads.size / 2);
  });
});
