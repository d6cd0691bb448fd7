/**
 * A bounded cache of decoded values in two generations: what was used lately survives, the rest is
 * dropped a whole generation at a time. A hit costs one or two map look-ups and no bookkeeping of
 * order.
 */
export class Cache<V> {
  #young = new Map<number, V>();
  #old = new Map<number, V>();
  readonly #limit: number;

  /** Holds at most `limit` values, half of them in each generation. */
  constructor(limit: number) {
    this.#limit = Math.max(2, limit);
  }

  get(id: number): V | undefined {
    const young = this.#young.get(id);
    if (young !== undefined) return young;
    const old = this.#old.get(id);
    if (old !== undefined) this.set(id, old);
    return old;
  }

  set(id: number, value: V): void {
    if (this.#young.size >= this.#limit / 2) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(id, value);
  }

  delete(id: number): void {
    this.#young.delete(id);
    this.#old.delete(id);
  }
}
