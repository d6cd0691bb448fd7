/**
 * What a loss of power may leave at one point of a trace.
 *
 * Fed with the entries of a trace one after the other, a {@link CrashPoint} knows what is durable
 * and which **units** are not: the data of each write, each change of a size, each change of names.
 * Every unit may be kept or lost, the data of a write also torn; from a fate for each unit it makes
 * the image of the disk. These are the rules:
 *
 *  1. A flush of a file makes durable the data and sizes of all operations on it that were done
 *     before the flush was called. A sync of a folder does so for its names. A write that waits for
 *     the medium itself makes durable what is its own. None of them promises anything before it
 *     has returned.
 *  2. Kept units take effect in the order in which they were issued. Data is kept or lost
 *     write by write, in any combination.
 *  3. The changes of one folder's names happen in order: when one is lost, so are all later ones
 *     of the folder. A rename between two folders is one change of both: once it is durable, so
 *     are the changes of both before it. The sizes of one file likewise. Different folders and
 *     files do not wait for one another.
 *  4. Names, sizes and data are different things: a file may come back with its size and without
 *     its bytes (zeroes), with its name and without its size, or without its name.
 *  5. After a flush or sync that failed, units that it should have covered stay uncertain for
 *     ever. So do, until they are covered, those that were not done when a flush was called. What
 *     was issued later and is covered is certain, and takes effect on top of them.
 *
 * This is what POSIX allows, less kind than what ext4 or XFS do; a program that survives here
 * survives there.
 */
import {
  type CellImage,
  type DiskImage,
  EMPTY_IMAGE,
  type Names,
  type NodeNumber,
} from "./disk-image.ts";
import { FileBytes, FileImage } from "./file-bytes.ts";
import type { DataEffect, Effect, FlushScope, NameChange, TraceEntry } from "./operation.ts";
import { randomFrom } from "./random.ts";

interface UnitState {
  /** The index in the trace of the operation that it is part of. */
  at: number;
  doneAt(): number;
  /** Durable, but issued after what is uncertain and so not to take effect before it. */
  certain: boolean;
  /** A failed flush should have covered it. */
  forgotten: boolean;
}

export type DataUnit = UnitState & DataEffect;
export type SizeUnit = UnitState & { type: "size"; file: NodeNumber; size: number };
export type NamesUnit = UnitState & { type: "names" } & NameChange;
export type Unit = DataUnit | SizeUnit | NamesUnit;

/** A part of a torn write; what no part names is lost. */
export interface TornPart {
  what: "kept" | "lost" | "garbage";
  /** Bytes. */
  length: number;
}

export type Fate = "kept" | "lost" | readonly TornPart[];

interface OpenFile {
  durable: FileBytes;
  units: (DataUnit | SizeUnit)[];
}

type Sync = Pick<FlushScope, "calledAt"> & { folder: NodeNumber };

/** A flush or sync that was called and is not known to have returned. */
interface Barrier {
  entry: TraceEntry;
  takeEffect(): void;
}

export class CrashPoint {
  #files = new Map<NodeNumber, OpenFile>();
  #images: Map<NodeNumber, FileImage>;
  #folders: ReadonlyMap<NodeNumber, Names>;
  #changes: NamesUnit[] = [];
  #cells: ReadonlyMap<string, CellImage>;
  #nextNode: NodeNumber;
  #barriers: Barrier[] = [];
  #entries = 0;
  #certain = 0;

  /** All that is in `start` is durable. */
  constructor(start: DiskImage = EMPTY_IMAGE) {
    this.#images = new Map(start.files);
    this.#folders = start.folders;
    this.#cells = start.cells;
    this.#nextNode = start.nextNode;
  }

  /** One that goes its own way from here on; all that was issued counts as done. */
  copy(): CrashPoint {
    this.#catchUp();
    const copy = new CrashPoint({
      files: this.#images,
      folders: this.#folders,
      cells: this.#cells,
      nextNode: this.#nextNode,
    });
    copy.#changes = this.#changes.map(asDone);
    for (const [file, { units }] of this.#files) copy.#open(file).units = units.map(asDone);
    return copy;
  }

  note(entry: TraceEntry): void {
    this.#entries = entry.index + 1;
    this.#catchUp();
    for (const effect of entry.effects) this.#noteEffect(effect, entry);
  }

  /** An entry is done, before anything else is issued. */
  finish(entry: TraceEntry): void {
    this.#takeEffect((barrier) => barrier.entry === entry);
  }

  /**
   * How often a size or names have become certain above others that are not. What could not be
   * there without those before now can, so new states come of it.
   */
  get timesCertain(): number {
    this.#catchUp();
    return this.#certain;
  }

  /** What may be lost, in the order in which it was issued: names first, then file by file. */
  units(): Unit[] {
    this.#catchUp();
    const units: Unit[] = [...this.#changes];
    for (const file of this.#files.values()) units.push(...file.units);
    return units.filter(({ certain }) => !certain);
  }

  /** The disk when each unit has met its fate; asked of in the order of `units`. */
  image(fateOf: (unit: Unit) => Fate): DiskImage {
    this.#catchUp();
    const fate = inOrder(fateOf);
    const kept = this.#changes.filter((change) => fate(change) === "kept");
    const folders = kept.length === 0 ? this.#folders : namesAfter(this.#folders, kept);
    const files = new Map(this.#images);
    for (const [node, file] of this.#files) {
      if (file.units.length > 0) files.set(node, imageOf(file, fate));
    }
    return { files, folders, cells: this.#cells, nextNode: this.#nextNode };
  }

  #noteEffect(effect: Effect, entry: TraceEntry): void {
    switch (effect.type) {
      case "data":
      case "size":
        this.#open(effect.file).units.push({ ...effect, ...newUnit(entry) });
        break;
      case "names":
        if (effect.put) this.#admit(effect.put.node, effect.put.is);
        this.#changes.push({ ...effect, ...newUnit(entry) });
        break;
      case "flushed":
        this.#barriers.push({ entry, takeEffect: () => this.#flush(effect, entry) });
        break;
      case "flushFailed":
        forget(this.#open(effect.file).units.filter((unit) => isFlushed(unit, effect, entry)));
        break;
      case "synced":
        this.#barriers.push({ entry, takeEffect: () => this.#sync(effect, entry) });
        break;
      case "syncFailed":
        forget(this.#coveredBySync(effect, entry));
        break;
      case "cell":
        this.#cells = new Map(this.#cells).set(effect.name, effect.cell);
    }
  }

  /**
   * The barriers that have returned take effect. One that did so among later entries returned
   * after the last of them, which may be a mark that did not wait for it.
   */
  #catchUp(): void {
    if (this.#barriers.length === 0) return;
    this.#takeEffect(
      ({ entry }) => entry.doneAt === entry.index + 1 || entry.doneAt < this.#entries,
    );
  }

  #takeEffect(hasReturned: (barrier: Barrier) => boolean): void {
    this.#barriers = this.#barriers.filter((barrier) => {
      if (!hasReturned(barrier)) return true;
      barrier.takeEffect();
      return false;
    });
  }

  /** A node that may be new. */
  #admit(node: NodeNumber, is: "file" | "folder"): void {
    this.#nextNode = Math.max(this.#nextNode, node + 1);
    if (is === "file" && !this.#images.has(node)) this.#images.set(node, FileImage.empty);
    if (is === "folder" && !this.#folders.has(node)) {
      this.#folders = new Map(this.#folders).set(node, new Map());
    }
  }

  #open(node: NodeNumber): OpenFile {
    let file = this.#files.get(node);
    if (!file) {
      const durable = new FileBytes(this.#images.get(node) ?? FileImage.empty);
      this.#files.set(node, (file = { durable, units: [] }));
      this.#images.set(node, durable.freeze());
    }
    return file;
  }

  #flush(effect: FlushScope & { file: NodeNumber }, entry: TraceEntry): void {
    const file = this.#open(effect.file);
    file.units = this.#sift(file.units, {
      isCovered: (unit) => isFlushed(unit, effect, entry),
      waitsFor: () => true,
      keep: (unit) => applyUnit(unit, "kept", file.durable),
    });
    this.#images.set(effect.file, file.durable.freeze());
  }

  #sync(effect: Sync, entry: TraceEntry): void {
    const covered = new Set(this.#coveredBySync(effect, entry));
    const durable: NamesUnit[] = [];
    this.#changes = this.#sift(this.#changes, {
      isCovered: (change) => covered.has(change),
      waitsFor: (change, earlier) => {
        const folders = foldersOf(earlier);
        return foldersOf(change).some((each) => folders.includes(each));
      },
      keep: (change) => durable.push(change),
    });
    this.#folders = namesAfter(this.#folders, durable);
  }

  /** The changes of a folder, and where one is of another folder as well, those before it there. */
  #coveredBySync({ folder, calledAt }: Sync, { index }: TraceEntry): NamesUnit[] {
    const reached = new Set([folder]);
    return this.#changes.toReversed().filter((change) => {
      const folders = foldersOf(change);
      if (!isCovered(change, calledAt ?? index) || !folders.some((each) => reached.has(each)))
        return false;
      for (const each of folders) reached.add(each);
      return true;
    });
  }

  /** Keeps what is covered and need not wait for anything issued before; returns the rest. */
  #sift<U extends Unit>(
    units: readonly U[],
    how: {
      isCovered(unit: U): boolean;
      waitsFor(unit: U, earlier: U): boolean;
      keep(unit: U): void;
    },
  ): U[] {
    const waiting: U[] = [];
    for (const unit of units) {
      const isDurable = unit.certain || how.isCovered(unit);
      if (isDurable && !waiting.some((earlier) => how.waitsFor(unit, earlier))) {
        how.keep(unit);
        continue;
      }
      if (isDurable && !unit.certain && unit.type !== "data") this.#certain++;
      unit.certain = isDurable;
      waiting.push(unit);
    }
    return waiting;
  }
}

/**
 * What becomes of each unit, asked of in the order in which they were issued: with a name or a size
 * that is lost, so are those of the same folder or file that come after it (rule 3).
 */
export function inOrder(fateOf: (unit: Unit) => Fate): (unit: Unit) => Fate {
  const broken = new Set<NodeNumber>();
  return (unit) => {
    if (unit.certain) return "kept";
    if (unit.type === "data") return fateOf(unit);
    const places = unit.type === "size" ? [unit.file] : foldersOf(unit);
    if (!places.some((place) => broken.has(place)) && fateOf(unit) !== "lost") return "kept";
    for (const place of places) broken.add(place);
    return "lost";
  };
}

function newUnit(entry: TraceEntry): UnitState {
  return { at: entry.index, doneAt: () => entry.doneAt, certain: false, forgotten: false };
}

function asDone<U extends Unit>(unit: U): U {
  return { ...unit, doneAt: () => -1 };
}

/** By a flush or sync that was called at this index. */
function isCovered(unit: UnitState, index: number): boolean {
  return unit.doneAt() <= index && !unit.forgotten;
}

function isFlushed(unit: UnitState, scope: FlushScope, { index }: TraceEntry): boolean {
  const { only, calledAt } = scope;
  if (only !== undefined) return unit.at === only && !unit.forgotten;
  return isCovered(unit, calledAt ?? index);
}

function forget(units: readonly UnitState[]): void {
  for (const unit of units) if (!unit.certain) unit.forgotten = true;
}

function imageOf(file: OpenFile, fateOf: (unit: Unit) => Fate): FileImage {
  const bytes = new FileBytes(file.durable.freeze());
  for (const unit of file.units) applyUnit(unit, fateOf(unit), bytes);
  // Data beyond the end is as good as lost.
  bytes.clear(bytes.size, Number.MAX_SAFE_INTEGER - bytes.size);
  return bytes.freeze();
}

function applyUnit(unit: DataUnit | SizeUnit, fate: Fate, bytes: FileBytes): void {
  if (fate === "lost") return;
  if (unit.type === "size") return bytes.resize(unit.size);
  if (fate === "kept") return put(unit, 0, unit.length, bytes);
  let done = 0;
  for (const { what, length } of fate) {
    const count = Math.min(length, unit.length - done);
    if (what === "kept") put(unit, done, count, bytes);
    if (what === "garbage") bytes.write(garbage(unit.at, done, count), unit.offset + done);
    done += count;
  }
}

function put(unit: DataUnit, from: number, length: number, bytes: FileBytes): void {
  if (unit.bytes) bytes.write(unit.bytes.subarray(from, from + length), unit.offset + from);
  else bytes.clear(unit.offset + from, length);
}

/** What a torn sector may hold: neither the old bytes nor the new ones. */
function garbage(at: number, from: number, length: number): Uint8Array {
  const random = randomFrom(at * 0x10001 + from);
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
}

/** The folders that a change of names is one of. */
function foldersOf({ drop, put: entry }: NameChange): NodeNumber[] {
  const folders = drop ? [drop.folder] : [];
  if (entry && entry.folder !== drop?.folder) folders.push(entry.folder);
  return folders;
}

function namesAfter(
  folders: ReadonlyMap<NodeNumber, Names>,
  changes: readonly NameChange[],
): Map<NodeNumber, Names> {
  const after = new Map(folders);
  const copied = new Map<NodeNumber, Map<string, NodeNumber>>();
  const namesOf = (folder: NodeNumber): Map<string, NodeNumber> => {
    let names = copied.get(folder);
    if (!names) {
      names = new Map(folders.get(folder));
      copied.set(folder, names);
      after.set(folder, names);
    }
    return names;
  };
  for (const { drop, put: entry } of changes) {
    if (drop) namesOf(drop.folder).delete(drop.name);
    if (entry) namesOf(entry.folder).set(entry.name, entry.node);
  }
  return after;
}
