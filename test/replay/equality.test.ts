/**
 * Promise I2: the state at run time and the state after replay of the same LSN are equal, whichever
 * checkpoint replay starts from, wherever the process died, and however often; and promise I4 for
 * all of these: what a crash could lead back to is never free, and the rest is free in the end.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { State } from "../../src/replay/state.ts";
import { audit } from "../../src/testing-store/audit.ts";
import { runs } from "../support/property-runs.ts";
import { SimulatedStore, type Start } from "../support/simulated-store.ts";
import { pictureOf } from "../support/state-digest.ts";
import { geometryWith, type SmallGeometry } from "../support/states.ts";
import { modelText, stateText } from "../support/store-model.ts";
import { type Step, stepsOf } from "../support/workload.ts";

type Event =
  | { type: "commit"; steps: Step[] }
  | { type: "freeze" | "thaw" | "checkpoint" }
  | { type: "crash"; start: Start; back: number };

const starts: Start[] = ["newest", "newest", "older", "journal"];
const events: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 30,
    arbitrary: fc.record({
      type: fc.constant("commit" as const),
      steps: fc.array(stepsOf(), { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom("freeze", "thaw", "checkpoint") }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("crash" as const),
      start: fc.constantFrom(...starts),
      back: fc.nat(5),
    }),
  },
);

const geometries: fc.Arbitrary<SmallGeometry> = fc.record({
  nodeEntries: fc.integer({ min: 4, max: 8 }),
  segmentBlocks: fc.constantFrom(8, 16, 32),
  capacityBlocks: fc.integer({ min: 150, max: 400 }),
});
/** Bytes: nothing but what was just used, or everything. */
const caches = fc.constantFrom(1, 1 << 20);

async function happen(store: SimulatedStore, event: Event): Promise<void> {
  switch (event.type) {
    case "commit":
      store.commit(event.steps);
      return;
    case "freeze":
      store.freeze();
      return;
    case "thaw":
      return store.thaw();
    case "checkpoint":
      await store.thaw();
      return store.checkpoint();
    case "crash": {
      const lsn = Math.max(store.checkpointLsn, store.state.lsn - event.back);
      return store.crash(event.start, lsn);
    }
  }
}

/** Every block that a state from `lsn` on referred to is live or busy now. */
function expectKept(store: SimulatedStore, state: State, lsn: number): void {
  const { segmentBlocks } = state.geometry;
  const lost = [...store.liveSince(lsn)].filter((pblock) => {
    const segment = Math.floor(pblock / segmentBlocks);
    const busy = state.segments.busy.has(segment, pblock % segmentBlocks);
    return state.segments.references(pblock) === 0 && !busy;
  });
  expect(lost).toEqual([]);
}

async function storeOf(small: SmallGeometry, cacheSize: number): Promise<SimulatedStore> {
  const limits = { size: 60, run: 6, subvolumes: 6 };
  return SimulatedStore.create({ geometry: geometryWith(small), cacheSize, limits });
}

describe("replay", () => {
  it("builds the state that ran, from either checkpoint and from the journal alone", async () => {
    const history = fc.array(events, { maxLength: 150, size: "max" });
    await fc.assert(
      fc.asyncProperty(geometries, caches, history, async (small, cacheSize, list) => {
        const store = await storeOf(small, cacheSize);
        for (const event of list) {
          await happen(store, event);
          const { state, allocator } = store.workload;
          audit(state, { allocator });
          expectKept(store, state, store.olderLsn);
        }
        const picture = pictureOf(store.state);
        for (const start of new Set(starts)) {
          const state = await store.reopened(start);
          expect(pictureOf(state)).toEqual(picture);
          audit(state, { leaks: true });
          expectKept(store, state, start === "newest" ? store.checkpointLsn : store.olderLsn);
        }
        expect(stateText(store.state)).toEqual(modelText(store.workload.model));
        await store.thaw();
        for (let i = 0; i < 2; i++) await store.checkpoint();
        expect(store.state.segments.busy.count).toBe(0);
        expect(pictureOf(store.state)).toEqual(picture);
      }),
      runs(80),
    );
  });
});
