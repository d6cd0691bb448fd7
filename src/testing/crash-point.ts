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
 *     the medium itself makes durable what is its own.
 *  2. Kept units take effect in the order in which they were issued. Data is kept or lost
 *     write by write, in any combination.
 *  3. The changes of one folder's names happen in order: when one is lost, so are all later ones
 *     of the folder. A rename between two folders is one change of both. The sizes of one file
 *     likewise. Different folders and files do not wait for one another.
 *  4. Names, sizes and data are different things: a file may come back with its size and without
 *     its bytes (zeroes), with its name and without its size, or without its name.
 *  5. After a flush that failed, units that it should have covered stay uncertain for ever.
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
import type { DataEffect, NameChange, TraceEntry } from "./operation.ts";
import { randomFrom } from "./random.ts";

interface UnitOfFile {
  /** The index in the trace of the operation that it is part of. */
  at: number;
  doneAt(): number;
  /** Made durable while earlier ones are not: kept, but not before what is uncertain. */
  certain: boolean;
  /** A failed flush should have covered it. */
  forgotten: boolean;
}

export type DataUnit = UnitOfFile & DataEffect;
export type SizeUnit = UnitOfFile & { type: "size"; file: NodeNumber; size: number };
export type NamesUnit = { type: "names"; at: number } & NameChange;
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

export class CrashPoint {
  #files = new Map<NodeNumber, OpenFile>();
  #images: Map<NodeNumber, FileImage>;
  #folders: ReadonlyMap<NodeNumber, Names>;
  #changes: NamesUnit[] = [];
  #cells: ReadonlyMap<string, CellImage>;
  #nextNode: NodeNumber;

  /** All that is in `start` is durable. */
  constructor(start: DiskImage = EMPTY_IMAGE) {
    this.#images = new Map(start.files);
    this.#folders = start.folders;
    this.#cells = start.cells;
    this.#nextNode = start.nextNode;
  }

  /** One that goes its own way from here on; all that was issued counts as done. */
  copy(): CrashPoint {
    const copy = new CrashPoint(this.image(() => "lost"));
    copy.#nextNode = this.#nextNode;
    copy.#changes = [...this.#changes];
    for (const [file, { units }] of this.#files) {
      const done = units.map((unit) => ({ ...unit, doneAt: () => -1 }));
      copy.#open(file).units = done;
    }
    return copy;
  }

  note(entry: TraceEntry): void {
    for (const effect of entry.effects) {
      switch (effect.type) {
        case "data":
        case "size":
          this.#open(effect.file).units.push({ ...effect, ...newUnit(entry) });
          break;
        case "names":
          if (effect.put) this.#admit(effect.put.node, effect.put.is);
          this.#changes.push({ ...effect, at: entry.index });
          break;
        case "flushed":
          if (effect.only === undefined) this.#flush(effect.file, effect.calledAt ?? entry.index);
          else this.#flushOne(effect.file, effect.only);
          break;
        case "flushFailed":
          for (const unit of this.#open(effect.file).units) {
            const covered = unit.doneAt() <= (effect.calledAt ?? entry.index);
            if (covered && !unit.certain) unit.forgotten = true;
          }
          break;
        case "synced":
          this.#sync(effect.folder, effect.calledAt);
          break;
        case "cell":
          this.#cells = new Map(this.#cells).set(effect.name, effect.cell);
      }
    }
  }

  /** What may be lost, in the order in which it was issued: names first, then file by file. */
  units(): Unit[] {
    const units: Unit[] = [...this.#changes];
    for (const file of this.#files.values()) {
      for (const unit of file.units) if (!unit.certain) units.push(unit);
    }
    return units;
  }

  /** The disk when each unit has met its fate; asked of in the order of `units`. */
  image(fateOf: (unit: Unit) => Fate): DiskImage {
    const folders = this.#foldersAfter(fateOf);
    const files = new Map(this.#images);
    for (const [node, file] of this.#files) {
      if (file.units.length > 0) files.set(node, imageOf(file, fateOf));
    }
    return { files, folders, cells: this.#cells, nextNode: this.#nextNode };
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

  #flush(node: NodeNumber, index: number): void {
    const file = this.#open(node);
    const uncertain = file.units.some(({ forgotten }) => forgotten);
    const waiting: OpenFile["units"] = [];
    for (const unit of file.units) {
      const covered = unit.doneAt() <= index && !unit.forgotten;
      // What was issued later must not come before what is still under way, but stay on top of it.
      const waits = uncertain || waiting.length > 0;
      if (covered && waits) unit.certain = true;
      else if (covered) applyUnit(unit, "kept", file.durable);
      if (!covered || waits) waiting.push(unit);
    }
    file.units = waiting;
    this.#images.set(node, file.durable.freeze());
  }

  /** Its units keep their place among those that are uncertain. */
  #flushOne(node: NodeNumber, at: number): void {
    for (const unit of this.#open(node).units) {
      if (unit.at === at && !unit.forgotten) unit.certain = true;
    }
  }

  #sync(folder: NodeNumber, calledAt = Infinity): void {
    const synced = this.#changes.filter(
      (change) => change.at < calledAt && foldersOf(change).includes(folder),
    );
    this.#folders = namesAfter(this.#folders, synced);
    this.#changes = this.#changes.filter((change) => !synced.includes(change));
  }

  #foldersAfter(fateOf: (unit: Unit) => Fate): ReadonlyMap<NodeNumber, Names> {
    if (this.#changes.length === 0) return this.#folders;
    const broken = new Set<NodeNumber>();
    const kept = this.#changes.filter((change) => {
      const folders = foldersOf(change);
      if (!folders.some((folder) => broken.has(folder)) && fateOf(change) !== "lost") return true;
      for (const folder of folders) broken.add(folder);
      return false;
    });
    return namesAfter(this.#folders, kept);
  }
}

function newUnit(entry: TraceEntry): UnitOfFile {
  return { at: entry.index, doneAt: () => entry.doneAt, certain: false, forgotten: false };
}

function imageOf(file: OpenFile, fateOf: (unit: Unit) => Fate): FileImage {
  const bytes = new FileBytes(file.durable.freeze());
  let sizeLost = false;
  for (const unit of file.units) {
    if (unit.certain) applyUnit(unit, "kept", bytes);
    else if (unit.type === "data") applyUnit(unit, fateOf(unit), bytes);
    else if (!sizeLost) {
      sizeLost = fateOf(unit) === "lost";
      if (!sizeLost) applyUnit(unit, "kept", bytes);
    }
  }
  // Data beyond the end is as good as lost.
  bytes.clear(bytes.size, Number.MAX_SAFE_INTEGER - bytes.size);
  return bytes.freeze();
}

function applyUnit(unit: DataUnit | SizeUnit, fate: Fate, bytes: FileBytes): void {
  if (unit.type === "size") return bytes.resize(unit.size);
  if (fate === "kept") return put(unit, 0, unit.length, bytes);
  if (fate === "lost") return;
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
