/**
 * The bytes of a file in memory, and what becomes of them in a crash (promises 1 to 4 of a device).
 *
 * Two layers of 4 KiB pages: `durable` is what the last flush left, `changed` holds the pages that
 * were written since. A page that is in neither is all zeroes, so a sparse file costs what is in
 * it. A durable page is never changed in place: the first write after a flush copies it. Any number
 * of crashed copies can therefore share it, which makes a crash state cost little more than what
 * was not flushed.
 *
 * Beside the layers stands the list of unflushed writes, in order. The newest bytes alone would not
 * do: of two writes to one sector a device may have kept the first and lost the second.
 *
 * A flush covers the writes that *resolved* before it was called, no others. Who forgets to wait
 * for a write before the flush finds it lost here, as on a real device with bad luck.
 */

/** A number from 0 to 1, 1 not included, as from `Math.random`. */
export type Random = () => number;

type Pages = Map<number, Uint8Array>;

/** The part of a write that falls into one page; `bytes` are never changed. */
interface Piece {
  page: number;
  start: number;
  bytes: Uint8Array;
}

/** A write or discard that no flush has covered yet. */
interface Unflushed {
  pieces: Piece[];
  /** Its promise has resolved, so that the next flush covers it. */
  resolved: boolean;
}

const PAGE_BYTES = 4096;
const SECTOR_BYTES = 512;
/** Stands for a page of zeroes wherever one is needed; never written into. */
const ZERO_PAGE: Uint8Array = new Uint8Array(PAGE_BYTES);

export class MemoryFile {
  readonly size: number;
  /** Holders of a lock on this file: the number of shared ones, or -1 for one exclusive one. */
  lockHolders = 0;
  #durable: Pages;
  #durableSize: number;
  #changed: Pages = new Map();
  #unflushed: Unflushed[] = [];

  /** A new file of zeroes; its size is as little durable as its bytes. */
  constructor(size: number, durable: Pages = new Map(), durableSize = 0) {
    this.size = size;
    this.#durable = durable;
    this.#durableSize = durableSize;
  }

  /** Bytes that the file takes in memory, as `stat` tells those that one takes on a disk. */
  get occupiedBytes(): number {
    const pages = new Set(this.#durable.keys());
    for (const [page, bytes] of this.#changed) {
      if (bytes === ZERO_PAGE) pages.delete(page);
      else pages.add(page);
    }
    return pages.size * PAGE_BYTES;
  }

  read(target: Uint8Array, offset: number): void {
    for (let done = 0; done < target.length;) {
      const page = Math.floor((offset + done) / PAGE_BYTES);
      const start = (offset + done) % PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - start, target.length - done);
      target.set(this.#page(page).subarray(start, start + count), done);
      done += count;
    }
  }

  /** Takes `bytes`, which must not change from now on; resolves when the next flush covers them. */
  write(bytes: Uint8Array, offset: number): Promise<void> {
    const pieces: Piece[] = [];
    for (let done = 0; done < bytes.length;) {
      const page = Math.floor((offset + done) / PAGE_BYTES);
      const start = (offset + done) % PAGE_BYTES;
      const count = Math.min(PAGE_BYTES - start, bytes.length - done);
      pieces.push({ page, start, bytes: bytes.subarray(done, done + count) });
      done += count;
    }
    return this.#change(pieces);
  }

  /** Zeroes the range; a whole page of zeroes takes no memory. */
  discard(offset: number, length: number): Promise<void> {
    const end = offset + length;
    const pieces = this.#pagesWithin(offset, end).map((page) => {
      const base = page * PAGE_BYTES;
      const start = Math.max(offset - base, 0);
      const bytes = ZERO_PAGE.subarray(start, Math.min(end - base, PAGE_BYTES));
      return { page, start, bytes };
    });
    return this.#change(pieces);
  }

  flush(): void {
    this.#durableSize = this.size;
    const waiting = this.#unflushed.filter((write) => !write.resolved);
    if (waiting.length === 0) {
      for (const [page, bytes] of this.#changed) settle(this.#durable, page, bytes);
      this.#changed.clear();
    } else {
      const fresh: Pages = new Map();
      for (const { pieces, resolved } of this.#unflushed) {
        if (resolved) for (const piece of pieces) put(piece, fresh, this.#durable);
      }
      for (const [page, bytes] of fresh) settle(this.#durable, page, bytes);
    }
    this.#unflushed = waiting;
  }

  /**
   * The file after loss of power. Every unflushed write is lost (`random` below 1/3), torn (each
   * sector of it lost or kept), or kept (2/3 and above); so is an unflushed size, which is never
   * torn.
   */
  crashed(random: Random): MemoryFile {
    const sizeKept = this.#durableSize === this.size || random() >= 1 / 2;
    const fresh: Pages = new Map();
    for (const { pieces } of this.#unflushed) {
      const fate = random();
      if (fate < 1 / 3) continue;
      for (const piece of pieces) {
        for (const part of fate < 2 / 3 ? sectorsOf(piece) : [piece]) {
          if (fate >= 2 / 3 || random() >= 1 / 2) put(part, fresh, this.#durable);
        }
      }
    }
    const pages = new Map(this.#durable);
    for (const [page, bytes] of fresh) settle(pages, page, bytes);
    const size = sizeKept ? this.size : this.#durableSize;
    return new MemoryFile(size, pages, size);
  }

  /** The file after the death of the process: all is there, and as little durable as before. */
  killed(): MemoryFile {
    const copy = new MemoryFile(this.size, new Map(this.#durable), this.#durableSize);
    for (const [page, bytes] of this.#changed) {
      copy.#changed.set(page, bytes === ZERO_PAGE ? bytes : bytes.slice());
    }
    copy.#unflushed = this.#unflushed.map(({ pieces }) => ({ pieces, resolved: true }));
    return copy;
  }

  #change(pieces: Piece[]): Promise<void> {
    const write = { pieces, resolved: false };
    for (const piece of pieces) put(piece, this.#changed, this.#durable);
    this.#unflushed.push(write);
    return Promise.resolve().then(() => void (write.resolved = true));
  }

  #page(page: number): Uint8Array {
    return this.#changed.get(page) ?? this.#durable.get(page) ?? ZERO_PAGE;
  }

  /** The pages that hold any of the range. */
  #pagesWithin(offset: number, end: number): number[] {
    const found = new Set<number>();
    const first = Math.floor(offset / PAGE_BYTES);
    const last = Math.ceil(end / PAGE_BYTES) - 1;
    for (const layer of [this.#durable, this.#changed]) {
      if (last - first < layer.size) {
        for (let page = first; page <= last; page++) if (layer.has(page)) found.add(page);
      } else {
        for (const page of layer.keys()) if (page >= first && page <= last) found.add(page);
      }
    }
    return [...found];
  }
}

/** Puts a piece into its page in `layer`, which is copied from `below` when it is not there yet. */
function put({ page, start, bytes }: Piece, layer: Pages, below: Pages): void {
  if (bytes.length === PAGE_BYTES) {
    const zeroes = bytes.buffer === ZERO_PAGE.buffer;
    layer.set(page, zeroes ? ZERO_PAGE : bytes.slice());
    return;
  }
  let target = layer.get(page);
  if (target === undefined || target === ZERO_PAGE) {
    target = (target ?? below.get(page) ?? ZERO_PAGE).slice();
    layer.set(page, target);
  }
  target.set(bytes, start);
}

/** Makes a page part of a durable layer. */
function settle(durable: Pages, page: number, bytes: Uint8Array): void {
  if (bytes === ZERO_PAGE) durable.delete(page);
  else durable.set(page, bytes);
}

function* sectorsOf({ page, start, bytes }: Piece): Iterable<Piece> {
  for (let done = 0; done < bytes.length;) {
    const count = Math.min(SECTOR_BYTES - ((start + done) % SECTOR_BYTES), bytes.length - done);
    yield { page, start: start + done, bytes: bytes.subarray(done, done + count) };
    done += count;
  }
}
