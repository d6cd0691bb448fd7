/** Many who wait for one signal. */
import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { onAbort } from "../../src/base/abort.ts";

describe("onAbort", () => {
  // Each had a listener of its own, and Node.js warned of a leak from the eleventh on.
  it("listens once for all who wait, and not at all when nobody does", () => {
    const controller = new AbortController();
    const { signal } = controller;
    const called: number[] = [];
    const ends = Array.from({ length: 100 }, (_, i) => onAbort(signal, () => void called.push(i)));
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    for (const end of ends) end();
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
    onAbort(signal, () => void called.push(100));
    const endLast = onAbort(signal, () => void called.push(101));
    ends[0]!();
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    controller.abort();
    endLast();
    expect(called).toEqual([100, 101]);
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });
});
