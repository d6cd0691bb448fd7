/**
 * A table in its layers against two naive maps: what it says now, and what it said when it was
 * frozen. Work goes on between freeze and thaw, and the cache is too small for anything.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Environment } from "../../src/checkpoint/environment.ts";
import { MemoryEnvironments } from "../../src/checkpoint/memory-environment.ts";
import { type Codec, type Source, Table } from "../../src/checkpoint/table.ts";
import { kinds } from "../../src/format/checkpoint-values.ts";
import { seal } from "../../src/format/sealed-value.ts";

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
  | { verb: "freeze" | "thaw" };

const moves: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      verb: fc.constantFrom("get", "edit", "put", "delete"),
      id: fc.nat(8),
      number: fc.nat(60_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ verb: fc.constantFrom("freeze", "thaw") }) },
);

class TableUnderTest {
  readonly table: Table<Box>;
  readonly model = new Map<number, number>();
  readonly environment: Environment;
  #frozen: Map<number, number> | undefined;
  #stored = new Map<number, number>();
  #epoch = 0;

  constructor(environment: Environment, cached: number) {
    this.environment = environment;
    this.table = new Table(KIND, codec, { environment }, cached);
  }

  async make(move: Move): Promise<void> {
    const { table, model } = this;
    switch (move.verb) {
      case "get":
        expect(table.get(move.id)?.number).toBe(model.get(move.id));
        return;
      case "edit": {
        const box = table.edit(move.id);
        expect(box?.number).toBe(model.get(move.id));
        if (!box) return;
        box.number = move.number;
        model.set(move.id, move.number);
        return;
      }
      case "put":
        table.put(move.id, { number: move.number });
        model.set(move.id, move.number);
        return;
      case "delete":
        table.delete(move.id);
        model.delete(move.id);
        return;
      case "freeze":
        if (this.#frozen) return;
        table.freeze();
        this.#frozen = new Map(model);
        expect(table.dirtyCount).toBe(0);
        return;
      case "thaw":
        return this.#thaw();
    }
  }

  async #thaw(): Promise<void> {
    if (!this.#frozen) return;
    this.#epoch++;
    const state = { epoch: this.#epoch, lsn: 0, reset: false };
    await this.environment.commit(this.table.changes(), state);
    this.table.thaw();
    this.#stored = this.#frozen;
    this.#frozen = undefined;
  }

  check(): void {
    for (let id = 0; id <= 8; id++) {
      expect(this.table.get(id)?.number).toBe(this.model.get(id));
    }
    const stored = Array.from(this.environment.scan(KIND), ({ id, value }) => [
      id,
      codec.decode(value).number,
    ]);
    expect(stored).toEqual([...this.#stored].toSorted(([a], [b]) => a - b));
  }
}

async function environmentOf(): Promise<Environment> {
  return new MemoryEnvironments().open("a");
}

describe("Table", () => {
  it("says what was put last, and writes what it was when it was frozen", async () => {
    const work = fc.array(moves, { maxLength: 120, size: "max" });
    await fc.assert(
      fc.asyncProperty(work, fc.constantFrom(0, 3, 100), async (list, cached) => {
        const tested = new TableUnderTest(await environmentOf(), cached);
        for (const move of list) await tested.make(move);
        tested.check();
        for (const verb of ["thaw", "freeze", "thaw"] as const) await tested.make({ verb });
        tested.check();
      }),
      { numRuns: 200 },
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
    const { get } = environment;
    environment.get = (kind, id) => {
      asked++;
      return get.call(environment, kind, id);
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
