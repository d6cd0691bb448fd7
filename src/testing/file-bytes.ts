/**
 * The bytes of a simulated file, in pages that copies share until one of them is written to.
 *
 * A page that is not there is all zeroes, so a sparse file costs what is in it. {@link FileBytes}
 * can be changed; {@link FileImage} is what it held at one moment, never changes, and shares its
 * pages. That is what makes a crash state cost no more than what differs in it.
 */
import { type Fingerprint, fingerprintOf, NOTHING, placed, sum } from "./fingerprint.ts";

export const PAGE_BYTES = 4096;
/** What a device writes whole or not at all, unless a model of crashes says otherwise. */
export const SECTOR_BYTES = 512;

const ZERO_PAGE: Uint8Array = new Uint8Array(PAGE_BYTES);

/** Pages are never changed once an image holds them, so each is looked at once. */
const fingerprints = new WeakMap<Uint8Array, Fingerprint>();

/** A file as it was at one moment. */
export class FileImage {
  static readonly empty: FileImage = new FileImage(0, new Map());
  readonly size: number;
  readonly pages: ReadonlyMap<number, Uint8Array>;
  #fingerprint: Fingerprint | undefined;

  constructor(size: number, pages: ReadonlyMap<number, Uint8Array>) {
    this.size = size;
    this.pages = pages;
  }

  get fingerprint(): Fingerprint {
    if (this.#fingerprint) return this.#fingerprint;
    const gibibytes = Math.floor(this.size / 2 ** 30);
    let total: Fingerprint = { a: Math.imul(gibibytes, 0x2c1b3c6d), b: this.size | 0 };
    for (const [number, page] of this.pages) {
      let own = fingerprints.get(page);
      if (!own) fingerprints.set(page, (own = fingerprintOf(page)));
      if (own !== NOTHING) total = sum(total, placed(own, number));
    }
    return (this.#fingerprint = total);
  }
}

export class FileBytes {
  #size: number;
  #pages: Map<number, Uint8Array>;
  /** The image that shares the map of pages, if there is one. */
  #image: FileImage | undefined;
  /** Pages that no image shares. */
  #owned = new Set<number>();

  constructor(image: FileImage = FileImage.empty) {
    this.#size = image.size;
    this.#pages = image.pages as Map<number, Uint8Array>;
    this.#image = image;
  }

  get size(): number {
    return this.#size;
  }

  /** Bytes that the pages take, as `stat` tells those that a file takes on a disk. */
  get occupiedBytes(): number {
    return this.#pages.size * PAGE_BYTES;
  }

  /** What it holds now; later changes do not show in it. */
  freeze(): FileImage {
    if (this.#image) return this.#image;
    this.#owned = new Set();
    return (this.#image = new FileImage(this.#size, this.#pages));
  }

  /** Reads what is there, zeroes beyond the end. */
  read(target: Uint8Array, offset: number): void {
    for (let done = 0; done < target.length;) {
      const number = Math.floor((offset + done) / PAGE_BYTES);
      const start = (offset + done) % PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - start, target.length - done);
      const page = this.#pages.get(number) ?? ZERO_PAGE;
      target.set(page.subarray(start, start + count), done);
      done += count;
    }
  }

  /** Writes `bytes` within the pages; the size stays as it is. */
  write(bytes: Uint8Array, offset: number): void {
    for (let done = 0; done < bytes.length;) {
      const number = Math.floor((offset + done) / PAGE_BYTES);
      const start = (offset + done) % PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - start, bytes.length - done);
      const part = bytes.subarray(done, done + count);
      if (count === PAGE_BYTES) this.#put(number, new Uint8Array(part));
      else this.#own(number).set(part, start);
      done += count;
    }
  }

  /** Zeroes a range; a whole page of zeroes takes no memory. */
  clear(offset: number, length: number): void {
    const end = offset + length;
    for (const number of this.#pagesWithin(offset, end)) {
      const start = Math.max(offset - number * PAGE_BYTES, 0);
      const stop = Math.min(end - number * PAGE_BYTES, PAGE_BYTES);
      if (start === 0 && stop === PAGE_BYTES) this.#drop(number);
      else this.#own(number).fill(0, start, stop);
    }
  }

  /** Cuts the file or lets it grow; what was cut off does not come back. */
  resize(size: number): void {
    if (size === this.#size) return;
    if (size < this.#size) this.clear(size, Number.MAX_SAFE_INTEGER - size);
    this.#change();
    this.#size = size;
  }

  /** Before the first change after an image was taken: a map of its own. */
  #change(): void {
    if (!this.#image) return;
    this.#image = undefined;
    this.#pages = new Map(this.#pages);
  }

  #put(number: number, page: Uint8Array): void {
    this.#change();
    this.#pages.set(number, page);
    this.#owned.add(number);
  }

  #drop(number: number): void {
    this.#change();
    this.#pages.delete(number);
    this.#owned.delete(number);
  }

  /** A page that may be written into. */
  #own(number: number): Uint8Array {
    const page = this.#pages.get(number);
    if (page && this.#owned.has(number)) {
      this.#change();
      return page;
    }
    const copy = page ? new Uint8Array(page) : new Uint8Array(PAGE_BYTES);
    this.#put(number, copy);
    return copy;
  }

  /** The pages with any byte from `offset` to `end`. */
  #pagesWithin(offset: number, end: number): number[] {
    const first = Math.floor(offset / PAGE_BYTES);
    const last = Math.ceil(end / PAGE_BYTES) - 1;
    const found: number[] = [];
    if (last - first < this.#pages.size) {
      for (let number = first; number <= last; number++) {
        if (this.#pages.has(number)) found.push(number);
      }
    } else {
      for (const number of this.#pages.keys()) {
        if (number >= first && number <= last) found.push(number);
      }
    }
    return found;
  }
}

/** The lengths of the parts into which the edges of sectors cut a range. */
export function sectorsOf(offset: number, length: number, sectorBytes: number): number[] {
  const lengths: number[] = [];
  for (let done = 0; done < length; done += lengths.at(-1)!) {
    const toEdge = sectorBytes - ((offset + done) % sectorBytes);
    lengths.push(Math.min(toEdge, length - done));
  }
  return lengths;
}
