/**
 * The promises of a checkpoint environment, asked of both that keep them: LMDB on disk and its twin
 * in memory.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { Change, Environment, OpenEnvironment } from "../../src/checkpoint/environment.ts";
import { lmdbEnvironments } from "../../src/checkpoint/lmdb-environment.ts";
import { MemoryEnvironments } from "../../src/checkpoint/memory-environment.ts";
import { decodeClosing } from "../../src/format/closing-record.ts";
import { naiveClosing, put, remove, storeId } from "./naive-closing.ts";

/** What must be undone after a test. */
const undo: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step();
});

async function onDisk(): Promise<OpenEnvironment> {
  const store = await mkdtemp(join(tmpdir(), "blockspace-test-"));
  undo.push(() => rm(store, { recursive: true }));
  return lmdbEnvironments(join(store, "checkpoint"), { storeId });
}

async function inMemory(): Promise<OpenEnvironment> {
  return new MemoryEnvironments().openFor(storeId);
}

const twins = [
  { twin: "on disk", fresh: onDisk, runs: 15 },
  { twin: "in memory", fresh: inMemory, runs: 150 },
];

async function opened(open: OpenEnvironment, name: "a" | "b" = "a"): Promise<Environment> {
  const environment = await open(name);
  undo.push(() => environment.close());
  return environment;
}

function at(epoch: number, reset = false): { epoch: number; lsn: number; reset: boolean } {
  return { epoch, lsn: epoch * 10, reset };
}

/** All of one kind, as plain data. */
function listed(environment: Environment, kind: number): [number, number[]][] {
  return Array.from(environment.scan(kind), ({ id, value }) => [id, [...value]]);
}

/** The values of these kinds by `kind id`. */
function contentsOf(environment: Environment, kinds: number[]): Map<string, number[]> {
  return new Map(
    kinds.flatMap((kind) =>
      listed(environment, kind).map(([id, value]) => [`${kind} ${id}`, value] as const),
    ),
  );
}

describe.each(twins)("an environment $twin", ({ fresh, runs }) => {
  it("is empty before the first commit", async () => {
    const environment = await opened(await fresh());
    expect(environment.name).toBe("a");
    expect(environment.closing()).toBeUndefined();
    expect(environment.get(3, 1)).toBeUndefined();
    expect(listed(environment, 3)).toEqual([]);
  });

  it("holds what was committed, and says so", async () => {
    const environment = await opened(await fresh());
    const change = put(3, 7, 100, 9);
    const closing = await environment.commit([change, put(4, 7, 0)], at(1));
    expect(closing).toEqual({ epoch: 1, lsn: 10, ...naiveClosing(environment, [3, 4]) });
    expect(closing.count).toBe(2);
    expect(environment.closing()).toEqual(closing);
    expect(new Uint8Array(environment.get(3, 7)!)).toEqual(change.value);
    expect(environment.get(3, 8)).toBeUndefined();
  });

  it("lists one kind in the order of ids", async () => {
    const environment = await opened(await fresh());
    const ids = [2 ** 48 - 1, 256, 0, 255, 2 ** 32, 1, 2 ** 32 - 1, 65536];
    const changes = ids.flatMap((id) => [put(3, id, 5), put(2, id, 1), put(255, id, 1)]);
    await environment.commit(changes, at(1));
    const sorted = ids.toSorted((a, b) => a - b);
    for (const kind of [2, 3, 255]) {
      expect(listed(environment, kind).map(([id]) => id)).toEqual(sorted);
    }
    expect(listed(environment, 4)).toEqual([]);
  });

  it("replaces, removes and forgets on reset, and counts", async () => {
    const environment = await opened(await fresh());
    await environment.commit([put(1, 1, 10), put(1, 2, 10), put(2, 1, 5000)], at(1));
    const second = await environment.commit(
      [put(1, 1, 20, 7), remove(1, 2), remove(1, 99), put(3, 3, 1)],
      at(2),
    );
    expect(second).toEqual({ epoch: 2, lsn: 20, ...naiveClosing(environment, [1, 2, 3]) });
    expect(second.count).toBe(3);
    const third = await environment.commit([put(1, 2, 3)], at(3, true));
    expect(third).toEqual({ epoch: 3, lsn: 30, ...naiveClosing(environment, [1, 2, 3]) });
    expect(third.count).toBe(1);
    expect(environment.get(1, 1)).toBeUndefined();
    expect(await environment.commit([], at(4))).toEqual({ ...third, epoch: 4, lsn: 40 });
    expect(await environment.commit([], at(5, true))).toMatchObject({ count: 0, digest: 0 });
  });

  it("lets the last change of a key hold within one commit", async () => {
    const environment = await opened(await fresh());
    await environment.commit([put(1, 1, 4), put(1, 2, 4)], at(1));
    const twice = [
      put(1, 1, 8),
      remove(1, 2),
      put(1, 1, 9, 3),
      put(1, 2, 1),
      put(1, 5, 1),
      remove(1, 5),
    ];
    const closing = await environment.commit(twice, at(2));
    expect(closing).toMatchObject(naiveClosing(environment, [1]));
    expect(environment.get(1, 1)!.length).toBe(9 + 4);
    expect(listed(environment, 1).length).toBe(2);
  });

  it("keeps values of any size", async () => {
    const open = await fresh();
    const environment = await open("a");
    const sizes = [0, 1, 4072, 16380, 16384, 40_000, 1_500_000];
    await environment.commit(
      sizes.map((size, id) => put(3, id, size, id + 1)),
      at(1),
    );
    await environment.close();
    const again = await opened(open);
    expect(Array.from(again.scan(3), ({ value }) => value.length - 4)).toEqual(sizes);
    sizes.forEach((size, id) => expect(again.get(3, id)).toHaveLength(size + 4));
    expect(again.closing()).toMatchObject(naiveClosing(again, [3]));
  });

  it("is two environments that know nothing of each other", async () => {
    const open = await fresh();
    const a = await opened(open, "a");
    const b = await opened(open, "b");
    await Promise.all([a.commit([put(1, 1, 1)], at(1)), b.commit([put(1, 2, 1)], at(2))]);
    expect(listed(a, 1).map(([id]) => id)).toEqual([1]);
    expect(listed(b, 1).map(([id]) => id)).toEqual([2]);
    expect([a.closing()?.epoch, b.closing()?.epoch]).toEqual([1, 2]);
  });

  it("scans the state in which the scan began", async () => {
    const environment = await opened(await fresh());
    await environment.commit([put(1, 1, 1), put(1, 2, 1), put(1, 3, 1)], at(1));
    const scan = environment.scan(1)[Symbol.iterator]();
    expect(scan.next().value?.id).toBe(1);
    await environment.commit([remove(1, 2), put(1, 9, 1), put(1, 3, 50)], at(2));
    const rest = Array.from({ [Symbol.iterator]: () => scan }, ({ id, value }) => [
      id,
      value.length,
    ]);
    expect(rest).toEqual([
      [2, 5],
      [3, 5],
    ]);
    expect(listed(environment, 1).map(([id]) => id)).toEqual([1, 3, 9]);
  });

  it("keeps the closing record under kind 0, which is not for callers", async () => {
    const environment = await opened(await fresh());
    const closing = await environment.commit([], at(1));
    expect(decodeClosing(environment.get(0, 0)!)).toEqual({ ...closing, storeId });
    await expect(environment.commit([put(0, 0, 40)], at(2))).rejects.toThrow(/^EINVAL/);
    expect(environment.closing()).toEqual(closing);
  });

  it.each<[string, Change]>([
    ["a kind beyond a byte", { kind: 256, id: 0, value: null }],
    ["an id beyond 48 bits", { kind: 1, id: 2 ** 48, value: null }],
    ["an id that is no number", { kind: 1, id: Number.NaN, value: null }],
    ["a value without room for its seal", { kind: 1, id: 1, value: new Uint8Array(3) }],
  ])("refuses %s and changes nothing", async (_what, change) => {
    const environment = await opened(await fresh());
    await environment.commit([put(1, 1, 1)], at(1));
    await expect(environment.commit([remove(1, 1), change], at(2))).rejects.toThrow(
      /^(EINVAL|ECORRUPT)/,
    );
    expect(environment.closing()?.epoch).toBe(1);
    expect(environment.get(1, 1)).toBeDefined();
  });

  it("changes nothing when the source of changes fails, and takes no commit after", async () => {
    const open = await fresh();
    const environment = await open("a");
    const closing = await environment.commit([put(1, 1, 1)], at(1));
    const trouble = new Error("trouble above");
    const changes = (function* (): Generator<Change> {
      for (let id = 0; id < 1500; id++) yield put(1, id, 1000, 2);
      throw trouble;
    })();
    await expect(environment.commit(changes, at(2))).rejects.toBe(trouble);
    await expect(environment.commit([], at(2))).rejects.toMatchObject({
      code: "EIO",
      cause: trouble,
    });
    await environment.close();
    const again = await opened(open);
    expect(again.closing()).toEqual(closing);
    expect(naiveClosing(again, [1])).toMatchObject({ count: 1 });
    expect((await again.commit([put(1, 2, 1)], at(2))).count).toBe(2);
  });

  it("I2: commits nothing before its last changes are known", async () => {
    const environment = await opened(await fresh());
    const before = await environment.commit([put(1, 1, 1)], at(1));
    let know: (changes: Change[]) => void = () => undefined;
    const known = new Promise<Change[]>((resolve) => {
      know = resolve;
    });
    let isAsked: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      isAsked = resolve;
    });
    const commit = environment.commit([put(1, 2, 1)], {
      ...at(2),
      async last() {
        isAsked();
        return known;
      },
    });
    await asked;
    await nextTurn();
    expect(environment.closing()).toEqual(before);
    expect(environment.get(1, 2)).toBeUndefined();
    know([put(1, 3, 1), remove(1, 1)]);
    expect((await commit).count).toBe(2);
    expect(contentsOf(environment, [1])).toHaveLength(2);
    expect(await commit).toMatchObject(naiveClosing(environment, [1]));
  });

  it("I2: commits nothing when its last changes are never known", async () => {
    const open = await fresh();
    const environment = await open("a");
    const before = await environment.commit([put(1, 1, 1)], at(1));
    const trouble = new Error("trouble below");
    const last = async (): Promise<never> => {
      throw trouble;
    };
    await expect(environment.commit([put(1, 2, 1)], { ...at(2), last })).rejects.toBe(trouble);
    await environment.close();
    const again = await opened(open);
    expect(again.closing()).toEqual(before);
    expect(again.get(1, 2)).toBeUndefined();
  });

  it("goes on when the other one has been closed and made anew", async () => {
    const open = await fresh();
    const [a, b] = [await opened(open), await open("b")];
    await a.commit([put(1, 1, 1)], at(1));
    await b.commit([put(1, 1, 1)], at(2));
    await b.close();
    const anew = await open("b", true);
    undo.push(() => anew.close());
    expect((await a.commit([put(1, 2, 1)], at(3))).count).toBe(2);
    expect((await anew.commit([put(1, 9, 1)], at(4))).count).toBe(1);
    expect((await a.commit([put(1, 3, 1)], at(5))).count).toBe(3);
  });

  it("refuses a second commit while one runs", async () => {
    const environment = await opened(await fresh());
    const first = environment.commit([put(1, 1, 1)], at(1));
    await expect(environment.commit([put(1, 2, 1)], at(2))).rejects.toThrow(/^EINVAL.*running/);
    expect((await first).count).toBe(1);
    expect((await environment.commit([put(1, 2, 1)], at(2))).count).toBe(2);
  });

  it("finishes a running commit before it closes", async () => {
    const open = await fresh();
    const environment = await open("a");
    const changes = Array.from({ length: 3000 }, (_, id) => put(1, id, 500));
    const commit = environment.commit(changes, at(1));
    await environment.close();
    expect((await commit).count).toBe(3000);
    expect((await opened(open)).closing()).toEqual(await commit);
  });

  it("is of no use once closed, and closes twice", async () => {
    const environment = await (await fresh())("a");
    await environment.commit([put(1, 1, 1), put(1, 2, 1)], at(1));
    const scan = environment.scan(1)[Symbol.iterator]();
    scan.next();
    await environment.close();
    await environment.close();
    expect(() => environment.get(1, 1)).toThrow(/^ECLOSED/);
    expect(() => environment.closing()).toThrow(/^ECLOSED/);
    expect(() => listed(environment, 1)).toThrow(/^ECLOSED/);
    expect(() => scan.next()).toThrow(/^ECLOSED/);
    await expect(environment.commit([], at(2))).rejects.toThrow(/^ECLOSED/);
  });

  it("is at every commit what a plain map would be", async () => {
    const change = fc.record({
      kind: fc.integer({ min: 1, max: 3 }),
      id: fc.oneof(fc.nat({ max: 20 }), fc.constantFrom(2 ** 32, 2 ** 32 + 1, 2 ** 48 - 1)),
      length: fc.option(fc.oneof(fc.nat({ max: 50 }), fc.integer({ min: 4000, max: 9000 }))),
    });
    const commit = fc.record({
      changes: fc.array(change, { maxLength: 40 }),
      reset: fc.integer({ min: 0, max: 3 }).map((n) => n === 3),
      reopen: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(commit, { maxLength: 6 }), async (commits) => {
        const open = await fresh();
        const model = new Map<string, number[]>();
        let environment = await open("a");
        for (const [i, { changes, reset, reopen }] of commits.entries()) {
          if (reset) model.clear();
          const made = changes.map(({ kind, id, length }) =>
            length === null ? remove(kind, id) : put(kind, id, length, i),
          );
          for (const { kind, id, value } of made) {
            if (value) model.set(`${kind} ${id}`, [...value]);
            else model.delete(`${kind} ${id}`);
          }
          const closing = await environment.commit(made, at(i + 1, reset));
          if (reopen) {
            await environment.close();
            environment = await open("a");
          }
          expect(contentsOf(environment, [1, 2, 3])).toEqual(model);
          expect(closing).toEqual({
            epoch: i + 1,
            lsn: 10 * (i + 1),
            ...naiveClosing(environment, [1, 2, 3]),
          });
          expect(environment.closing()).toEqual(closing);
        }
        await environment.close();
      }),
      { numRuns: runs },
    );
  });
});
