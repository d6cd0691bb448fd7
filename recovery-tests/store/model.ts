/**
 * What a store should hold, as simply as can be: byte arrays by name. And what it may hold after a
 * crash: the model after any one of the operations from the last durable one on (promise I2).
 */
import type { Host } from "blockspace";
import { BlockspaceError } from "blockspace";
import type { SimulatedDisk } from "blockspace/testing";

export interface ModelVolume {
  bytes: Uint8Array;
  readOnly: boolean;
}

/** Never changed; an operation makes another one. */
export type StoreModel = ReadonlyMap<string, ModelVolume>;

/** What a workload says while it runs; the marks on its disk. */
export type Mark =
  /** The next operation begins; the store holds this if it happens. */
  | { candidate: StoreModel }
  /** The candidate did not happen, and will not. */
  | { refused: StoreModel }
  /** Whatever was begun before `flush` was called is durable. */
  | { durable: StoreModel }
  /** The host did what it must not do on any medium: answered wrongly, or not at all. */
  | { wrong: string }
  /** Of what was promised something was not there after a kill. */
  | { lost: string }
  /** A step of the workload begins. */
  | { step: number };

/** A subvolume as found: its bytes, block by block, or the code of the error that reading gave. */
export interface FoundVolume {
  size: number;
  readOnly: boolean;
  bytes: Uint8Array;
  /** Offsets of blocks that could not be read, with what was said instead. */
  errors: ReadonlyMap<number, string>;
}

export type Found = ReadonlyMap<string, FoundVolume>;

const BLOCK = 512;

/** Reads all there is; what fails with a typed error is read block by block. */
export async function readAll(host: Host): Promise<Found> {
  const found = new Map<string, FoundVolume>();
  for (const { name, size, readOnly } of host.list()) {
    const errors = new Map<number, string>();
    let bytes: Uint8Array;
    try {
      bytes = await host.get(name).read(0, size);
    } catch (error) {
      if (!(error instanceof BlockspaceError)) throw error;
      bytes = await readByBlock(host, name, size, errors);
    }
    found.set(name, { size, readOnly, bytes, errors });
  }
  return found;
}

async function readByBlock(
  host: Host,
  name: string,
  size: number,
  errors: Map<number, string>,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  for (let offset = 0; offset < size; offset += BLOCK) {
    const length = Math.min(BLOCK, size - offset);
    try {
      bytes.set(await host.get(name).read(offset, length), offset);
    } catch (error) {
      if (!(error instanceof BlockspaceError)) throw error;
      errors.set(offset, error.code);
    }
  }
  return bytes;
}

/** What the workload has said so far on a disk that records. */
export function marksOn({ trace }: SimulatedDisk): unknown[] {
  return trace.flatMap(({ operation }) => (operation.kind === "mark" ? [operation.value] : []));
}

/** The models that a store may hold, the oldest first, given what the workload has said. */
export function allowedAfter(marks: readonly unknown[]): StoreModel[] {
  expectNothingWrong(marks);
  let allowed: StoreModel[] = [];
  for (const mark of marks as readonly Mark[]) {
    if ("candidate" in mark) allowed.push(mark.candidate);
    else if ("refused" in mark) allowed = allowed.filter((model) => model !== mark.refused);
    else if ("durable" in mark) {
      allowed = allowed.slice(Math.max(0, allowed.lastIndexOf(mark.durable)));
    } else if ("lost" in mark) throw new Error(mark.lost);
  }
  return allowed;
}

/** Throws what the workload has noticed itself. */
export function expectNothingWrong(marks: readonly unknown[]): void {
  for (const mark of marks as readonly Mark[]) if ("wrong" in mark) throw new Error(mark.wrong);
}

/**
 * The models that a store may hold whose medium was damaged when all work was done: the last one,
 * or, since nothing follows the last frame of the journal that proves it to have been durable,
 * those from the last promise before it on (promise I10).
 */
export function allowedAtRest(marks: readonly unknown[]): StoreModel[] {
  const end = allowedAfter(marks).at(-1)!;
  const earlier = (marks as readonly Mark[]).findLastIndex(
    (mark) => "durable" in mark && !isEqual(mark.durable, end),
  );
  return earlier < 0
    ? [end]
    : everBegunFrom(marks, (marks[earlier] as { durable: StoreModel }).durable);
}

function everBegunFrom(marks: readonly unknown[], first: StoreModel): StoreModel[] {
  const models = everBegun(marks);
  return models.slice(Math.max(0, models.lastIndexOf(first)));
}

function isEqual(one: StoreModel, other: StoreModel): boolean {
  return (
    difference(new Map([...one].map(([name, volume]) => [name, asFound(volume)])), other) ===
    undefined
  );
}

function asFound({ bytes, readOnly }: ModelVolume): FoundVolume {
  return { size: bytes.length, readOnly, bytes, errors: new Map() };
}

/** All the models that there ever were. */
export function everBegun(marks: readonly unknown[]): StoreModel[] {
  return (marks as readonly Mark[]).flatMap((mark) =>
    "candidate" in mark ? [mark.candidate] : [],
  );
}

/** What distinguishes a found store from a model, or `undefined`; unreadable blocks may be any. */
export function difference(found: Found, model: StoreModel): string | undefined {
  for (const name of model.keys()) if (!found.has(name)) return `"${name}" is not there`;
  for (const [name, volume] of found) {
    const expected = model.get(name);
    if (!expected) return `"${name}" should not be there`;
    if (volume.size !== expected.bytes.length) {
      return `"${name}" has ${volume.size} bytes, not ${expected.bytes.length}`;
    }
    if (volume.readOnly !== expected.readOnly) return `"${name}" is not what may be written`;
    const at = firstDifference(volume, expected.bytes);
    if (at !== undefined) {
      return `"${name}" differs at byte ${at}: ${volume.bytes[at]} is not ${expected.bytes[at]}`;
    }
  }
  return undefined;
}

function firstDifference(volume: FoundVolume, expected: Uint8Array): number | undefined {
  if (Buffer.compare(volume.bytes, expected) === 0) return undefined;
  const at = volume.bytes.findIndex(
    (byte, i) => byte !== expected[i] && !volume.errors.has(i - (i % BLOCK)),
  );
  return at < 0 ? undefined : at;
}

/** The newest of the models that the store holds; throws when it holds none of them. */
export function expectOneOf(found: Found, allowed: readonly StoreModel[]): StoreModel {
  const same =
    allowed.findLast((model) => isSame(found, model)) ??
    allowed.findLast((model) => difference(found, model) === undefined);
  if (same) return same;
  const differences = allowed.toReversed().map((model) => difference(found, model));
  throw new Error(
    `the store holds none of the ${allowed.length} allowed states; from the newest one on: ` +
      differences.slice(0, 4).join("; "),
  );
}

/** The common case, without words for what is not the same. */
function isSame(found: Found, model: StoreModel): boolean {
  if (found.size !== model.size) return false;
  for (const [name, { bytes, readOnly }] of found) {
    const expected = model.get(name);
    if (!expected || readOnly !== expected.readOnly) return false;
    if (Buffer.compare(bytes, expected.bytes) !== 0) return false;
  }
  return true;
}
