/**
 * Where blocks come from: never one that is live, busy or held (promise I4), always one while there
 * is one, in sequence while there is room for it.
 */
import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { Allocator } from "../../src/space/allocator.ts";
import type { BlockRun } from "../../src/space/busy.ts";
import { Ledger } from "../../src/space/ledger.ts";
import type { Segments } from "../../src/space/segments.ts";
import { runs } from "../support/property-runs.ts";
import { emptyState, passCheckpoints } from "../support/states.ts";

type Status = "free" | "live" | "busy" | "held";

/** Segments and an allocator beside a naive list of what each block is. */
async function space(capacityBlocks: number, segmentBlocks = 8): Promise<Space> {
  const state = await emptyState({ nodeEntries: 4, segmentBlocks, capacityBlocks });
  return new Space(state.segments, () => passCheckpoints(state));
}

class Space {
  readonly segments: Segments;
  readonly allocator: Allocator;
  readonly ledger: Ledger;
  readonly blocks: Status[];
  readonly #passCheckpoints: () => void;

  constructor(segments: Segments, checkpoints: () => void) {
    this.segments = segments;
    this.allocator = new Allocator(segments);
    this.ledger = new Ledger(segments, this.allocator);
    this.blocks = Array.from({ length: segments.geometry.capacityBlocks }, () => "free");
    this.#passCheckpoints = checkpoints;
  }

  #become(run: BlockRun, status: Status): void {
    this.blocks.fill(status, run.pblock, run.pblock + run.count);
  }

  claim(run: BlockRun): void {
    this.segments.claim(run.pblock, run.count, { family: 1, vblock: run.pblock }, null);
    this.#become(run, "live");
  }

  release(pblock: number): void {
    this.segments.release(pblock, 1);
    this.#become({ pblock, count: 1 }, "busy");
  }

  hold(run: BlockRun): void {
    this.allocator.hold(run);
    this.#become(run, "held");
  }

  unhold(pblock: number): void {
    this.allocator.unhold({ pblock, count: 1 });
    this.#become({ pblock, count: 1 }, "free");
  }

  /** All that is busy is free. */
  settle(): void {
    this.#passCheckpoints();
    this.blocks.forEach((status, i) => {
      if (status === "busy") this.blocks[i] = "free";
    });
  }

  count(status: Status): number {
    return this.blocks.filter((block) => block === status).length;
  }

  /** The `nth` block of a status, if there is any. */
  find(status: Status, nth: number): number | undefined {
    const all = this.blocks.flatMap((block, pblock) => (block === status ? [pblock] : []));
    return all[nth % all.length];
  }
}

/** The run, after it was found to be free, long enough and within one segment. */
function checked(here: Space, run: BlockRun, least = 1): BlockRun {
  expect(run.count).toBeGreaterThanOrEqual(least);
  const { segmentBlocks } = here.segments.geometry;
  const blocks = here.blocks.slice(run.pblock, run.pblock + run.count);
  expect(blocks).toEqual(Array.from({ length: run.count }, () => "free"));
  expect((run.pblock % segmentBlocks) + run.count).toBeLessThanOrEqual(segmentBlocks);
  return run;
}

/** The account and all counts are those of the list. */
function expectRight(here: Space): void {
  const { free, reserved, staged, allocated, busy } = here.ledger.figures();
  expect({ staged, allocated, busy }).toEqual({
    staged: here.count("held"),
    allocated: here.count("live"),
    busy: here.count("busy"),
  });
  expect(free + reserved).toBe(here.count("free"));
  expect(Math.min(free, reserved)).toBeGreaterThanOrEqual(0);
  const { segmentBlocks, segments } = here.segments.geometry;
  for (let segment = 0; segment < segments; segment++) {
    const base = segment * segmentBlocks;
    const used = here.blocks.slice(base, base + segmentBlocks).filter((b) => b !== "free");
    const live = used.filter((status) => status === "live").length;
    expect(here.allocator.used(segment)).toBe(used.length);
    expect(here.segments.live[segment]).toBe(live);
  }
}

interface Move {
  verb: "take" | "hold" | "whole" | "release" | "unhold" | "settle";
  n: number;
}

const moves: fc.Arbitrary<Move> = fc.record({
  verb: fc.constantFrom("take", "take", "hold", "whole", "release", "unhold", "settle"),
  n: fc.nat(20),
});

function make(here: Space, { verb, n }: Move): void {
  const most = n + 1;
  if (verb === "take" && here.count("free") > 0) {
    here.claim(checked(here, here.allocator.take(most)));
  } else if (verb === "hold" && here.count("free") > 0) {
    here.hold(checked(here, here.allocator.take(most)));
  } else if (verb === "whole") {
    const run = here.allocator.takeWhole(most);
    if (run) here.claim(checked(here, run, most));
  } else if (verb === "release") {
    const pblock = here.find("live", n);
    if (pblock !== undefined) here.release(pblock);
  } else if (verb === "unhold") {
    const pblock = here.find("held", n);
    if (pblock !== undefined) here.unhold(pblock);
  } else if (verb === "settle") here.settle();
}

describe("Allocator", () => {
  it("gives only free blocks, and every one of them, and the account is right", async () => {
    const work = fc.array(moves, { maxLength: 200, size: "max" });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 100 }), work, async (capacity, list) => {
        const here = await space(capacity);
        for (const move of list) {
          make(here, move);
          expectRight(here);
        }
        while (here.count("free") > 0) here.claim(checked(here, here.allocator.take(1)));
        expectRight(here);
        expect(() => here.allocator.take(1)).toThrow(expect.objectContaining({ code: "ENOSPC" }));
      }),
      runs(50),
    );
  });

  it("fills segments from start to end, one after the other", async () => {
    const here = await space(24);
    const taken = [5, 5, 5, 9, 9].map((most) => {
      const run = here.allocator.take(most);
      here.claim(run);
      return [run.pblock, run.count];
    });
    expect(taken).toEqual([
      [0, 5],
      [5, 3],
      [8, 5],
      [13, 3],
      [16, 8],
    ]);
  });

  it("opens a wholly free segment before it fills holes, and then the emptiest", async () => {
    const here = await space(32);
    for (let i = 0; i < 24; i += 8) here.claim(here.allocator.take(8));
    for (const pblock of [1, 9, 11, 12, 17]) here.release(pblock);
    here.settle();
    expect(here.allocator.take(100)).toEqual({ pblock: 24, count: 8 });
    here.claim({ pblock: 24, count: 8 });
    expect(here.allocator.take(100)).toEqual({ pblock: 9, count: 1 });
    here.claim({ pblock: 9, count: 1 });
    expect(here.allocator.take(100)).toEqual({ pblock: 11, count: 2 });
  });

  // One look at all segments for each block cost 3 ms in a full store of 1 TiB, and 43 in one of 16.
  it("does not look at all segments for each of the last free blocks", async () => {
    const segments = 400;
    const here = await space(segments * 8);
    for (let i = 0; i < segments; i++) here.claim(here.allocator.take(8));
    for (let i = 0; i < segments; i++) here.release(i * 8 + (i % 8));
    here.settle();
    const looks = vi.spyOn(here.allocator, "used");
    for (let i = 0; i < segments; i++) here.claim(checked(here, here.allocator.take(1)));
    expect(looks.mock.calls.length).toBeLessThan(10 * segments);
  });

  it("finds blocks that have come free behind its place in the open segment", async () => {
    const here = await space(8);
    here.claim(here.allocator.take(8));
    here.release(2);
    here.settle();
    expect(here.allocator.take(8)).toEqual({ pblock: 2, count: 1 });
  });

  it("takes a whole run although the next wholly free segment is too short for it", async () => {
    const here = await space(20);
    here.claim(here.allocator.take(8));
    here.claim(here.allocator.take(8));
    for (let pblock = 0; pblock < 8; pblock++) here.release(pblock);
    here.settle();
    expect(here.allocator.takeWhole(8)).toEqual({ pblock: 0, count: 8 });
  });

  it("has no whole run where every segment is used, nor one longer than a segment", async () => {
    const here = await space(16);
    expect(here.allocator.takeWhole(9)).toBeUndefined();
    here.claim({ pblock: 0, count: 1 });
    here.claim({ pblock: 8, count: 1 });
    expect(here.allocator.takeWhole(2)).toBeUndefined();
  });

  it("takes a whole run outside of the segment that is being emptied", async () => {
    const here = await space(16);
    here.claim(here.allocator.take(2));
    expect(here.allocator.takeWhole(2, 0)).toEqual({ pblock: 8, count: 2 });
  });

  // A preallocation on a fragmented host could outgrow a journal frame, and take the host with it.
  it("knows how many runs a number of blocks takes at worst", async () => {
    const scenario = fc.tuple(fc.array(moves, { maxLength: 120, size: "max" }), fc.nat(80));
    const property = fc.asyncProperty(scenario, async ([history, wanted]) => {
      const here = await space(96);
      for (const move of history) make(here, move);
      const count = Math.min(wanted, here.count("free"));
      const bound = here.allocator.runsAtMost(count);
      let taken = 0;
      for (let left = count; left > 0; taken++) {
        const run = here.allocator.take(left);
        here.claim(run);
        left -= run.count;
      }
      expect(taken).toBeLessThanOrEqual(bound);
    });
    await fc.assert(property, runs(300));
  });
});
