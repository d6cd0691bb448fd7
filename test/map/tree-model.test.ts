/**
 * Maps under random work against the naive model: many roots that share nodes, small nodes and
 * small segments, everything recounted after every step.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { audit, existingNodes } from "../../src/testing-store/audit.ts";
import { runs } from "../support/property-runs.ts";
import { emptyState, smallGeometries, type SmallGeometry } from "../support/states.ts";
import { modelText, stateText } from "../support/store-model.ts";
import {
  type Step,
  stepsOf,
  type Verb,
  Workload,
  type WorkloadLimits,
} from "../support/workload.ts";

/** Maps of many short extents, or of fewer and longer ones. */
const limits: fc.Arbitrary<Partial<WorkloadLimits>> = fc.constantFrom(
  { size: 150, run: 12 },
  { size: 300, run: 2 },
);

/** Takes the steps one commit each, with an audit after each. */
async function audited(
  small: SmallGeometry,
  steps: readonly Step[],
  limit: Partial<WorkloadLimits>,
): Promise<Workload> {
  const workload = new Workload(await emptyState(small), limit);
  const { state, allocator } = workload;
  workload.run(steps, () => audit(state, { allocator }));
  expect(stateText(state)).toEqual(modelText(workload.model));
  audit(state, { leaks: true });
  return workload;
}

function reclaimAll(workload: Workload): void {
  while (workload.state.nodes.dead.length > 0) {
    workload.commit([{ verb: "reclaim", a: 3, b: 0, c: 0 }]);
    audit(workload.state);
  }
}

const manySteps = fc.array(stepsOf(), { maxLength: 300, size: "max" });

describe("maps under random work", () => {
  it("say what the model says", async () => {
    await fc.assert(
      fc.asyncProperty(smallGeometries, manySteps, limits, async (small, steps, limit) => {
        await audited(small, steps, limit);
      }),
      runs(100),
    );
  });

  it.each<{ verbs: Verb[] }>([
    { verbs: ["write", "snapshot", "delete", "reclaim"] },
    { verbs: ["write", "allocate", "convert", "unmap"] },
    { verbs: ["write", "clone", "rollback", "resize", "unmap"] },
    { verbs: ["write", "unmap", "snapshot", "delete", "relocate"] },
  ])("say what the model says after $verbs", async ({ verbs }) => {
    const steps = fc.array(stepsOf(verbs), { maxLength: 300, size: "max" });
    await fc.assert(
      fc.asyncProperty(smallGeometries, steps, limits, async (small, list, limit) => {
        await audited(small, list, limit);
      }),
      runs(30),
    );
  });

  it("leave no node and no allocated block behind when every subvolume is deleted", async () => {
    await fc.assert(
      fc.asyncProperty(smallGeometries, manySteps, limits, async (small, steps, limit) => {
        const workload = await audited(small, steps, limit);
        const { state, model } = workload;
        while (model.subvolumes.size > 0) {
          workload.commit([{ verb: "delete", a: state.lsn, b: 0, c: 0 }]);
          audit(state);
        }
        reclaimAll(workload);
        expect(state.segments.allocated).toBe(0);
        expect(existingNodes(state)).toEqual([]);
      }),
      runs(30),
    );
  });

  it("refer to exactly what is mapped, once all dead nodes are taken apart", async () => {
    await fc.assert(
      fc.asyncProperty(smallGeometries, manySteps, limits, async (small, steps, limit) => {
        const workload = await audited(small, steps, limit);
        reclaimAll(workload);
        expect(workload.state.segments.allocated).toBe(workload.model.mapped().size);
      }),
      runs(30),
    );
  });

  it("move with their blocks, several subvolumes at once, and stay what they were", async () => {
    const moves = fc.array(stepsOf(["relocate"]), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(smallGeometries, manySteps, moves, async (small, steps, list) => {
        const workload = await audited(small, steps, { run: 6 });
        const { state, model } = workload;
        const before = modelText(model).map(({ blocks }) => blocks.length);
        workload.run(list, () => audit(state, { allocator: workload.allocator }));
        expect(stateText(state)).toEqual(modelText(model));
        expect(modelText(model).map(({ blocks }) => blocks.length)).toEqual(before);
      }),
      runs(40),
    );
  });
});
