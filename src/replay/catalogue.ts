/**
 * The subvolumes of a host by id and by name, resident in memory. Entries are frozen: every change
 * replaces one.
 */
import { BlockspaceError } from "../base/errors.ts";
import type { Change } from "../checkpoint/environment.ts";
import { type Source, Table } from "../checkpoint/table.ts";
import {
  decodeSubvolume,
  encodeSubvolume,
  kinds,
  type SubvolumeEntry,
} from "../format/checkpoint-values.ts";
import { FamilyRoots } from "./family-roots.ts";

const codec = {
  encode: encodeSubvolume,
  decode: decodeSubvolume,
  copy: (entry: SubvolumeEntry): SubvolumeEntry => entry,
};

export class Catalogue {
  /** The id that the next new subvolume gets; ids are never used again. */
  next = 1;
  readonly #entries = new Map<number, SubvolumeEntry>();
  readonly #names = new Map<string, number>();
  readonly #roots = new FamilyRoots();
  readonly #stored: Table<SubvolumeEntry>;

  constructor(source: Source) {
    this.#stored = new Table(kinds.subvolume, codec, source, 2);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** In the order of their ids, which is the order of their creation. */
  entries(): IterableIterator<SubvolumeEntry> {
    return this.#entries.values();
  }

  /** The roots of the maps of a family, each once. */
  rootsOf(family: number): Iterable<number> {
    return this.#roots.of(family);
  }

  get(id: number): SubvolumeEntry | undefined {
    return this.#entries.get(id);
  }

  named(name: string): SubvolumeEntry | undefined {
    const id = this.#names.get(name);
    return id === undefined ? undefined : this.#entries.get(id);
  }

  /** The entry that a record names; a record that names none is damage. */
  require(id: number): SubvolumeEntry {
    const entry = this.#entries.get(id);
    if (!entry) throw new BlockspaceError("ECORRUPT", `a record names the unknown subvolume ${id}`);
    return entry;
  }

  /** Adds an entry, or replaces the one of the same id. */
  set(entry: SubvolumeEntry): void {
    this.#insert(Object.freeze(entry));
    this.#stored.put(entry.id, entry);
  }

  delete(id: number): void {
    const entry = this.require(id);
    this.#names.delete(entry.name);
    this.#roots.move(entry, undefined);
    this.#entries.delete(id);
    this.#stored.delete(id);
  }

  /** Takes up an entry of a checkpoint. */
  load(entry: SubvolumeEntry): void {
    this.#insert(Object.freeze(entry));
  }

  freeze(): void {
    this.#stored.freeze();
  }

  changes(): Iterable<Change> {
    return this.#stored.changes();
  }

  thaw(): void {
    this.#stored.thaw();
  }

  #insert(entry: SubvolumeEntry): void {
    const holder = this.#names.get(entry.name);
    if (holder !== undefined && holder !== entry.id) {
      throw new BlockspaceError("ECORRUPT", `two subvolumes are named "${entry.name}"`);
    }
    const former = this.#entries.get(entry.id);
    if (former && former.name !== entry.name) this.#names.delete(former.name);
    this.#roots.move(former, entry);
    this.#entries.set(entry.id, entry);
    this.#names.set(entry.name, entry.id);
    this.next = Math.max(this.next, entry.id + 1);
  }
}
