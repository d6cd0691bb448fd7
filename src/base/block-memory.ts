/**
 * Memory for data that waits to be written: slots of one block each, carved in order out of chunks,
 * and a chunk is used again when none of its slots is referred to any more.
 *
 * Memory that is left to the garbage collector instead costs a third of the time of large writes:
 * it lies outside of the JavaScript heap, and the collector runs all the time to get it back.
 *
 * A slot is a number, so that a table of them holds no objects; slots of one run lie side by side.
 */
import { MiB } from "./units.ts";

/** Of a chunk at most: who keeps less has smaller ones. */
const CHUNK_BYTES: number = MiB;

/** Slots side by side, in one chunk. */
export interface SlotRun {
  slot: number;
  count: number;
}

export class BlockMemory {
  readonly #blockSize: number;
  readonly #chunkSlots: number;
  /** Chunks kept for the next use when nothing refers to them. */
  readonly #keptChunks: number;
  readonly #chunks: (Uint8Array | undefined)[] = [];
  /** By chunk: how often its slots are referred to, all in all. */
  readonly #references: number[] = [];
  /** Chunks that nothing refers to: with their memory, and without. */
  readonly #free: number[] = [];
  readonly #empty: number[] = [];
  /** Slots are taken from here. */
  #open = -1;
  #used = 0;

  /** Keeps up to `keptBytes` for the next use. */
  constructor(blockSize: number, keptBytes: number) {
    this.#blockSize = blockSize;
    const chunkBytes = Math.min(CHUNK_BYTES, keptBytes);
    this.#chunkSlots = Math.max(1, Math.floor(chunkBytes / blockSize));
    this.#keptChunks = Math.ceil(keptBytes / (this.#chunkSlots * blockSize));
  }

  /** Bytes of all chunks, referred to or kept. */
  get bytes(): number {
    const chunks = this.#chunks.length - this.#empty.length;
    return chunks * this.#chunkSlots * this.#blockSize;
  }

  /** 1 to `most` slots, with one reference to each; they hold anything. */
  take(most: number): SlotRun {
    if (this.#open < 0 || this.#used === this.#chunkSlots) this.#openNext();
    const count = Math.min(most, this.#chunkSlots - this.#used);
    const slot = this.#open * this.#chunkSlots + this.#used;
    this.#used += count;
    this.#references[this.#open]! += count;
    return { slot, count };
  }

  /** One more reference to each slot of a run. */
  retain({ slot, count }: SlotRun): void {
    this.#references[this.#chunkOf(slot)]! += count;
  }

  /** One reference fewer to each slot of a run; without any it may be taken again. */
  release({ slot, count }: SlotRun): void {
    const chunk = this.#chunkOf(slot);
    const left = (this.#references[chunk]! -= count);
    if (left > 0) return;
    if (chunk === this.#open) this.#used = 0;
    else this.#giveBack(chunk);
  }

  /** The bytes of a run, until it is released. */
  view({ slot, count }: SlotRun): Uint8Array {
    const start = (slot % this.#chunkSlots) * this.#blockSize;
    return this.#chunks[this.#chunkOf(slot)]!.subarray(start, start + count * this.#blockSize);
  }

  /** True when `slot` is the one behind `run`, in the same chunk. */
  continues(run: SlotRun, slot: number): boolean {
    return run.slot + run.count === slot && slot % this.#chunkSlots !== 0;
  }

  #chunkOf(slot: number): number {
    return Math.floor(slot / this.#chunkSlots);
  }

  #openNext(): void {
    const full = this.#open;
    this.#open = this.#free.pop() ?? this.#newChunk();
    this.#used = 0;
    if (full >= 0 && this.#references[full] === 0) this.#giveBack(full);
  }

  #newChunk(): number {
    const chunk = this.#empty.pop() ?? this.#chunks.length;
    this.#chunks[chunk] = new Uint8Array(this.#chunkSlots * this.#blockSize);
    this.#references[chunk] = 0;
    return chunk;
  }

  #giveBack(chunk: number): void {
    if (this.#free.length < this.#keptChunks) {
      this.#free.push(chunk);
      return;
    }
    this.#chunks[chunk] = undefined;
    this.#empty.push(chunk);
  }
}
