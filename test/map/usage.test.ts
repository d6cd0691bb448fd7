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

  it("goes on in the next turn where the last one ended, whatever has changed", async () => {
    const state = await emptyState({ nodeEntries: 8, segmentBlocks: 32, capacityBlocks: 4096 });
    const workload = new Workload(state, { size: 2000, run: 1, subvolumes: 300 });
    workload.commit([{ verb: "create", a: 0, b: 1999, c: 0 }]);
    for (let i = 0; i < 500; i++) workload.commit([{ verb: "write", a: 0, b: i * 3, c: 0 }]);
    for (let i = 0; i < 3; i++) workload.commit([{ verb: "snapshot", a: 0, b: 0, c: 0 }]);
    const rootsNow = (): number[] => Array.from(state.catalogue.entries(), ({ root }) => root);
    /** Every node ends a turn; the answer, and how many turns it took. */
    const count = (between: (turn: number) => void): { answer: number[][]; turns: number } => {
      const nodes = countingNodes(state.nodes);
      const usage = new UsageCounter(nodes, exclusiveOf(state), () => true);
      for (let turns = 1; ; turns++) {
        const answer: (number | undefined)[][] = [];
        for (const root of rootsNow()) {
          const referenced = usage.referenced(root);
          answer.push([referenced, referenced === undefined ? undefined : usage.exclusive(root)]);
        }
        if (!answer.flat().includes(undefined)) return { answer: answer as number[][], turns };
        between(turns);
      }
    };
    const whole = new UsageCounter(state.nodes, exclusiveOf(state));
    const expected = rootsNow().map((root) => [whole.referenced(root), whole.exclusive(root)]);
    const { answer, turns } = count(() => undefined);
    expect(answer).toEqual(expected);
    expect(turns).toBeGreaterThan(10);
    const changed = count((turn) => {
      if (turn > 15) return;
      workload.commit([{ verb: "unmap", a: 0, b: (turn * 97) % 1500, c: 30 }]);
      workload.commit([{ verb: "write", a: 0, b: (turn * 61) % 1500, c: 0 }]);
      workload.commit([{ verb: "reclaim", a: 3, b: 0, c: 0 }]);
    });
    expect(changed.answer).toHaveLength(4);
  });
});
