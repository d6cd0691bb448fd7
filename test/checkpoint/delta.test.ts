/**
 * What a checkpoint writes, against the plainest picture of it: after each commit the environment
 * holds exactly the values as of the freeze, and its list of changed keys says what differs from
 * the checkpoint before. Environments that are not one behind are emptied and filled anew.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { commitDelta, deltaFor, type FrozenState, packKey } from "../../src/checkpoint/delta.ts";
import type { Change, Environment } from "../../src/checkpoint/environment.ts";
import { MemoryEnvironments } from "../../src/checkpoint/memory-environment.ts";
import { decodeNumberPage, kinds, PAGE_ENTRIES } from "../../src/format/checkpoint-values.ts";
import { open, seal } from "../../src/format/sealed-value.ts";
import { runs } from "../support/property-runs.ts";

const stateKinds = [
  kinds.subvolume,
  kinds.node,
  kinds.nodeReferences,
  kinds.segment,
  kinds.segmentLive,
  kinds.busy,
  kinds.deadNodes,
];

/** Values by packed key; a value is one byte. */
type Values = Map<number, number>;

function unpack(packed: number): { kind: number; id: number } {
  return { kind: Math.floor(packed / 2 ** 48), id: packed % 2 ** 48 };
}

function frozenOf(changes: ReadonlyMap<number, number | null>): FrozenState {
  return {
    lsn: 0,
    *changes(): Generator<Change> {
      for (const [packed, byte] of changes) {
        const { kind, id } = unpack(packed);
        yield { kind, id, value: byte === null ? null : seal(kind, id, Uint8Array.of(byte)) };
      }
    },
    stateValue: (changedKeys, journalChecksum) => ({
      kind: kinds.state,
      id: 0,
      value: seal(kinds.state, 0, new TextEncoder().encode(`${changedKeys} ${journalChecksum}`)),
    }),
  };
}

/** What an environment holds, kind by kind. */
function valuesIn(environment: Environment): Values {
  const values: Values = new Map();
  for (const kind of stateKinds) {
    for (const { id, value } of environment.scan(kind)) {
      values.set(packKey(kind, id), open(kind, id, value)[0]!);
    }
  }
  return values;
}

function changedKeysIn(environment: Environment): number[] {
  const pages = Array.from(environment.scan(kinds.changedKeys), ({ id, value }) =>
    decodeNumberPage(open(kinds.changedKeys, id, value)),
  );
  expect(pages.slice(0, -1).every((page) => page.length === PAGE_ENTRIES)).toBe(true);
  return pages.flat();
}

function sorted<T>(entries: Iterable<[number, T]>): [number, T][] {
  return [...entries].toSorted(([a], [b]) => a - b);
}

/** Makes checkpoints in turn into two environments. */
class Checkpoints {
  readonly values: Values = new Map();
  #newest: Environment;
  #other: Environment;
  #lastChangedKeys: number[] = [];
  #epoch = 0;

  constructor(newest: Environment, other: Environment) {
    this.#newest = newest;
    this.#other = other;
  }

  async make(changes: ReadonlyMap<number, number | null>, reset: boolean): Promise<Environment> {
    const target = this.#other;
    const newest = this.#newest;
    const isOneBehind = (target.closing()?.epoch ?? 0) === this.#epoch - 1;
    const source = {
      target,
      newest,
      lastChangedKeys: this.#lastChangedKeys,
      frozen: frozenOf(changes),
      reset: reset || !isOneBehind,
    };
    this.#epoch++;
    await commitDelta(source, this.#epoch, Promise.resolve(77));
    for (const [packed, byte] of changes) {
      if (byte === null) this.values.delete(packed);
      else this.values.set(packed, byte);
    }
    this.#newest = target;
    this.#other = newest;
    this.#lastChangedKeys = changedKeysIn(target);
    return target;
  }
}

async function checkpoints(): Promise<Checkpoints> {
  const { open: openEnvironment } = new MemoryEnvironments();
  return new Checkpoints(await openEnvironment("a"), await openEnvironment("b"));
}

const keys = fc
  .tuple(fc.constantFrom(...stateKinds), fc.nat(12))
  .map(([kind, id]) => packKey(kind, id));
const changeSets = fc
  .array(fc.tuple(keys, fc.option(fc.nat(255))), { maxLength: 12 })
  .map((entries) => new Map(entries));

describe("deltaFor", () => {
  it("brings either environment to the frozen state", async () => {
    const history = fc.array(fc.record({ changes: changeSets, reset: fc.boolean() }), {
      maxLength: 12,
    });
    await fc.assert(
      fc.asyncProperty(history, async (list) => {
        const made = await checkpoints();
        for (const { changes, reset } of list) {
          const target = await made.make(changes, reset);
          expect(sorted(valuesIn(target))).toEqual(sorted(made.values));
          expect(changedKeysIn(target)).toEqual([...changes.keys()]);
          const state = open(kinds.state, 0, target.get(kinds.state, 0)!);
          expect(new TextDecoder().decode(state)).toBe(`${changes.size} 77`);
        }
      }),
      runs(200),
    );
  });

  it("lists changed keys on as many pages as it takes, and takes stale pages away", async () => {
    const made = await checkpoints();
    for (const count of [1, 1300, 501, 500, 0, 3, 0, 0]) {
      const changes = new Map(
        Array.from({ length: count }, (_, id) => [packKey(kinds.node, id), 1] as const),
      );
      const target = await made.make(changes, false);
      expect(changedKeysIn(target)).toHaveLength(count);
      expect([...target.scan(kinds.changedKeys)]).toHaveLength(Math.ceil(count / PAGE_ENTRIES));
      expect(sorted(valuesIn(target))).toEqual(sorted(made.values));
    }
  });

  it("writes only what the target lacks", async () => {
    const { open: openEnvironment } = new MemoryEnvironments();
    const [target, newest] = [await openEnvironment("a"), await openEnvironment("b")];
    const lastChangedKeys = [packKey(kinds.node, 1), packKey(kinds.node, 2)];
    const frozen = frozenOf(new Map([[packKey(kinds.node, 2), 9]]));
    const source = { target, newest, lastChangedKeys, frozen, reset: false };
    const written = Array.from(deltaFor(source, new Set()), ({ kind, id }) => [kind, id]);
    expect(written).toEqual([
      [kinds.node, 2],
      [kinds.node, 1],
      [kinds.changedKeys, 0],
    ]);
  });

  it("copies no value that does not match its seal", async () => {
    const { open: openEnvironment } = new MemoryEnvironments();
    const [target, newest] = [await openEnvironment("a"), await openEnvironment("b")];
    const rotten = { kind: kinds.node, id: 7, value: Buffer.from("rotten") };
    await newest.commit([rotten], { epoch: 1, lsn: 1, reset: false });
    const source = { target, newest, frozen: frozenOf(new Map()) };
    for (const reset of [false, true]) {
      const lastChangedKeys = reset ? [] : [packKey(kinds.node, 7)];
      const delta = deltaFor({ ...source, lastChangedKeys, reset }, new Set());
      expect(() => [...delta]).toThrow("ECORRUPT: value 7 of kind 3 does not match its checksum");
    }
  });
});
