/**
 * The changes of a plan while it is made, and what they make of each block so far: in a transaction
 * every call sees what the calls before it will have done. Found by block, since there may be many
 * thousand calls.
 */
import type { PlannedChange } from "./plan.ts";
import { RangeIndex } from "./range-index.ts";

export class Draft {
  readonly changes: PlannedChange[] = [];
  readonly #blockSize: number;
  /** By subvolume, by vblock: the place of the last write to it among the changes. */
  readonly #writes = new Map<number, RangeIndex>();
  /** The same of what makes it a hole. */
  readonly #unmappings = new Map<number, RangeIndex>();
  /** Changes before this one are in the two above. */
  #known = 0;
  /** Behind the last record: what a write before it made may have been shared since. */
  #open = 0;

  constructor(blockSize: number) {
    this.#blockSize = blockSize;
  }

  add(change: PlannedChange): void {
    this.changes.push(change);
    if (change.type === "record") this.#open = this.changes.length;
  }

  /** What the changes make of a block; nothing where they do not touch it. */
  contents(subvolume: number, vblock: number): Uint8Array | undefined {
    const index = this.#writeTo(subvolume, vblock);
    const unmapped = this.#unmappings.get(subvolume)?.at(vblock) ?? -1;
    if (unmapped > index) return new Uint8Array(this.#blockSize);
    return index < 0 ? undefined : this.#image(index, vblock, 1);
  }

  /** Writes over blocks that are being written already, all by one change; `false` where not. */
  overwrite(
    subvolume: number,
    vblock: number,
    count: number,
    at: number,
    data: Uint8Array,
  ): boolean {
    const index = this.#writeTo(subvolume, vblock);
    if (index < this.#open) return false;
    const image = this.#image(index, vblock, count);
    if (image.length < count * this.#blockSize) return false;
    for (let i = 1; i < count; i++)
      if (this.#writeTo(subvolume, vblock + i) !== index) return false;
    image.set(data, at);
    return true;
  }

  /** Some of these blocks are written. */
  writes(subvolume: number, vblock: number, count: number): boolean {
    this.#learn();
    return this.#writes.get(subvolume)?.meets(vblock, count) ?? false;
  }

  #image(index: number, vblock: number, count: number): Uint8Array {
    const change = this.changes[index];
    if (change?.type !== "write") return new Uint8Array();
    const at = (vblock - change.vblock) * this.#blockSize;
    return change.image.subarray(at, at + count * this.#blockSize);
  }

  /** The place of the last write to a block, or -1. */
  #writeTo(subvolume: number, vblock: number): number {
    this.#learn();
    return this.#writes.get(subvolume)?.at(vblock) ?? -1;
  }

  #learn(): void {
    for (; this.#known < this.changes.length; this.#known++) {
      const change = this.changes[this.#known]!;
      if (change.type === "write") this.#learnRange(this.#writes, change);
      else if (change.type === "record" && change.record.type === "unmap") {
        this.#learnRange(this.#unmappings, change.record);
      }
    }
  }

  #learnRange(
    ranges: Map<number, RangeIndex>,
    { subvolume, vblock, count }: { subvolume: number; vblock: number; count: number },
  ): void {
    let known = ranges.get(subvolume);
    if (!known) ranges.set(subvolume, (known = new RangeIndex()));
    known.add(vblock, count, this.#known);
  }
}
