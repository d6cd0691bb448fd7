/** The cache of clean values: bounded, and what is used survives. */
import { describe, expect, it } from "vitest";
import { Cache } from "../../src/checkpoint/cache.ts";

function held(cache: Cache<string>, ids: number): number[] {
  return Array.from({ length: ids }, (_, id) => id).filter((id) => cache.get(id) !== undefined);
}

describe("Cache", () => {
  it("never holds more than its limit", () => {
    for (const limit of [0, 1, 2, 7, 10]) {
      const cache = new Cache<string>(limit);
      for (let id = 0; id < 100; id++) cache.set(id, "value");
      const most = Math.max(2, limit) + 1;
      expect(held(cache, 100).length).toBeLessThanOrEqual(most);
      expect(cache.get(99)).toBe("value");
    }
  });

  it("keeps what is used while others come and go", () => {
    const cache = new Cache<string>(10);
    cache.set(0, "used");
    for (let id = 1; id < 1000; id++) {
      cache.set(id, "once");
      expect(cache.get(0)).toBe("used");
    }
  });

  it("holds the last value that was set, and nothing that was deleted", () => {
    const cache = new Cache<string>(4);
    for (let id = 0; id < 4; id++) cache.set(id, "first");
    cache.set(0, "second");
    expect(cache.get(0)).toBe("second");
    for (const id of [0, 1, 2, 3]) cache.delete(id);
    expect(held(cache, 4)).toEqual([]);
  });
});
