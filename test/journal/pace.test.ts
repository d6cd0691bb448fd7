/** A medium is believed to be quick after it has shown it for a while, and not after one slow write. */
import { describe, expect, it } from "vitest";
import { Pace } from "../../src/journal/pace.ts";

/** Writes of so many milliseconds until the answer changes; at most 1,000. */
function until(pace: Pace, ms: number, quick: boolean): number {
  for (let count = 0; count < 1000; count++) {
    if (pace.isQuick === quick) return count;
    pace.note(ms);
  }
  return Infinity;
}

describe("pace", () => {
  it("has to be shown", () => {
    const pace = new Pace();
    expect(pace.isQuick).toBe(false);
    expect(until(pace, 0.1, true)).toBe(11);
  });

  it("is lost by one write that takes long, and comes back in time", () => {
    const pace = new Pace();
    until(pace, 0.1, true);
    expect(until(pace, 10, false)).toBe(1);
    const back = until(pace, 0.1, true);
    expect(back).toBeGreaterThan(2);
    expect(back).toBeLessThan(50);
  });

  it("is that of a disk which takes 0.9 ms, and never of one which takes a millisecond", () => {
    expect(until(new Pace(), 0.9, true)).toBeLessThan(50);
    expect(until(new Pace(), 1, true)).toBe(Infinity);
  });
});
