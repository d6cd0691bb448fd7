/** A few transfers at once, their sum, and their failures. */
import { describe, expect, it } from "vitest";
import { InFlight } from "../../src/cli/in-flight.ts";

function deferred(): { promise: Promise<number>; resolve: (bytes: number) => void } {
  let resolve!: (bytes: number) => void;
  const promise = new Promise<number>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe("InFlight", () => {
  it("adds up what its transfers tell, whatever their order", async () => {
    const transfers = new InFlight();
    const [one, two] = [deferred(), deferred()];
    await transfers.add(() => one.promise);
    await transfers.add(() => two.promise);
    two.resolve(20);
    one.resolve(1);
    expect(await transfers.done()).toBe(21);
  });

  it("has four under way at most", async () => {
    const transfers = new InFlight();
    const all = Array.from({ length: 6 }, deferred);
    const started: number[] = [];
    const adding = (async () => {
      for (const [i, { promise }] of all.entries()) {
        await transfers.add(() => {
          started.push(i);
          return promise;
        });
      }
    })();
    await new Promise(setImmediate);
    expect(started).toEqual([0, 1, 2, 3]);
    all[2]!.resolve(1);
    await new Promise(setImmediate);
    expect(started).toEqual([0, 1, 2, 3, 4]);
    for (const { resolve } of all) resolve(1);
    await adding;
    expect(await transfers.done()).toBe(6);
  });

  it("tells the first failure to whoever adds or ends, and waits for the others", async () => {
    const transfers = new InFlight();
    const slow = deferred();
    await transfers.add(() => slow.promise);
    await transfers.add(() => Promise.reject(new Error("first")));
    await new Promise(setImmediate);
    await expect(transfers.add(() => Promise.resolve(1))).rejects.toThrow("first");
    let settled = false;
    const settling = transfers.settled().then(() => {
      settled = true;
    });
    await new Promise(setImmediate);
    expect(settled).toBe(false);
    slow.resolve(1);
    await settling;
    await expect(transfers.done()).rejects.toThrow("first");
  });
});
