/**
 * What only the environments in memory can do: stop at a commit's boundary, and be copied as a
 * crash would leave them.
 */
import { describe, expect, it } from "vitest";
import { MemoryEnvironments } from "../../src/checkpoint/memory-environment.ts";
import { naiveClosing, put, remove } from "./naive-closing.ts";

function at(epoch: number): { epoch: number; lsn: number; reset: boolean } {
  return { epoch, lsn: epoch, reset: false };
}

describe("environments in memory", () => {
  it("tell the hook of both boundaries of each commit", async () => {
    const calls: string[] = [];
    const { open } = new MemoryEnvironments({
      onCommit: (name, phase) => calls.push(`${phase} ${name}`),
    });
    await (await open("a")).commit([put(1, 1, 1)], at(1));
    await (await open("b")).commit([put(1, 1, 1)], at(1));
    expect(calls).toEqual(["before a", "after a", "before b", "after b"]);
  });

  it.each([
    { phase: "before", epoch: 1, ids: [1, 2] },
    { phase: "after", epoch: 2, ids: [2, 3] },
  ])("fail $phase a commit, and hold epoch $epoch then", async ({ phase, epoch, ids }) => {
    const failure = new Error("power lost");
    let armed = false;
    const store = new MemoryEnvironments({
      onCommit: (_name, now) => {
        if (armed && now === phase) throw failure;
      },
    });
    const environment = await store.open("a");
    await environment.commit([put(1, 1, 1), put(1, 2, 1)], at(1));
    armed = true;
    const commit = environment.commit([remove(1, 1), put(1, 3, 1)], at(2));
    await expect(commit).rejects.toMatchObject({ code: "EIO", cause: failure });
    armed = false;
    await expect(environment.commit([], at(3))).rejects.toMatchObject({ code: "EIO" });
    const reopened = await store.copy().open("a");
    expect(reopened.closing()).toMatchObject({ epoch, ...naiveClosing(reopened, [1]) });
    expect(Array.from(reopened.scan(1), ({ id }) => id)).toEqual(ids);
  });

  it("share nothing that changes with a copy", async () => {
    const store = new MemoryEnvironments();
    const environment = await store.open("b");
    await environment.commit([put(1, 1, 1)], at(1));
    const copy = await store.copy().open("b");
    await environment.commit([put(1, 2, 1), remove(1, 1)], at(2));
    await copy.commit([put(1, 7, 1), put(2, 1, 1)], at(5));
    expect(Array.from(environment.scan(1), ({ id }) => id)).toEqual([2]);
    expect(environment.get(2, 1)).toBeUndefined();
    expect(Array.from(copy.scan(1), ({ id }) => id)).toEqual([1, 7]);
    expect([environment.closing()?.epoch, copy.closing()?.epoch]).toEqual([2, 5]);
  });
});
