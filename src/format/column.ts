/**
 * A column of whole numbers that is as wide as the largest of them needs: 1, 2 or 4 bytes for each,
 * and 8 beyond. It grows by itself and never shrinks; nearly all columns stay as narrow as they
 * begin.
 */
export type Values = Uint8Array | Uint16Array | Uint32Array | Float64Array;

export class Column {
  #values: Values;
  #most: number;

  /** Over memory of the caller's, which holds zeroes. */
  constructor(values: Values) {
    this.#values = values;
    this.#most = mostIn(values);
  }

  get length(): number {
    return this.#values.length;
  }

  /** All of them, for a loop; a column that has grown leaves them behind. */
  get values(): Values {
    return this.#values;
  }

  /** 0 where there is none. */
  get(index: number): number {
    return this.#values[index] ?? 0;
  }

  set(index: number, value: number): void {
    if (value > this.#most) this.#become(widerFor(value, this.length));
    this.#values[index] = value;
  }

  [Symbol.iterator](): IterableIterator<number> {
    return this.#values.values();
  }

  /** Takes over all values of a column of the same length. */
  copy(other: Column): void {
    if (other.#most > this.#most) this.#become(widerFor(other.#most, this.length));
    this.#values.set(other.#values);
  }

  #become(values: Values): void {
    values.set(this.#values);
    this.#values = values;
    this.#most = mostIn(values);
  }
}

function mostIn(values: Values): number {
  return values instanceof Float64Array
    ? Number.MAX_SAFE_INTEGER
    : 2 ** (8 * values.BYTES_PER_ELEMENT) - 1;
}

function widerFor(value: number, length: number): Values {
  if (value < 2 ** 16) return new Uint16Array(length);
  return value < 2 ** 32 ? new Uint32Array(length) : new Float64Array(length);
}
