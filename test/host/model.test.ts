/**
 * Random histories of a host against a model, with closes, kills and losses of power in between
 * (I1, I2, I3, I5, and the audit of every count after every crash). fast-check makes the histories
 * and prints seed and path of one that fails; a crash point inside a history has a seed of its own.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HostModel } from "../support/host-model.ts";
import type { HostOperation } from "../support/host-operations.ts";
import { MemoryStore } from "../support/memory-store.ts";

const on = fc.nat(5);
const at = fc.oneof(
  fc.nat(20_000),
  fc.nat(40).map((block) => block * 512),
);
const length = fc.oneof(
  fc.integer({ min: 1, max: 3000 }),
  fc.integer({ min: 1, max: 20 }).map((n) => n * 512),
);
const size = fc.oneof(fc.integer({ min: 1, max: 20_000 }), fc.constant(16_384));
const fill = fc.integer({ min: 1, max: 200 });

/** Operations with their weights: what wears a store down is frequent, what ends a life is not. */
function operation(crashes: boolean): fc.Arbitrary<HostOperation> {
  const restarts = crashes ? 2 : 0;
  return fc.oneof(
    { weight: 2, arbitrary: fc.record({ type: fc.constant("create" as const), size }) },
    {
      weight: 12,
      arbitrary: fc.record({ type: fc.constant("write" as const), on, at, length, fill }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        type: fc.constantFrom("discard" as const, "writeZeroes" as const, "preallocate" as const),
        on,
        at,
        length,
      }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("resize" as const), on, size }) },
    {
      weight: 5,
      arbitrary: fc.record({
        type: fc.constantFrom(
          "snapshot" as const,
          "clone" as const,
          "rename" as const,
          "delete" as const,
        ),
        on,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        type: fc.constant("grow" as const),
        blocks: fc.integer({ min: 1, max: 24 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant("rollback" as const), on, to: on }) },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant("transact" as const),
        on,
        writes: fc.array(fc.record({ on, at, length, fill: fc.nat(200) }), { maxLength: 4 }),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant("twoPhase" as const),
        on,
        at: fc.nat(40),
        count: fc.integer({ min: 1, max: 8 }),
        fill,
        between: fc.boolean(),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ type: fc.constantFrom("flush" as const, "checkpoint" as const) }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ type: fc.constantFrom("compact" as const, "reopen" as const) }),
    },
    { weight: restarts, arbitrary: fc.record({ type: fc.constant("kill" as const) }) },
    {
      weight: restarts,
      arbitrary: fc.record({ type: fc.constant("crash" as const), seed: fc.nat() }),
    },
    {
      weight: restarts,
      arbitrary: fc.record({
        type: fc.constant("loseCheckpoint" as const),
        name: fc.constantFrom("a" as const, "b" as const),
      }),
    },
    {
      weight: restarts,
      arbitrary: fc.record({
        type: fc.constant("cut" as const),
        after: fc.nat(40),
        seed: fc.nat(),
      }),
    },
  );
}

/** More than 96 blocks hold, so that every history begins full; chance alone once never was. */
const filling: HostOperation[] = [
  { type: "create", size: 20_000 },
  { type: "create", size: 20_000 },
  ...[0, 1, 2].map((index) => {
    return { type: "preallocate" as const, on: index, at: 0, length: 20_000 };
  }),
];

async function live(
  store: MemoryStore,
  history: HostOperation[],
  digests: boolean,
): Promise<HostModel> {
  const life = await HostModel.start(store, digests);
  await life.run({ type: "create", size: 16_384 });
  for (const step of history) await life.run(step);
  await life.close();
  return life;
}

describe("a host against a model", () => {
  it("I1, I2, I3, I5: any history with crashes, on a roomy store", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation(true), { maxLength: 60, size: "max" }),
        async (history) => {
          await live(MemoryStore.create(), history, true);
        },
      ),
      { numRuns: 150 },
    );
  });

  it("I5: any history with crashes, on a store that is often full", async () => {
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(operation(true), { maxLength: 60, size: "max" }),
        async (history) => {
          const store = MemoryStore.create({ capacityBlocks: 96, segmentBlocks: 8 });
          refused += (await live(store, [...filling, ...history], false)).refused;
        },
      ),
      { numRuns: 100 },
    );
    expect(refused).toBeGreaterThan(0);
  });
});
