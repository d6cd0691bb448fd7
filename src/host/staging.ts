/**
 * The two-phase path of blkspc: blocks that are staged under a cookie, written by their owner, and
 * only then committed into a map. What is staged is in no map and in no journal; after a crash it
 * is gone, and its space is free, without anyone cleaning up.
 *
 * Two kinds of blocks are staged: new ones (`cow`), which the allocator holds until they are
 * committed or given back, and preallocated ones that are mapped already (`unwritten`), which are
 * pinned: no ordinary write goes to them in place, and they are not reused while they are staged.
 */
import { checkLength, checkSignal } from "../base/arguments.ts";
import { BlockspaceError } from "../base/errors.ts";
import { blockChecksums } from "../base/checksum.ts";
import type { SubvolumeEntry } from "../format/checkpoint-values.ts";
import type { JournalRecord } from "../format/records.ts";
import { Cookie } from "../space/cookie.ts";
import { addressOf } from "../space/geometry.ts";
import type { Engine } from "./engine.ts";
import { type Iomap, isDirty } from "./iomap.ts";
import { firstPiece, type Piece } from "./pieces.ts";
import type { Planner } from "./planner.ts";

/** How a commit finds its blocks: newly staged, or preallocated and written in place. */
export type CommitMode = "cow" | "unwritten";

interface StagedBlock {
  /** Under which numbers it is kept. */
  readonly subvolume: number;
  readonly vblock: number;
  cookie: Cookie;
  mode: CommitMode;
  pblock: number;
  /** Of what was submitted; none before. */
  checksum: number | undefined;
  /** The last submission, until it is written. */
  writing: Promise<void> | undefined;
  /** The range was discarded after it was staged. */
  stale: boolean;
  shared: boolean;
}

/** The staged blocks of one subvolume by vblock. */
type StagedBlocks = Map<number, StagedBlock>;

export class Staging {
  readonly #engine: Engine;
  readonly #subvolumes = new Map<number, StagedBlocks>();
  /** With all that each has staged: a put looks at nobody else's blocks. */
  readonly #cookies = new Map<Cookie, Set<StagedBlock>>();
  readonly #writes = new Map<Cookie, Set<Promise<void>>>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Sets blocks aside for a new cookie; waits for busy blocks to come free, or `ENOSPC`. */
  async reserve(blocks: number, signal: AbortSignal | undefined): Promise<Cookie> {
    const { ledger } = this.#engine;
    return this.#engine.sequencer.run(async () => {
      checkSignal(signal);
      while (blocks > ledger.free) await this.#engine.makeSpace(() => blocks);
      checkSignal(signal);
      ledger.reserved += blocks;
      const cookie = new Cookie(blocks, (released) => this.#release(released));
      this.#cookies.set(cookie, new Set());
      return cookie;
    });
  }

  /** Stages the first run of `[from, to)`, or returns how it is staged by this cookie already. */
  allocate(cookie: Cookie, entry: SubvolumeEntry, from: number, to: number): Iomap {
    this.#checkCookie(cookie);
    if (cookie.cancelled) throw new BlockspaceError("ECANCELED", "the cookie is cancelled");
    const staged = this.#blocksOf(entry.id);
    const first = staged.get(from);
    if (first && first.cookie !== cookie) throw this.#busy(entry, from);
    if (first) return this.#again(entry, from, to);
    // No run is longer than a segment, and a range may have a thousand million blocks.
    const most = Math.min(to, from + this.#engine.state.geometry.segmentBlocks);
    let end = from + 1;
    while (end < most && !staged.has(end)) end++;
    const piece = firstPiece(this.#engine.state, entry.root, from, end);
    const inPlace = this.#inPlaceBlocks(piece);
    const facts = { subvolume: entry.id, cookie };
    if (inPlace > 0 && piece.pblock !== null) {
      this.#stage(from, piece.pblock, inPlace, { ...facts, mode: "unwritten" });
    } else {
      const run = this.#take(cookie, piece.inPlace ? 1 : piece.count);
      this.#stage(from, run.pblock, run.count, { ...facts, mode: "cow", shared: piece.shared });
    }
    return this.#iomapOfStaged(entry, from, to, true);
  }

  /**
   * Blocks at the start of a piece that can be staged where they are: nobody else has them staged.
   */
  #inPlaceBlocks({ pblock, count, inPlace }: Piece): number {
    if (!inPlace || pblock === null) return 0;
    let blocks = 0;
    while (blocks < count && !this.#engine.pinned.has(pblock + blocks)) blocks++;
    return blocks;
  }

  /**
   * Writes whole blocks to the start of a staged extent; to one block in the order of the calls.
   */
  async submit(
    entry: SubvolumeEntry,
    iomap: Iomap,
    data: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { geometry } = this.#engine.state;
    const { blockSize } = geometry;
    const first = iomap.offset / blockSize;
    const count = data.length / blockSize;
    const staged = this.#blocksOf(entry.id);
    for (let i = 0; i < count; i++) {
      const block = staged.get(first + i);
      const expected = (iomap.addr ?? -1) + i * blockSize;
      const { cookie } = staged.get(first) ?? {};
      if (block?.cookie !== cookie || !block || addressOf(geometry, block.pblock) !== expected) {
        throw new BlockspaceError("EINVAL", "the iomap is not (or no longer) a staged extent", {
          subvolume: entry.name,
          offset: iomap.offset + i * blockSize,
        });
      }
    }
    const blocks = Array.from({ length: count }, (_, i) => staged.get(first + i)!);
    const cookie = blocks[0]!.cookie;
    this.#checkCookie(cookie);
    const image = clipped(data, entry.size - iomap.offset);
    const sums = blockChecksums(image, blockSize);
    const before = new Set(blocks.flatMap((block) => block.writing ?? []));
    const write = (): Promise<void> => {
      checkSignal(signal);
      checkLength("data", image, count * blockSize);
      return this.#engine.writeData(image, blocks[0]!.pblock);
    };
    const writing = Promise.allSettled(before).then(write);
    for (const block of blocks) Object.assign(block, { checksum: undefined, writing });
    await this.#tracked(cookie, writing);
    blocks.forEach((block, i) => {
      if (block.writing === writing)
        Object.assign(block, { checksum: sums[i]!, writing: undefined });
    });
  }

  /** Resolves when nothing that was submitted is on its way any more. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#writes.values()].flatMap((writes) => [...writes]));
  }

  /** Plans the remapping of a staged range; refuses unless all of it is staged and submitted. */
  planCommit(
    planner: Planner,
    cookie: Cookie,
    entry: SubvolumeEntry,
    from: number,
    to: number,
    mode: CommitMode,
  ): void {
    this.#checkCookie(cookie);
    const staged = this.#blocksOf(entry.id);
    for (let vblock = from; vblock < to; vblock++) {
      this.#checkCommittable(staged.get(vblock), cookie, entry, vblock, mode);
    }
    for (const record of this.#records(staged, entry.id, from, to, mode)) {
      planner.add({ type: "record", record, submitted: true });
    }
    planner.afterwards(() => {
      for (let vblock = from; vblock < to; vblock++) {
        const block = staged.get(vblock);
        if (block) this.#drop(block);
      }
    });
  }

  /** What is staged where any of these bytes are must not be committed any more. */
  invalidate(subvolume: number, offset = 0, length: number = Infinity): void {
    const staged = this.#subvolumes.get(subvolume);
    if (!staged || length === 0) return;
    const { blockSize } = this.#engine.state.geometry;
    const first = Math.floor(offset / blockSize);
    const end = Math.ceil((offset + length) / blockSize);
    // Whichever is less to look at: the range, or what is staged.
    if (end - first < staged.size) {
      for (let vblock = first; vblock < end; vblock++) {
        const block = staged.get(vblock);
        if (block) block.stale = true;
      }
    } else {
      for (const block of staged.values()) {
        if (block.vblock >= first && block.vblock < end) block.stale = true;
      }
    }
  }

  #checkCommittable(
    block: StagedBlock | undefined,
    cookie: Cookie,
    entry: SubvolumeEntry,
    vblock: number,
    mode: CommitMode,
  ): void {
    const { state } = this.#engine;
    const offset = vblock * state.geometry.blockSize;
    const place = { subvolume: entry.name, offset };
    const refuse = (code: "EINVAL" | "ESTALE", why: string): never => {
      throw new BlockspaceError(code, `the block at ${offset} ${why}`, place);
    };
    if (!block || block.cookie !== cookie) return refuse("EINVAL", "is not staged by this cookie");
    if (block.stale) refuse("ESTALE", "was discarded after it was staged");
    if (block.mode !== mode) refuse("EINVAL", `is staged as ${block.mode}, not as ${mode}`);
    if (block.checksum === undefined) refuse("EINVAL", "is staged but was not submitted");
    if (mode !== "unwritten") return;
    const piece = firstPiece(state, entry.root, vblock, vblock + 1);
    if (piece.pblock !== block.pblock || !piece.unwritten) {
      refuse("ESTALE", "is mapped elsewhere since it was staged");
    }
  }

  #records(
    staged: StagedBlocks,
    subvolume: number,
    from: number,
    to: number,
    mode: CommitMode,
  ): JournalRecord[] {
    const { segmentBlocks } = this.#engine.state.geometry;
    const records: JournalRecord[] = [];
    let at = from;
    while (at < to) {
      const { pblock } = staged.get(at)!;
      let count = 1;
      const room = segmentBlocks - (pblock % segmentBlocks);
      while (at + count < to && count < room && staged.get(at + count)!.pblock === pblock + count) {
        count++;
      }
      const vblock = at;
      const checksums = Uint32Array.from(
        { length: count },
        (_, i) => staged.get(vblock + i)!.checksum!,
      );
      const type = mode === "cow" ? "remap" : "convert";
      records.push({ type, subvolume, vblock, pblock, count, checksums });
      at += count;
    }
    return records;
  }

  #take(cookie: Cookie, most: number): { pblock: number; count: number } {
    const { allocator, ledger } = this.#engine;
    if (cookie.remaining === 0) {
      throw new BlockspaceError("ENOSPC", "everything that the cookie reserved is staged or used");
    }
    const run = allocator.take(Math.min(most, cookie.remaining));
    allocator.hold(run);
    cookie.remaining -= run.count;
    ledger.reserved -= run.count;
    return run;
  }

  #stage(
    vblock: number,
    pblock: number,
    count: number,
    facts: { subvolume: number; cookie: Cookie; mode: CommitMode; shared?: boolean },
  ): void {
    for (let i = 0; i < count; i++) {
      this.#keep({
        shared: false,
        ...facts,
        vblock: vblock + i,
        pblock: pblock + i,
        checksum: undefined,
        writing: undefined,
        stale: false,
      });
      if (facts.mode === "unwritten") this.#engine.pinned.add(pblock + i);
    }
  }

  /** The block is staged, in the place of another that was, if one was. */
  #keep(block: StagedBlock): void {
    const { subvolume, vblock, cookie } = block;
    const staged = this.#blocksOf(subvolume);
    const own = this.#cookies.get(cookie)!;
    const former = staged.get(vblock);
    if (former) own.delete(former);
    own.add(block);
    this.#subvolumes.set(subvolume, staged.set(vblock, block));
  }

  /** The block is staged no longer; a new one that went into no map is free again. */
  #drop(block: StagedBlock): void {
    const staged = this.#blocksOf(block.subvolume);
    staged.delete(block.vblock);
    if (staged.size === 0) this.#subvolumes.delete(block.subvolume);
    this.#cookies.get(block.cookie)?.delete(block);
    if (block.mode === "unwritten") this.#engine.pinned.delete(block.pblock);
    else this.#engine.allocator.unhold({ pblock: block.pblock, count: 1 });
  }

  /** What the cookie has staged already; new blocks whose range was discarded may be used again. */
  #again(entry: SubvolumeEntry, from: number, to: number): Iomap {
    const staged = this.#blocksOf(entry.id);
    const { mode, stale } = staged.get(from)!;
    if (stale && mode === "unwritten") {
      throw new BlockspaceError("ESTALE", "the preallocated range was discarded; put the cookie", {
        subvolume: entry.name,
        offset: from * this.#engine.state.geometry.blockSize,
      });
    }
    const iomap = this.#iomapOfStaged(entry, from, to, false);
    const count = iomap.length / this.#engine.state.geometry.blockSize;
    for (let i = 0; stale && i < count; i++) {
      this.#keep({ ...staged.get(from + i)!, stale: false, checksum: undefined });
    }
    return iomap;
  }

  #iomapOfStaged(entry: SubvolumeEntry, from: number, to: number, fresh: boolean): Iomap {
    const { geometry } = this.#engine.state;
    const staged = this.#blocksOf(entry.id);
    const first = staged.get(from)!;
    let end = from + 1;
    for (; end < to; end++) {
      const block = staged.get(end);
      const follows = block?.pblock === first.pblock + (end - from);
      if (!follows || block.cookie !== first.cookie || block.stale !== first.stale) break;
      if (block.mode !== first.mode) break;
    }
    const dirty = isDirty(this.#engine, entry.id);
    return {
      offset: from * geometry.blockSize,
      length: (end - from) * geometry.blockSize,
      addr: addressOf(geometry, first.pblock),
      type: first.mode === "cow" ? "mapped" : "unwritten",
      flags: { new: fresh && first.mode === "cow", shared: first.shared, dirty },
    };
  }

  /** The last put: reserved blocks at once, staged ones when nobody writes to them any more. */
  #release(cookie: Cookie): void {
    this.#engine.ledger.reserved -= cookie.remaining;
    cookie.remaining = 0;
    const free = (): void => {
      for (const block of this.#cookies.get(cookie) ?? []) this.#drop(block);
      this.#cookies.delete(cookie);
    };
    const writes = this.#writes.get(cookie);
    if (!writes) free();
    else Promise.allSettled(writes).then(free, free);
  }

  async #tracked(cookie: Cookie, write: Promise<void>): Promise<void> {
    const writes = this.#writes.get(cookie) ?? new Set();
    this.#writes.set(cookie, writes.add(write));
    try {
      await write;
    } finally {
      writes.delete(write);
      if (writes.size === 0) this.#writes.delete(cookie);
    }
  }

  #blocksOf(subvolume: number): StagedBlocks {
    return this.#subvolumes.get(subvolume) ?? new Map<number, StagedBlock>();
  }

  #checkCookie(cookie: Cookie): void {
    if (this.#cookies.has(cookie) && !cookie.released) return;
    throw new BlockspaceError("EINVAL", "the cookie was released, or is of another host");
  }

  #busy(entry: SubvolumeEntry, vblock: number): BlockspaceError {
    const offset = vblock * this.#engine.state.geometry.blockSize;
    return new BlockspaceError("EBUSY", `the block at ${offset} is staged by another cookie`, {
      subvolume: entry.name,
      offset,
    });
  }
}

/** The data with zeroes from `length` on: what lies beyond the subvolume's end is not kept. */
function clipped(data: Uint8Array, length: number): Uint8Array {
  if (data.length <= length) return data;
  return new Uint8Array(data).fill(0, length);
}
