/**
 * One kind of value of the state, in layers: what changed since the last freeze (*dirty*), what a
 * running checkpoint has still to take (*frozen*) and what it has (*taken*), what was read or
 * written lately (*clean*, bounded), and the newest durable environment below them all.
 *
 * Freezing is how a checkpoint is a snapshot of the state at no cost: the dirty layer is set aside
 * as it is, and a value in it that must change again before it was taken is copied first.
 */
import { BlockspaceError } from "../base/errors.ts";
import { open as openSealed, sealOwn } from "../format/sealed-value.ts";
import { Cache } from "./cache.ts";
import type { Change, Environment } from "./environment.ts";

/** How a value of the table is kept, and copied before a change. */
export interface Codec<V> {
  /** The body of its value, which is the caller's; best in memory of `newBody`. */
  encode(value: V): Uint8Array;
  /** Throws `ECORRUPT` on anything that `encode` cannot have written. */
  decode(body: Uint8Array): V;
  copy(value: V): V;
}

/** The environment that reads go to; replaced when a checkpoint has become durable. */
export interface Source {
  environment: Environment;
}

/** Stands in the clean layer for a value that is known not to exist. */
const absent = Symbol("absent");

export class Table<V extends {}> {
  readonly kind: number;
  readonly #codec: Codec<V>;
  readonly #source: Source;
  readonly #clean: Cache<V | typeof absent>;
  #dirty = new Map<number, V | null>();
  #frozen = new Map<number, V | null>();
  #taken = new Map<number, V | null>();

  constructor(kind: number, codec: Codec<V>, source: Source, cachedValues: number) {
    this.kind = kind;
    this.#codec = codec;
    this.#source = source;
    this.#clean = new Cache(cachedValues);
  }

  /** Values changed since the last freeze. */
  get dirtyCount(): number {
    return this.#dirty.size;
  }

  /** The value, not to be changed. */
  get(id: number): V | undefined {
    const changed = this.#changed(id);
    if (changed !== undefined) return changed ?? undefined;
    const clean = this.#clean.get(id);
    if (clean !== undefined) return clean === absent ? undefined : clean;
    const value = this.#load(id);
    this.#clean.set(id, value ?? absent);
    return value;
  }

  /**
   * The value as it has changed, `null` when it is gone. Most layers are empty most of the time,
   * and some always; a write asks a dozen times.
   */
  #changed(id: number): V | null | undefined {
    const dirty = this.#dirty.size > 0 ? this.#dirty.get(id) : undefined;
    if (dirty !== undefined) return dirty;
    const frozen = this.#frozen.size > 0 ? this.#frozen.get(id) : undefined;
    if (frozen !== undefined) return frozen;
    return this.#taken.size > 0 ? this.#taken.get(id) : undefined;
  }

  /** The value, to be changed in place. */
  edit(id: number): V | undefined {
    const dirty = this.#dirty.get(id);
    if (dirty !== undefined) return dirty ?? undefined;
    const value = this.get(id);
    if (value === undefined) return undefined;
    const own = this.#frozen.has(id) ? this.#codec.copy(value) : value;
    this.#dirty.set(id, own);
    this.#clean.delete(id);
    return own;
  }

  put(id: number, value: V): void {
    this.#dirty.set(id, value);
    this.#clean.delete(id);
  }

  delete(id: number): void {
    this.#dirty.set(id, null);
    this.#clean.delete(id);
  }

  /** Sets the dirty layer aside for a checkpoint. */
  freeze(): void {
    if (this.#frozen.size > 0 || this.#taken.size > 0) {
      throw new BlockspaceError("EINVAL", "a table is frozen by a checkpoint already");
    }
    this.#frozen = this.#dirty;
    this.#dirty = new Map();
  }

  /** What the freeze set aside, encoded one by one; each is taken once. */
  *changes(): Generator<Change> {
    const { kind } = this;
    for (const [id, value] of this.#frozen) {
      const sealed = value && sealOwn(kind, id, this.#codec.encode(value));
      this.#frozen.delete(id);
      this.#taken.set(id, value);
      yield { kind, id, value: sealed };
    }
  }

  /** The checkpoint is durable: what it wrote is clean. */
  thaw(): void {
    if (this.#frozen.size > 0) {
      throw new BlockspaceError("EINVAL", "a checkpoint has not taken all that was frozen");
    }
    for (const [id, value] of this.#taken) {
      if (!this.#dirty.has(id)) this.#clean.set(id, value ?? absent);
    }
    this.#taken = new Map();
  }

  #load(id: number): V | undefined {
    const sealed = this.#source.environment.get(this.kind, id);
    return sealed && this.#codec.decode(openSealed(this.kind, id, sealed));
  }
}
