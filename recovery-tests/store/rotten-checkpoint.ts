/**
 * Damage to the newest checkpoint of a store on a simulated disk: what LMDB does not notice, and
 * the store must. The kinds of values are those of FORMAT.md.
 */
import type { SimulatedDisk } from "blockspace/testing";

/** The values of an environment by kind and id. */
type Table = ReadonlyMap<number, ReadonlyMap<number, Uint8Array>>;

const CLOSING = 0;
const STATE = 1;
/** Read as a whole when a checkpoint is loaded, and counted. */
const LISTS: readonly number[] = [2, 6, 7, 8, 9];
/** Where the closing record has its epoch. */
const EPOCH_AT = 8;

export const rottenParts = ["all", "closing record", "state", "a list", "a value"] as const;

export type RottenPart = (typeof rottenParts)[number];

/** Damages the newest checkpoint, if there is one. `seed` chooses among many values. */
export function rotNewestCheckpoint(disk: SimulatedDisk, part: RottenPart, seed: number): void {
  const names = ["a", "b"].map((name) => `/store/checkpoint/${name}`);
  const epoch = (name: string): number => epochOf(disk.cell(name) as Table | undefined);
  const newest = names.toSorted((one, other) => epoch(other) - epoch(one))[0]!;
  if (epoch(newest) === 0) return;
  disk.setCell(newest, rotten(disk.cell(newest) as Table, part, seed), seed);
}

function epochOf(table: Table | undefined): number {
  const closing = table?.get(CLOSING)?.get(0);
  return closing ? Number(Buffer.from(closing).readBigUInt64LE(EPOCH_AT)) : 0;
}

function rotten(table: Table, part: RottenPart, seed: number): Table {
  switch (part) {
    case "all":
      return new Map<number, never>();
    case "closing record":
      return withFlip(table, { kind: CLOSING, id: 0 }, seed);
    case "state":
      return withFlip(table, { kind: STATE, id: 0 }, seed);
    case "a list": {
      const { kind, id } = keyIn(table, LISTS, seed);
      const values = new Map(table.get(kind));
      values.delete(id);
      return new Map(table).set(kind, values);
    }
    case "a value":
      return withFlip(table, keyIn(table, [...table.keys()], seed), seed);
  }
}

interface Key {
  kind: number;
  id: number;
}

function keyIn(table: Table, kinds: readonly number[], seed: number): Key {
  const keys = kinds.flatMap((kind) =>
    Array.from(table.get(kind)?.keys() ?? [], (id): Key => ({ kind, id })),
  );
  return keys[seed % keys.length]!;
}

function withFlip(table: Table, { kind, id }: Key, seed: number): Table {
  const values = new Map(table.get(kind));
  const value = new Uint8Array(values.get(id)!);
  value[seed % value.length]! ^= 1 << (seed % 8);
  return new Map(table).set(kind, values.set(id, value));
}
