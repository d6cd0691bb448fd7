/**
 * What is known of every physical block: references, checksum, owner. One record for each segment,
 * loaded when it is needed; for every segment a resident count of its allocated blocks (two bytes,
 * 512 KiB for a store of 1 TiB with the usual segments), so that space is found without reading.
 *
 * Only `apply` changes this, by way of three verbs: `claim` allocates, `retain` and `release` count
 * the map leaves that refer to a block. A block without any is busy (`busy.ts`).
 */
import type { Source } from "../checkpoint/table.ts";
import { Table } from "../checkpoint/table.ts";
import { BlockspaceError } from "../base/errors.ts";
import { encodeLivePage, kinds, PAGE_ENTRIES } from "../format/checkpoint-values.ts";
import { seal } from "../format/sealed-value.ts";
import {
  copySegmentRecord,
  decodeSegmentRecord,
  encodeSegmentRecord,
  newSegmentRecord,
  type SegmentRecord,
} from "../format/segment-record.ts";
import type { Change } from "../checkpoint/environment.ts";
import type { BlockReferences } from "../map/tree.ts";
import { BusyBlocks } from "./busy.ts";
import {
  countsPerSegment,
  eachSegment,
  type Geometry,
  growGeometry,
  segmentsOnPage,
} from "./geometry.ts";

/** Who a block belongs to: always at this vblock, in subvolumes of this family. */
export interface Owner {
  family: number;
  vblock: number;
}

export class Segments implements BlockReferences {
  readonly geometry: Geometry;
  readonly busy: BusyBlocks;
  /** Allocated blocks in each segment. */
  live: Uint16Array;
  readonly #records: Table<SegmentRecord>;
  readonly #dirtyPages = new Set<number>();
  #frozenPages: Change[] = [];
  #allocated = 0;
  /** Blocks allocated since the state was made; never fewer. */
  claimed = 0;

  constructor(geometry: Geometry, source: Source, cachedRecords: number) {
    this.geometry = geometry;
    this.busy = new BusyBlocks(geometry);
    this.live = countsPerSegment(geometry);
    const codec = {
      encode: encodeSegmentRecord,
      decode: (body: Uint8Array) => decodeSegmentRecord(body, geometry.segmentBlocks),
      copy: copySegmentRecord,
    };
    this.#records = new Table(kinds.segment, codec, source, cachedRecords);
  }

  /** Blocks with at least one reference. */
  get allocated(): number {
    return this.#allocated;
  }

  get dirtyCount(): number {
    return this.#records.dirtyCount;
  }

  /** The record of a segment, not to be changed; none when nothing was ever allocated in it. */
  record(segment: number): SegmentRecord | undefined {
    return this.#records.get(segment);
  }

  /** References to one block. */
  references(pblock: number): number {
    const { segmentBlocks } = this.geometry;
    const record = this.#records.get(Math.floor(pblock / segmentBlocks));
    return record?.refs.get(pblock % segmentBlocks) ?? 0;
  }

  /** Allocates free blocks to their first owner; without checksums they are unwritten. */
  claim(pblock: number, count: number, owner: Owner, checksums: Uint32Array | null): void {
    this.#checkBounds(pblock, count);
    let done = 0;
    eachSegment(this.geometry, pblock, count, (segment, index, part) => {
      const record = this.#edit(segment);
      this.busy.allocated(segment, index, part);
      for (let i = index; i < index + part; i++, done++) {
        if (record.refs.get(i) !== 0) throw this.#damage(segment, i, "is allocated twice");
        record.refs.set(i, 1);
        record.written[i] = checksums ? 1 : 0;
        record.checksums[i] = checksums ? checksums[done]! : 0;
        record.families.set(i, owner.family);
        record.vblocks.set(i, owner.vblock + done);
      }
      this.#count(segment, part);
    });
    this.claimed += count;
  }

  /** The blocks, allocated before and unwritten, hold data now. */
  write(pblock: number, checksums: Uint32Array): void {
    this.#checkBounds(pblock, checksums.length);
    let done = 0;
    eachSegment(this.geometry, pblock, checksums.length, (segment, index, part) => {
      const record = this.#edit(segment);
      for (let i = index; i < index + part; i++, done++) {
        if (record.refs.get(i) === 0) {
          throw this.#damage(segment, i, "is written and not allocated");
        }
        record.written[i] = 1;
        record.checksums[i] = checksums[done]!;
      }
    });
  }

  retain(pblock: number, count: number): void {
    this.#checkBounds(pblock, count);
    eachSegment(this.geometry, pblock, count, (segment, index, part) => {
      const record = this.#edit(segment);
      for (let i = index; i < index + part; i++) {
        const references = record.refs.get(i);
        if (references === 0) throw this.#damage(segment, i, "is mapped and not allocated");
        record.refs.set(i, references + 1);
      }
    });
  }

  release(pblock: number, count: number): void {
    this.#checkBounds(pblock, count);
    eachSegment(this.geometry, pblock, count, (segment, index, part) => {
      const { refs } = this.#edit(segment);
      let freed = 0;
      for (let i = index; i < index + part; i++) {
        const references = refs.get(i);
        if (references === 0) throw this.#damage(segment, i, "is released and not allocated");
        refs.set(i, references - 1);
        if (references === 1) {
          freed++;
          continue;
        }
        this.#free(segment, i - freed, freed);
        freed = 0;
      }
      this.#free(segment, index + part - freed, freed);
    });
  }

  /** Moves everything known of one live block to a free one. */
  move(from: number, to: number): void {
    this.#checkBounds(to, 1);
    const { segmentBlocks } = this.geometry;
    const sourceSegment = Math.floor(from / segmentBlocks);
    const targetSegment = Math.floor(to / segmentBlocks);
    const source = this.#edit(sourceSegment);
    const target = this.#edit(targetSegment);
    const i = from % segmentBlocks;
    const j = to % segmentBlocks;
    if (source.refs.get(i) === 0) {
      throw this.#damage(sourceSegment, i, "is moved and not allocated");
    }
    if (target.refs.get(j) !== 0) throw this.#damage(targetSegment, j, "is allocated twice");
    this.busy.allocated(targetSegment, j, 1);
    target.refs.set(j, source.refs.get(i));
    target.written[j] = source.written[i]!;
    target.checksums[j] = source.checksums[i]!;
    target.families.set(j, source.families.get(i));
    target.vblocks.set(j, source.vblocks.get(i));
    this.#count(targetSegment, 1);
    source.refs.set(i, 0);
    this.#free(sourceSegment, i, 1);
  }

  /** The store has become larger: there are more segments, and the last one has more blocks. */
  grow(capacityBlocks: number): void {
    growGeometry(this.geometry, capacityBlocks);
    this.live = countsPerSegment(this.geometry, this.live);
    this.busy.grow();
  }

  freeze(): void {
    this.#records.freeze();
    this.busy.freeze();
    this.#frozenPages = [...this.#dirtyPages].map((id) => this.#livePage(id));
    this.#dirtyPages.clear();
  }

  /** What a checkpoint writes; busy bitmaps that the one before stored are taken away. */
  *changes(): Generator<Change> {
    yield* this.#records.changes();
    for (const page of this.#frozenPages) yield page;
    const kind = kinds.busy;
    const frozen = this.busy.frozen();
    for (const [id, bitmap] of frozen) yield { kind, id, value: seal(kind, id, bitmap) };
    for (const id of this.busy.formerSegments()) {
      if (!frozen.has(id)) yield { kind, id, value: null };
    }
  }

  thaw(): void {
    this.#records.thaw();
    this.busy.thaw();
    this.#frozenPages = [];
  }

  /**
   * Takes up a page of counts from a checkpoint. One from before the store was made larger is
   * written anew: replayed from either checkpoint, the state is the same to the byte.
   */
  loadLive(page: number, counts: Uint16Array): void {
    if (counts.length < segmentsOnPage(this.geometry, page)) this.#dirtyPages.add(page);
    this.live.set(counts, page * PAGE_ENTRIES);
    for (const count of counts) this.#allocated += count;
  }

  #livePage(id: number): Change {
    const start = id * PAGE_ENTRIES;
    const counts = this.live.slice(start, start + segmentsOnPage(this.geometry, id));
    const kind = kinds.segmentLive;
    return { kind, id, value: seal(kind, id, encodeLivePage(counts)) };
  }

  #edit(segment: number): SegmentRecord {
    const record = this.#records.edit(segment);
    if (record) return record;
    const fresh = newSegmentRecord(this.geometry.segmentBlocks);
    this.#records.put(segment, fresh);
    return fresh;
  }

  #free(segment: number, index: number, count: number): void {
    if (count === 0) return;
    this.#count(segment, -count);
    this.busy.add(segment * this.geometry.segmentBlocks + index, count);
  }

  #count(segment: number, blocks: number): void {
    this.live[segment]! += blocks;
    this.#allocated += blocks;
    this.#dirtyPages.add(Math.floor(segment / PAGE_ENTRIES));
  }

  #checkBounds(pblock: number, count: number): void {
    if (pblock + count > this.geometry.capacityBlocks) {
      throw new BlockspaceError("ECORRUPT", `block ${pblock} + ${count} is beyond the capacity`);
    }
  }

  #damage(segment: number, index: number, what: string): BlockspaceError {
    const pblock = segment * this.geometry.segmentBlocks + index;
    return new BlockspaceError("ECORRUPT", `physical block ${pblock} ${what}`);
  }
}
