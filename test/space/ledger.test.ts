/** The account of space (promise I5), and what is kept back for the host itself. */
import { describe, expect, it } from "vitest";
import { Allocator } from "../../src/space/allocator.ts";
import { Ledger } from "../../src/space/ledger.ts";
import { emptyState, passCheckpoints } from "../support/states.ts";

async function ledgerOf(capacityBlocks: number): Promise<{
  ledger: Ledger;
  allocator: Allocator;
  claim: (count: number) => number;
  release: (pblock: number, count: number) => void;
  settle: () => void;
}> {
  const state = await emptyState({ nodeEntries: 4, segmentBlocks: 8, capacityBlocks });
  const allocator = new Allocator(state.segments);
  return {
    allocator,
    ledger: new Ledger(state.segments, allocator),
    claim: (count) => {
      const { pblock } = allocator.take(count);
      state.segments.claim(pblock, count, { family: 1, vblock: 0 }, null);
      return pblock;
    },
    release: (pblock, count) => state.segments.release(pblock, count),
    settle: () => passCheckpoints(state),
  };
}

describe("Ledger", () => {
  it.each([
    { capacity: 1, keptBack: 1 },
    { capacity: 16, keptBack: 2 },
    { capacity: 1280, keptBack: 10 },
    { capacity: 100_000, keptBack: 64 },
  ])("keeps back $keptBack of $capacity blocks", async ({ capacity, keptBack }) => {
    const { ledger } = await ledgerOf(capacity);
    expect(ledger.free).toBe(capacity - keptBack);
    expect(ledger.unclaimed).toBe(capacity);
    expect(ledger.figures()).toEqual({
      free: capacity - keptBack,
      reserved: keptBack,
      staged: 0,
      allocated: 0,
      busy: 0,
    });
  });

  it("follows a block from reserved to staged, allocated, busy and free", async () => {
    const { ledger, allocator, claim, release, settle } = await ledgerOf(16);
    const empty = { free: 14, reserved: 2, staged: 0, allocated: 0, busy: 0 };
    ledger.reserved = 3;
    expect(ledger.figures()).toEqual({ ...empty, free: 11, reserved: 5 });
    const run = allocator.take(3);
    allocator.hold(run);
    ledger.reserved = 0;
    expect(ledger.figures()).toEqual({ ...empty, free: 11, staged: 3 });
    allocator.unhold(run);
    const pblock = claim(3);
    expect(ledger.figures()).toEqual({ ...empty, free: 11, allocated: 3 });
    release(pblock, 3);
    expect(ledger.figures()).toEqual({ ...empty, free: 11, busy: 3 });
    settle();
    expect(ledger.figures()).toEqual(empty);
  });

  it("shows as free nothing of what is kept back, when only that is left", async () => {
    const { ledger, claim } = await ledgerOf(16);
    claim(8);
    claim(7);
    expect(ledger.figures()).toEqual({ free: 0, reserved: 1, staged: 0, allocated: 15, busy: 0 });
  });
});
