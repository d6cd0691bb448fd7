/**
 * A virtual block address space: what `host.get(name)` hands out. It checks arguments, asks the
 * engine for order, and leaves the rest to the planner (changes), `reading.ts` and the staging of
 * the two-phase path.
 */
import {
  checkAligned,
  checkBytes,
  checkLength,
  checkRange,
  checkWhole,
  show,
} from "../base/arguments.ts";
import { BlockspaceError } from "../base/errors.ts";
import type { SubvolumeEntry } from "../format/checkpoint-values.ts";
import { checkCookie, type Cookie } from "../space/cookie.ts";
import type { BlockSpace } from "./block-space.ts";
import type { Engine } from "./engine.ts";
import { type Iomap, iomapOf } from "./iomap.ts";
import { firstPiece } from "./pieces.ts";
import { Planner, writableEntry } from "./planner.ts";
import { fillBlocksNow, memoryOf, readInTurn } from "./reading.ts";
import type { CommitMode, Staging } from "./staging.ts";
import { checkWait, untilAborted, type WaitOptions } from "./wait.ts";

export class Subvolume implements BlockSpace {
  /** Never used again, also after the subvolume is deleted. */
  readonly id: number;
  readonly #engine: Engine;
  readonly #staging: Staging;

  /** @internal Subvolumes come from {@link Host.get} and {@link Host.create}. */
  constructor(engine: Engine, staging: Staging, id: number) {
    this.#engine = engine;
    this.#staging = staging;
    this.id = id;
  }

  /** @internal True when it belongs to this engine's host. */
  isOf(engine: Engine): boolean {
    return this.#engine === engine;
  }

  get name(): string {
    return this.#entry().name;
  }

  /** Bytes. */
  get size(): number {
    return this.#entry().size;
  }

  /** True for a snapshot. */
  get readOnly(): boolean {
    return this.#entry().readOnly;
  }

  /**
   * Reads `length` bytes at `offset`, every write submitted before included. Holes and blocks that
   * were never written read as zeroes.
   *
   * @throws `ERANGE` beyond the size; `EBADSUM` when a block does not match its checksum; `EIO`.
   */
  async read(offset: number, length: number, options: WaitOptions = {}): Promise<Buffer> {
    const looking = this.#readInTurn(options, offset, length, memoryOf);
    const { from, image, filled } = looking instanceof Promise ? await looking : looking;
    const done = filled ? untilAborted(filled, options) : this.#engine.turns.after(length);
    if (done) await done;
    this.#countRead(length);
    const at = offset - from * this.#engine.state.geometry.blockSize;
    return image.length === length ? image : image.subarray(at, at + length);
  }

  /**
   * As {@link read} of so many bytes as `target` has, into `target`: for many or large reads, whose
   * memory would take longer to make and to collect than they do. When it is refused, `target` may
   * hold anything; until it resolves, nobody else may write to it.
   */
  async readInto(target: Uint8Array, offset: number, options: WaitOptions = {}): Promise<void> {
    checkWait(options);
    const isRead = this.readNow(target, offset);
    const { length } = target;
    if (isRead) {
      const turn = this.#engine.turns.after(length);
      if (turn) await turn;
      return;
    }
    if (this.#areWhole(offset, length)) {
      const { filled } = await this.#readInTurn(options, offset, length, () => {
        checkLength("target", target, length);
        return target;
      });
      await (filled ?? this.#engine.turns.after(length));
      this.#countRead(length);
    } else {
      const data = await this.read(offset, length, options);
      checkLength("target", target, length);
      target.set(data);
    }
  }

  /**
   * As {@link readInto}, where nothing has to be waited for: up to 1024 whole blocks that are in
   * memory or in the system's page cache, while no call before it is waiting. It returns `false`
   * where that is not so, and then `target` may hold anything; `readInto` is the way then. It costs
   * no promise, and many calls in a row keep the event loop from everything else.
   *
   * @throws what {@link read} is refused with.
   */
  readNow(target: Uint8Array, offset: number): boolean {
    checkBytes("target", target);
    const engine = this.#engine;
    engine.checkOpen();
    if (!engine.sequencer.idle) return false;
    const entry = this.#find();
    const { length } = target;
    checkRange(offset, length, entry.size, entry.name);
    if (!this.#areWhole(offset, length)) return false;
    const from = offset / engine.state.geometry.blockSize;
    if (!fillBlocksNow(engine, entry, from, target)) return false;
    this.#countRead(length);
    return true;
  }

  /** The range begins and ends between blocks. */
  #areWhole(offset: number, length: number): boolean {
    const { blockSize } = this.#engine.state.geometry;
    return offset % blockSize === 0 && length % blockSize === 0;
  }

  #readInTurn<B extends Uint8Array>(
    options: WaitOptions,
    offset: number,
    length: number,
    memory: (bytes: number) => B,
  ): ReturnType<typeof readInTurn<B>> {
    checkWait(options);
    this.#engine.checkOpen();
    const find = (): SubvolumeEntry => {
      checkWait(options);
      return this.#find();
    };
    return readInTurn(this.#engine, find, { offset, length }, memory);
  }

  #countRead(length: number): void {
    this.#engine.counters.reads++;
    this.#engine.counters.bytesRead += length;
  }

  /**
   * Writes `data` at `offset` as one commit: visible when it resolves, durable after the next
   * `flush`. The bytes must stay as they are until it resolves. However long, it is held in memory
   * as a whole until it is written: much data is best written in pieces of some MiB.
   *
   * @throws `ERANGE` beyond the size; `EROFS` for a snapshot; `ENOSPC`; `E2BIG`; `EIO`.
   */
  async write(offset: number, data: Uint8Array, options: WaitOptions = {}): Promise<void> {
    const { length } = checkBytes("data", data);
    await this.#change(options, (planner, entry) => {
      checkLength("data", data, length);
      checkRange(offset, length, entry.size, entry.name);
      return planner.write(entry, offset, data);
    });
  }

  /**
   * @internal As {@link write}, where nothing has to be waited for; `false` where something has,
   * and nothing was done then. Whole blocks only.
   */
  writeNow(offset: number, data: Uint8Array): boolean {
    const engine = this.#engine;
    engine.checkWritable();
    const entry = writableEntry(engine.state, this.id);
    const { length } = data;
    checkRange(offset, length, entry.size, entry.name);
    if (length === 0 || !this.#areWhole(offset, length)) return false;
    const { blockSize } = engine.state.geometry;
    const vblock = offset / blockSize;
    const count = length / blockSize;
    return engine.commitAtOnce({
      changes: [{ type: "write", subvolume: entry.id, vblock, count, image: data }],
    });
  }

  /**
   * Gives a range back: it reads as zeroes, to the byte, and its blocks come free. Where the range
   * ends within a block, that block is written: a new one, if a snapshot shares it (`ENOSPC`).
   */
  async discard(offset: number, length: number, options: WaitOptions = {}): Promise<void> {
    await this.#change(options, (planner, entry) => {
      checkRange(offset, length, entry.size, entry.name);
      planner.afterwards(() => this.#staging.invalidate(this.id, offset, length));
      return planner.zero(entry, offset, length);
    });
  }

  /** Makes a range read as zeroes, to the byte; holes are the cheapest zeroes there are. */
  async writeZeroes(offset: number, length: number, options: WaitOptions = {}): Promise<void> {
    await this.discard(offset, length, options);
  }

  /**
   * Allocates every hole in the range, rounded out to whole blocks, so that the first write there
   * cannot fail for want of space. What is allocated reads as zeroes. It is one commit, whatever
   * the length: each GiB keeps the event loop for some 80 ms, and 5 MiB of memory until the next
   * checkpoint; much space is best allocated in pieces of some GiB.
   */
  async preallocate(offset: number, length: number, options: WaitOptions = {}): Promise<void> {
    await this.#change(options, (planner, entry) => {
      checkRange(offset, length, entry.size, entry.name);
      const { blockSize } = this.#engine.state.geometry;
      const first = Math.floor(offset / blockSize);
      const last = length === 0 ? first : Math.ceil((offset + length) / blockSize);
      planner.allocate(entry, first, last - first);
    });
  }

  /** A new size in bytes, 1 or more. Growing adds a hole; shrinking gives back what is cut off. */
  async resize(size: number, options: WaitOptions = {}): Promise<void> {
    checkWhole("size", size, 1);
    await this.#change(options, (planner, entry) => {
      const cut = Math.max(0, entry.size - size);
      planner.afterwards(() => this.#staging.invalidate(this.id, size, cut));
      return planner.resize(entry, size);
    });
  }

  /** Makes every change submitted so far durable, those of other subvolumes too. */
  async flush(options: WaitOptions = {}): Promise<void> {
    this.#engine.checkOpen();
    this.#entry();
    checkWait(options);
    await untilAborted(this.#engine.flush(), options);
  }

  /** The first iomap of the range, clipped to it; `count` in bytes, to the end when left out. */
  map(offset: number, count?: number): Iomap {
    const entry = this.#entry();
    const rest = entry.size - checkWhole("offset", offset);
    const length = count === undefined ? Math.max(1, rest) : count;
    checkRange(offset, length, entry.size, entry.name);
    if (length === 0) {
      throw new BlockspaceError("EINVAL", "count is 0; allowed are 1 byte or more", { offset });
    }
    const { blockSize } = this.#engine.state.geometry;
    const from = Math.floor(offset / blockSize);
    const to = Math.ceil((offset + length) / blockSize);
    const piece = firstPiece(this.#engine.state, entry.root, from, to);
    return iomapOf(this.#engine, this.id, piece, offset, offset + length);
  }

  /** All iomaps of the range in order; changes made while it is iterated are seen. */
  extents(offset = 0, count?: number): Generator<Iomap, void> {
    const { name, size } = this.#entry();
    const rest = size - checkWhole("offset", offset);
    const length = count === undefined ? Math.max(0, rest) : count;
    checkRange(offset, length, size, name);
    return this.#extents(offset, offset + length);
  }

  *#extents(from: number, to: number): Generator<Iomap, void> {
    let at = from;
    while (at < Math.min(to, this.size)) {
      const iomap = this.map(at, Math.min(to, this.size) - at);
      yield iomap;
      at += iomap.length;
    }
  }

  /**
   * Sets `allocCount` times `blockSize` bytes aside; waits until busy blocks have come free.
   *
   * @throws `ENOSPC` when that is not enough; `EINVAL` unless `blockSize` is a multiple of the
   * host's.
   */
  async reserve(allocCount: number, blockSize: number, options: WaitOptions = {}): Promise<Cookie> {
    checkWait(options);
    this.#engine.checkWritable();
    this.#entry();
    const own = this.#engine.state.geometry.blockSize;
    checkWhole("blockSize", blockSize, 1);
    checkAligned("blockSize", blockSize, own);
    const blocks = checkWhole("allocCount", allocCount, 1) * (blockSize / own);
    checkWhole("the reservation in blocks", blocks, 1);
    return this.#staging.reserve(blocks, options.signal);
  }

  /** The same as `cookie.put()`. */
  unreserve(cookie: Cookie): void {
    checkCookie(cookie).put();
  }

  /**
   * Stages blocks for the start of the range, at least its first block: preallocated ones as they
   * are (`unwritten`), else new ones. What this cookie staged before is returned again.
   *
   * @throws `EBUSY` where another cookie has staged it; `ECANCELED`; `ENOSPC` when the cookie is
   * used up.
   */
  async allocate(
    cookie: Cookie,
    offset: number,
    count: number,
    options: WaitOptions = {},
  ): Promise<Iomap> {
    checkCookie(cookie);
    checkWait(options);
    this.#engine.checkWritable();
    return this.#engine.sequencer.run(() => {
      checkWait(options);
      const { entry, from, to } = this.#blockRange(offset, count);
      return this.#staging.allocate(cookie, entry, from, to);
    });
  }

  /**
   * Writes whole blocks to the start of a staged extent; only what was submitted can be committed.
   * The bytes are not copied: if they change before it resolves, the block reads as `EBADSUM`.
   */
  async submit(iomap: Iomap, data: Uint8Array, options: WaitOptions = {}): Promise<void> {
    checkWait(options);
    this.#engine.checkWritable();
    const { blockSize } = this.#engine.state.geometry;
    checkBytes("data", data);
    checkAligned("the length of data", data.length, blockSize);
    if (typeof iomap !== "object" || iomap === null) {
      throw new BlockspaceError("EINVAL", `the iomap is ${show(iomap)}`);
    }
    checkAligned("the iomap's offset", checkWhole("the iomap's offset", iomap.offset), blockSize);
    if (data.length === 0 || data.length > iomap.length) {
      throw new BlockspaceError(
        "EINVAL",
        `data has ${data.length} bytes; allowed are 1 block to ${iomap.length} bytes`,
      );
    }
    await this.#staging.submit(this.#entry(), iomap, data, options.signal);
  }

  /**
   * Remaps a staged and submitted range, as one commit; durable with `{ durable: true }`.
   *
   * @throws `EINVAL` unless all of it is staged, submitted and of this mode; `ESTALE` when it was
   * discarded or remapped since; nothing is changed then.
   */
  async commit(
    cookie: Cookie,
    offset: number,
    count: number,
    mode: CommitMode,
    options: WaitOptions & { durable?: boolean } = {},
  ): Promise<void> {
    checkCookie(cookie);
    if (mode !== "cow" && mode !== "unwritten") {
      throw new BlockspaceError("EINVAL", `mode is ${show(mode)}; allowed are "cow", "unwritten"`);
    }
    await this.#change(options, (planner) => {
      const { entry, from, to } = this.#blockRange(offset, count);
      this.#staging.planCommit(planner, cookie, entry, from, to, mode);
    });
    if (options.durable) await untilAborted(this.#engine.flush(), options);
  }

  /** The entry as it is now, or `ECLOSED` when the subvolume is deleted. */
  #entry(): SubvolumeEntry {
    this.#engine.checkOpen();
    return this.#find();
  }

  /** As {@link #entry}, for a call that was made before the host was closed. */
  #find(): SubvolumeEntry {
    const entry = this.#engine.state.catalogue.get(this.id);
    if (entry) return entry;
    throw new BlockspaceError("ECLOSED", "the subvolume was deleted");
  }

  async #change(
    options: WaitOptions,
    call: (planner: Planner, entry: SubvolumeEntry) => void | Promise<void>,
  ): Promise<void> {
    checkWait(options);
    await this.#engine.submit(() => {
      const planner = new Planner(this.#engine);
      const waits = call(planner, planner.writable(this.id));
      return waits ? waits.then(() => planner.plan()) : planner.plan();
    }, options.signal);
  }

  /** Whole blocks of this subvolume; the last one may reach beyond the size. */
  #blockRange(offset: number, count: number): { entry: SubvolumeEntry; from: number; to: number } {
    const entry = writableEntry(this.#engine.state, this.id);
    const { blockSize } = this.#engine.state.geometry;
    checkWhole("count", count, 1);
    checkAligned("offset", checkWhole("offset", offset), blockSize);
    checkAligned("count", count, blockSize);
    const blocks = Math.ceil(entry.size / blockSize);
    checkRange(offset, count, blocks * blockSize, entry.name);
    return { entry, from: offset / blockSize, to: (offset + count) / blockSize };
  }
}
