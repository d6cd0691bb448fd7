/** What maps refer to, and what would come free without them, against brute force. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UsageCounter } from "../../src/map/usage.ts";
import type { State } from "../../src/replay/state.ts";
import { countingNodes } from "../support/counting-nodes.ts";
import { runs } from "../support/property-runs.ts";
import { emptyState, smallGeometries } from "../support/states.ts";
import { stepsOf, type Verb, Workload } from "../support/workload.ts";

function exclusiveOf(state: State): (pblock: number, count: number) => number {
  return (pblock, count) => {
    let blocks = 0;
    for (let i = 0; i < count; i++) if (state.segments.references(pblock + i) === 1) blocks++;
    return blocks;
  };
}

const verbs: Verb[] = ["write", "allocate", "unmap", "snapshot", "clone", "rollback", "delete"];

describe("UsageCounter", () => {
  it("counts what brute force counts", async () => {
    const steps = fc.array(stepsOf(verbs), { maxLength: 250, size: "max" });
    await fc.assert(
      fc.asyncProperty(smallGeometries, steps, async (small, list) => {
        const workload = new Workload(await emptyState(small)).run(list);
        workload.commit([{ verb: "relocate", a: 0, b: 0, c: 0 }]);
        const { state, model } = workload;
        const usage = new UsageCounter(state.nodes, exclusiveOf(state));
        for (const { id, root } of state.catalogue.entries()) {
          const mine = Array.from(model.get(id).map.values(), ({ pblock }) => pblock);
          const others = new Set<number>();
          for (const [other, { map }] of model.subvolumes) {
            if (other !== id) for (const { pblock } of map.values()) others.add(pblock);
          }
          expect(usage.referenced(root)).toBe(mine.length);
          expect(usage.exclusive(root)).toBe(mine.filter((pblock) => !others.has(pblock)).length);
        }
      }),
      runs(60),
    );
  });

  it("reads each node once for however many snapshots", async () => {
    const state = await emptyState({ nodeEntries: 8, segmentBlocks: 32, capacityBlocks: 4096 });
    const workload = new Workload(state, { size: 2000, run: 1, subvolumes: 300 });
    workload.commit([{ verb: "create", a: 0, b: 1999, c: 0 }]);
    for (let i = 0; i < 500; i++) workload.commit([{ verb: "write", a: 0, b: i * 3, c: 0 }]);
    for (let i = 0; i < 200; i++) workload.commit([{ verb: "snapshot", a: 0, b: 0, c: 0 }]);
    const nodes = countingNodes(state.nodes);
    const usage = new UsageCounter(nodes, exclusiveOf(state));
    const roots = Array.from(state.catalogue.entries(), ({ root }) => root);
    for (const root of roots) expect(usage.referenced(root)).toBe(500);
    expect(nodes.gets).toBeLessThanOrEqual(nodes.reads.size * 2);
  });
});
