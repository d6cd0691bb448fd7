/**
 * Turns calls into the changes of one plan. Every change of a host is planned here, a single write
 * and a transaction of many calls alike: each call sees what the calls before it in the same plan
 * will have done, and everything that can be refused is refused before anything changes.
 *
 * A write that covers whole blocks reads nothing; one that ends within a block reads that block,
 * merges, and writes it whole.
 */
import { BlockspaceError } from "../base/errors.ts";
import { checkLength, checkName } from "../base/arguments.ts";
import { MAX_SUBVOLUME_ID, type SubvolumeEntry } from "../format/checkpoint-values.ts";
import { nextExtent } from "../map/lookup.ts";
import type { State } from "../replay/state.ts";
import { Draft } from "./draft.ts";
import type { Engine } from "./engine.ts";
import type { Plan, PlannedChange } from "./plan.ts";
import { readBlocks } from "./reading.ts";

/** No subvolume has this id. */
const NOBODY = 0;

/** The writable subvolume of an id, or `ECLOSED` or `EROFS`. */
export function writableEntry(state: State, id: number): SubvolumeEntry {
  const entry = state.catalogue.get(id);
  if (!entry) throw new BlockspaceError("ECLOSED", "the subvolume was deleted");
  if (!entry.readOnly) return entry;
  throw new BlockspaceError("EROFS", `subvolume "${entry.name}" is a snapshot`, {
    subvolume: entry.name,
  });
}

export class Planner {
  readonly #engine: Engine;
  readonly #draft: Draft;
  /** Names that the plan gives (an entry) or takes away (`null`). */
  readonly #names = new Map<string, SubvolumeEntry | null>();
  /** Subvolumes that the plan deletes. */
  readonly #deleted = new Set<number>();
  readonly #after: (() => void)[] = [];
  #nextId: number;
  #urgent = true;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#draft = new Draft(engine.state.geometry.blockSize);
    this.#nextId = engine.state.catalogue.next;
  }

  /** The plan; urgent when all of its calls are. */
  plan(): Plan {
    const committed = (): void => {
      for (const call of this.#after) call();
    };
    return { changes: this.#draft.changes, urgent: this.#urgent, committed };
  }

  /** Called when the plan has been carried out. */
  afterwards(call: () => void): void {
    this.#after.push(call);
  }

  add(change: PlannedChange): void {
    this.#draft.add(change);
  }

  /** The writable subvolume of an id at this point of the plan, or `ECLOSED` or `EROFS`. */
  writable(id: number): SubvolumeEntry {
    return writableEntry(this.#engine.state, this.#deleted.has(id) ? NOBODY : id);
  }

  /** The subvolume that a name stands for at this point of the plan, or `ENOENT`. */
  named(name: string): SubvolumeEntry {
    const drafted = this.#names.get(checkName(name));
    const entry = drafted === undefined ? this.#engine.state.catalogue.named(name) : drafted;
    if (entry) return entry;
    throw new BlockspaceError("ENOENT", `there is no subvolume "${name}"`, { subvolume: name });
  }

  /** A name that nobody has at this point of the plan, or `EEXIST`. */
  unused(name: string): string {
    const drafted = this.#names.get(checkName(name));
    const entry = drafted === undefined ? this.#engine.state.catalogue.named(name) : drafted;
    if (!entry) return name;
    throw new BlockspaceError("EEXIST", `there is a subvolume "${name}" already`, {
      subvolume: name,
    });
  }

  /**
   * Writes bytes; returns a promise only when a block must be read and merged. `data` is copied
   * when the plan is carried out, and must stay as it is until then; a later call of the same plan
   * may write into it.
   */
  write(entry: SubvolumeEntry, offset: number, data: Uint8Array): void | Promise<void> {
    this.#urgent = false;
    if (data.length === 0) return undefined;
    const { blockSize } = this.#engine.state.geometry;
    if (offset % blockSize === 0 && data.length % blockSize === 0) {
      this.#addWrite(entry, offset / blockSize, data);
      return undefined;
    }
    return this.#writeMerged(entry, offset, data);
  }

  /** Makes a range read as zeroes: whole blocks become holes, parts of blocks are overwritten. */
  async zero(entry: SubvolumeEntry, offset: number, length: number): Promise<void> {
    if (length === 0) return;
    const { blockSize } = this.#engine.state.geometry;
    const end = offset + length;
    const first = Math.ceil(offset / blockSize);
    const last = end === entry.size ? Math.ceil(end / blockSize) : Math.floor(end / blockSize);
    if (first > last) {
      await this.#zeroPart(entry, offset, length);
    } else {
      if (first * blockSize > offset) {
        await this.#zeroPart(entry, offset, Math.min(end, first * blockSize) - offset);
      }
      if (last * blockSize < end) {
        await this.#zeroPart(entry, last * blockSize, end - last * blockSize);
      }
      this.unmap(entry, first, last - first);
    }
  }

  /** Makes whole blocks a hole, where they are not one already. */
  unmap(entry: SubvolumeEntry, vblock: number, count: number): void {
    if (!this.#isMapped(entry, vblock, count)) return;
    this.add({ type: "record", record: { type: "unmap", subvolume: entry.id, vblock, count } });
  }

  allocate(entry: SubvolumeEntry, vblock: number, count: number): void {
    this.#urgent = false;
    if (count > 0) this.add({ type: "allocate", subvolume: entry.id, vblock, count });
  }

  /** Plans a new subvolume and returns its id. */
  create(name: string, size: number): number {
    this.unused(name);
    const subvolume = this.#newId();
    const created = this.#engine.world.now();
    this.add({ type: "record", record: { type: "create", subvolume, size, created, name } });
    return subvolume;
  }

  /** Plans a snapshot or clone and returns its id. */
  share(type: "snapshot" | "clone", sourceName: string, name: string): number {
    const source = this.named(sourceName);
    this.unused(name);
    const subvolume = this.#newId();
    const created = this.#engine.world.now();
    this.#names.set(name, { ...source, id: subvolume, name, readOnly: type === "snapshot" });
    const record = { type, source: source.id, subvolume, created, name } as const;
    this.add({ type: "record", record });
    return subvolume;
  }

  #newId(): number {
    if (this.#nextId <= MAX_SUBVOLUME_ID) return this.#nextId++;
    const why = `subvolume ${MAX_SUBVOLUME_ID} was the last that can be numbered`;
    throw new BlockspaceError("ENOSPC", why);
  }

  rename(name: string, to: string): void {
    const entry = this.named(name);
    this.unused(to);
    this.#names.set(name, null);
    this.#names.set(to, { ...entry, name: to });
    this.add({ type: "record", record: { type: "rename", subvolume: entry.id, name: to } });
  }

  delete(name: string): SubvolumeEntry {
    const entry = this.named(name);
    this.#names.set(name, null);
    this.#deleted.add(entry.id);
    this.add({ type: "record", record: { type: "delete", subvolume: entry.id } });
    return entry;
  }

  rollback(entry: SubvolumeEntry, source: SubvolumeEntry): void {
    const record = { type: "rollback", subvolume: entry.id, source: source.id } as const;
    this.add({ type: "record", record });
  }

  /** A new size; what a smaller one cuts off reads as zeroes when the subvolume grows again. */
  async resize(entry: SubvolumeEntry, size: number): Promise<void> {
    const { blockSize } = this.#engine.state.geometry;
    const rest = size % blockSize;
    if (size < entry.size && rest > 0) {
      const end = Math.min(entry.size, size - rest + blockSize);
      await this.#zeroPart(entry, size, end - size);
    }
    this.add({ type: "record", record: { type: "resize", subvolume: entry.id, size } });
  }

  /** Zeroes part of one block; nothing to do where it reads as zeroes already. */
  async #zeroPart(entry: SubvolumeEntry, offset: number, length: number): Promise<void> {
    const { blockSize } = this.#engine.state.geometry;
    const vblock = Math.floor(offset / blockSize);
    const planned = this.#draft.contents(entry.id, vblock);
    const { nodes } = this.#engine.state;
    const extent = nextExtent(nodes, entry.root, vblock, vblock + 1);
    if (!planned && (!extent || extent.unwritten)) return;
    await this.#writeMerged(entry, offset, new Uint8Array(length));
  }

  #writeMerged(entry: SubvolumeEntry, offset: number, data: Uint8Array): void | Promise<void> {
    const { blockSize } = this.#engine.state.geometry;
    const end = offset + data.length;
    const first = Math.floor(offset / blockSize);
    const last = Math.ceil(end / blockSize);
    const at = offset - first * blockSize;
    if (this.#draft.overwrite(entry.id, first, last - first, at, data)) return undefined;
    const { length } = data;
    const image = new Uint8Array((last - first) * blockSize);
    const finish = (): void => {
      checkLength("data", data, length);
      image.set(data, at);
      this.#addWrite(entry, first, image);
    };
    const partial: number[] = [];
    if (at > 0) partial.push(first);
    const cutsTail = end % blockSize !== 0 && end !== entry.size;
    if (cutsTail && !(at > 0 && last - first === 1)) partial.push(last - 1);
    if (partial.length === 0) return finish();
    return this.#fill(entry, image, first, partial).then(finish);
  }

  /** Reads the blocks that a write covers only in part into its image. */
  async #fill(
    entry: SubvolumeEntry,
    image: Uint8Array,
    first: number,
    partial: readonly number[],
  ): Promise<void> {
    const { blockSize } = this.#engine.state.geometry;
    for (const vblock of partial) {
      const block =
        this.#draft.contents(entry.id, vblock) ??
        (await readBlocks(this.#engine, entry, vblock, vblock + 1));
      image.set(block, (vblock - first) * blockSize);
    }
  }

  /** Whole blocks; what the plan writes twice takes space once. */
  #addWrite({ id: subvolume }: SubvolumeEntry, vblock: number, image: Uint8Array): void {
    const count = image.length / this.#engine.state.geometry.blockSize;
    if (this.#draft.overwrite(subvolume, vblock, count, 0, image)) return;
    this.add({ type: "write", subvolume, vblock, count, image });
  }

  #isMapped(entry: SubvolumeEntry, vblock: number, count: number): boolean {
    if (count <= 0) return false;
    const { nodes } = this.#engine.state;
    if (nextExtent(nodes, entry.root, vblock, vblock + count)) return true;
    return this.#draft.writes(entry.id, vblock, count);
  }
}
