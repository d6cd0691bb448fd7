/**
 * A table in its layers against two naive maps: what it says now, and what it said when it was
 * frozen. Work goes on between freeze and thaw, also while values are taken one by one, and the
 * cache is too small for anything.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Change, Environment } from "../../src/checkpoint/environment.ts";
import { MemoryEnvironments } from "../../src/checkpoint/memory-environment.ts";
import { type Codec, type Source, Table } from "../../src/checkpoint/table.ts";
import { kinds } from "../../src/format/checkpoint-values.ts";
import { seal } from "../../src/format/sealed-value.ts";
import { runs } from "../support/property-runs.ts";

interface Box {
  number: number;
}

const codec: Codec<Box> = {
  encode: ({ number }) => Uint8Array.of(number & 0xff, number >> 8),
  decode: (body) => ({ number: body[0]! | (body[1]! << 8) }),
  copy: ({ number }) => ({ number }),
};
const KIND = kinds.node;

type Move =
  | { verb: "get" | "edit" | "put" | "delete"; id: number; number: number }
  | { verb: "freeze" }
  | { verb: "take"; number: number }
  | { verb: "thaw" };

const anyMove: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      verb: fc.constantFrom("get", "edit", "put", "delete"),
      id: fc.nat(8),
      number: fc.nat(60_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ verb: fc.constantFrom("freeze", "thaw") }) },
  { weight: 2, arbitrary: fc.record({ verb: fc.constant("take"), number: fc.nat(4) }) },
);

/** A table beside what it should say, what it was when it was frozen, and what is stored. */
interface Tested {
  table: Table<Box>;
  environment: Environment;
  model: Map<number, number>;
  frozen: Map<number, number> | undefined;
  /** What is still to be taken of what was frozen, and what has been. */
  changes: Iterator<Change>;
  taken: Change[];
  stored: Map<number, number>;
  epoch: number;
}

async function tableWith(cached: number): Promise<Tested> {
  const environment = await environmentOf();
  const table = new Table(KIND, codec, { environment }, cached);
  const model = new Map<number, number>();
  const nothing = { frozen: undefined, changes: table.changes(), taken: [], stored: new Map() };
  return { table, environment, model, ...nothing, epoch: 0 };
}

/** Makes a move; returns what the table said of a value and what it should have said. */
async function make(tested: Tested, move: Move): Promise<[unknown, unknown]> {
  const { table, model } = tested;
  if (move.verb === "freeze") {
    if (tested.frozen) return [0, 0];
    table.freeze();
    tested.frozen = new Map(model);
    tested.changes = table.changes();
    tested.taken = [];
    return [table.dirtyCount, 0];
  }
  if (move.verb === "thaw") {
    await thaw(tested);
    return [0, 0];
  }
  if (move.verb === "take") {
    take(tested, move.number);
    return [0, 0];
  }
  const { verb, id, number } = move;
  const expected = model.get(id);
  if (verb === "get") return [table.get(id)?.number, expected];
  if (verb === "delete") {
    table.delete(id);
    model.delete(id);
    return [table.get(id), undefined];
  }
  if (verb === "put") table.put(id, { number });
  const box = table.edit(id);
  const found = box?.number;
  if (box) {
    box.number = number;
    model.set(id, number);
  }
  return [found, verb === "put" ? number : expected];
}

/** Takes up to so many of the changes. */
function take({ changes, taken }: Tested, most: number): void {
  for (let i = 0; i < most; i++) {
    const step = changes.next();
    if (step.done) return;
    taken.push(step.value);
  }
}

async function thaw(tested: Tested): Promise<void> {
  if (!tested.frozen) return;
  tested.epoch++;
  const state = { epoch: tested.epoch, lsn: 0, reset: false };
  take(tested, Infinity);
  await tested.environment.commit(tested.taken, state);
  tested.table.thaw();
  tested.stored = tested.frozen;
  tested.frozen = undefined;
}

function expectRight({ table, environment, model, stored }: Tested): void {
  for (let id = 0; id <= 8; id++) expect(table.get(id)?.number).toBe(model.get(id));
  const found = Array.from(environment.scan(KIND), ({ id, value }) => [
    id,
    codec.decode(value).number,
  ]);
  expect(found).toEqual([...stored].toSorted(([a], [b]) => a - b));
}

async function environmentOf(): Promise<Environment> {
  return new MemoryEnvironments().open("a");
}

describe("Table", () => {
  it("says what was put last, and writes what it was when it was frozen", async () => {
    const work = fc.array(anyMove, { maxLength: 120, size: "max" });
    await fc.assert(
      fc.asyncProperty(work, fc.constantFrom(0, 3, 100), async (list, cached) => {
        const tested = await tableWith(cached);
        const moves: Move[] = [...list, { verb: "thaw" }, { verb: "freeze" }, { verb: "thaw" }];
        for (const move of moves) {
          const [found, expected] = await make(tested, move);
          expect(found).toBe(expected);
        }
        expectRight(tested);
      }),
      runs(200),
    );
  });

  it("reads from the environment that its source names at the moment", async () => {
    const [first, second] = [await environmentOf(), await environmentOf()];
    const at = { epoch: 1, lsn: 0, reset: false };
    const stored = (number: number) => ({
      kind: KIND,
      id: 1,
      value: seal(KIND, 1, codec.encode({ number })),
    });
    await first.commit([stored(1)], at);
    await second.commit([stored(2)], at);
    const source: Source = { environment: first };
    expect(new Table(KIND, codec, source, 2).get(1)).toEqual({ number: 1 });
    source.environment = second;
    expect(new Table(KIND, codec, source, 2).get(1)).toEqual({ number: 2 });
  });

  it("asks the environment once for a value that is not there", async () => {
    const environment = await environmentOf();
    let asked = 0;
    const get = environment.get.bind(environment);
    environment.get = (kind, id) => {
      asked++;
      return get(kind, id);
    };
    const table = new Table(KIND, codec, { environment }, 10);
    expect([table.get(5), table.get(5), table.edit(5)]).toEqual([undefined, undefined, undefined]);
    expect(asked).toBe(1);
  });

  it("refuses a value that does not match its seal, and one of another key", async () => {
    const environment = await environmentOf();
    const value = seal(KIND, 1, codec.encode({ number: 1 }));
    const rotten = value.slice();
    rotten[0]! ^= 1;
    const changes = [
      { kind: KIND, id: 1, value: rotten },
      { kind: KIND, id: 2, value },
    ];
    await environment.commit(changes, { epoch: 1, lsn: 0, reset: false });
    const table = new Table(KIND, codec, { environment }, 10);
    const damage = expect.objectContaining({ code: "ECORRUPT" });
    expect(() => table.get(1)).toThrow(damage);
    expect(() => table.edit(2)).toThrow(damage);
  });

  it("refuses a second freeze before the thaw", async () => {
    const table = new Table(KIND, codec, { environment: await environmentOf() }, 10);
    table.put(1, { number: 1 });
    table.freeze();
    table.put(2, { number: 1 });
    expect(() => table.freeze()).toThrow(expect.objectContaining({ code: "EINVAL" }));
  });
});
