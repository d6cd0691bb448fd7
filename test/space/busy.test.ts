/**
 * Promise I4 step by step: a freed block waits until neither of two checkpoints can refer to it,
 * over a reopening too.
 */
import { describe, expect, it } from "vitest";
import { BusyBlocks } from "../../src/space/busy.ts";
import { geometryWith } from "../support/states.ts";

const geometry = geometryWith({ nodeEntries: 4, segmentBlocks: 8, capacityBlocks: 60 });

const none: ReadonlySet<number> = new Set();

/** The runs of all segments. */
function leaving(busy: BusyBlocks, pinned: ReadonlySet<number> = none): unknown {
  return [...busy.leaving(pinned).values()].flat();
}

/** One whole checkpoint; what left is free at its end. */
function checkpoint(busy: BusyBlocks, pinned: ReadonlySet<number> = none): unknown {
  busy.freeze();
  busy.thaw();
  const runs = leaving(busy, pinned);
  busy.release();
  return runs;
}

function expectBusy(busy: BusyBlocks, pblocks: readonly number[]): void {
  const found: number[] = [];
  for (let pblock = 0; pblock < geometry.capacityBlocks; pblock++) {
    if (busy.has(Math.floor(pblock / 8), pblock % 8)) found.push(pblock);
  }
  expect(found).toEqual(pblocks);
  expect(busy.count).toBe(pblocks.length);
  const perSegment = Array.from(
    { length: geometry.segments },
    (_, segment) => pblocks.filter((pblock) => Math.floor(pblock / 8) === segment).length,
  );
  expect([...busy.perSegment]).toEqual(perSegment);
}

describe("BusyBlocks", () => {
  it("let a block go with the second checkpoint after it was freed", () => {
    const busy = new BusyBlocks(geometry);
    busy.add(6, 4);
    expectBusy(busy, [6, 7, 8, 9]);
    expect(checkpoint(busy)).toEqual([]);
    expectBusy(busy, [6, 7, 8, 9]);
    busy.add(3, 1);
    expect(checkpoint(busy)).toEqual([
      { pblock: 6, count: 2 },
      { pblock: 8, count: 2 },
    ]);
    expectBusy(busy, [3]);
    expect(checkpoint(busy)).toEqual([{ pblock: 3, count: 1 }]);
    expectBusy(busy, []);
  });

  it("keep a block that is freed while a checkpoint runs for the two that follow", () => {
    const busy = new BusyBlocks(geometry);
    busy.freeze();
    busy.add(5, 1);
    busy.thaw();
    expect(leaving(busy)).toEqual([]);
    busy.release();
    checkpoint(busy);
    expectBusy(busy, [5]);
    checkpoint(busy);
    expectBusy(busy, []);
  });

  it("keep what leaves busy until it is released, so that holes can be punched", () => {
    const busy = new BusyBlocks(geometry);
    busy.add(5, 2);
    checkpoint(busy);
    busy.freeze();
    busy.thaw();
    expect(leaving(busy)).toEqual([{ pblock: 5, count: 2 }]);
    expectBusy(busy, [5, 6]);
    expect(() => busy.thaw()).toThrow(expect.objectContaining({ code: "EINVAL" }));
    busy.release();
    expectBusy(busy, []);
  });

  it("keep what must stay for two checkpoints more", () => {
    const busy = new BusyBlocks(geometry);
    busy.add(4, 8);
    checkpoint(busy);
    expect(checkpoint(busy, new Set([6, 8]))).toEqual([
      { pblock: 4, count: 2 },
      { pblock: 7, count: 1 },
      { pblock: 9, count: 3 },
    ]);
    expectBusy(busy, [6, 8]);
    checkpoint(busy);
    expectBusy(busy, [6, 8]);
    checkpoint(busy);
    expectBusy(busy, []);
  });

  it("wait one checkpoint more after a reopening, if the newest checkpoint stored them", () => {
    const live = new BusyBlocks(geometry);
    live.add(12, 3);
    checkpoint(live);
    live.add(1, 1);
    live.freeze();
    const stored = new Map(Array.from(live.frozen(), ([segment, bits]) => [segment, bits.slice()]));
    const reopened = new BusyBlocks(geometry);
    for (const [segment, bits] of stored) reopened.load(segment, bits);
    expectBusy(reopened, [1]);
    expect(reopened.formerSegments()).toEqual([0]);
    expect(checkpoint(reopened)).toEqual([{ pblock: 1, count: 1 }]);
    expectBusy(reopened, []);
  });

  it("are told by a replay that a block was allocated again, in whichever generation it is", () => {
    const busy = new BusyBlocks(geometry);
    busy.load(0, Uint8Array.of(0b11));
    busy.add(2, 2);
    busy.allocated(0, 0, 1);
    busy.allocated(0, 2, 1);
    busy.allocated(0, 4, 4);
    expectBusy(busy, [1, 3]);
    busy.add(0, 1);
    expectBusy(busy, [0, 1, 3]);
    expect(checkpoint(busy)).toEqual([{ pblock: 1, count: 1 }]);
    expectBusy(busy, [0, 3]);
  });
});
