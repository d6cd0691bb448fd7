/**
 * Making a store larger while it is in use. Whatever cuts it short, and wherever, leaves a sound
 * store, as large as before or as large as it was to be:
 *
 *  1. The data device is made as long as it has to be, which is durable before
 *  2. the superblock says so: one slot, durable before the other is touched.
 *  3. Only when both are durable are there more blocks to allocate. So nothing refers to a block
 *     that some recovery would take to be beyond the end.
 *
 * Where it is cut short between the slots, the newer one counts, and the next opening for writing
 * completes the other before it allocates anything ({@link completeSlots}).
 *
 * A store does not become smaller: its blocks lie where they were written.
 */
import { checkSignal, checkWhole } from "../base/arguments.ts";
import { BlockspaceError } from "../base/errors.ts";
import { MAX_CAPACITY_BLOCKS, type Superblock } from "../format/superblock.ts";
import type { Directory } from "../device/device.ts";
import type { Engine } from "./engine.ts";
import { expectBothSlots, replaceSuperblock } from "./superblock-slots.ts";
import { checkWait, type WaitOptions } from "./wait.ts";

/** As many as a store of 16 TiB has that was made so large; each takes six bytes of memory. */
const MOST_SEGMENTS = 4_194_304;

export class Growth {
  readonly #engine: Engine;
  readonly #directory: Directory;
  #superblock: Superblock;

  /** `superblock` is what both slots hold. */
  constructor(engine: Engine, directory: Directory, superblock: Superblock) {
    this.#engine = engine;
    this.#directory = directory;
    this.#superblock = superblock;
  }

  /** Gives the store `capacity` bytes; in its turn among the changes, which wait meanwhile. */
  async to(capacity: number, options: WaitOptions): Promise<void> {
    checkWait(options);
    checkWhole("capacity", capacity, 1);
    this.#engine.checkWritable();
    await this.#engine.sequencer.run(() => {
      checkSignal(options.signal);
      return this.#grow(this.#blocksOf(capacity));
    });
  }

  #blocksOf(capacity: number): number {
    const { blockSize, segmentBlocks, capacityBlocks, dataOffset } = this.#superblock;
    const blocks = Math.floor(capacity / blockSize);
    const addressable = Math.floor((Number.MAX_SAFE_INTEGER - dataOffset) / blockSize);
    const most = Math.min(MAX_CAPACITY_BLOCKS, MOST_SEGMENTS * segmentBlocks, addressable);
    if (blocks >= capacityBlocks && blocks <= most) return blocks;
    throw new BlockspaceError(
      "EINVAL",
      `capacity is ${capacity} bytes; allowed are ${capacityBlocks * blockSize}, which the store ` +
        `has already, to ${most * blockSize}`,
    );
  }

  async #grow(capacityBlocks: number): Promise<void> {
    const { device, health } = this.#engine;
    health.checkWritable();
    const { sequence, capacityBlocks: former, dataOffset, blockSize } = this.#superblock;
    if (capacityBlocks === former) return;
    const larger = { ...this.#superblock, sequence: sequence + 1, capacityBlocks };
    await expectBothSlots(this.#directory);
    await device.extend(dataOffset + capacityBlocks * blockSize);
    await health.final("a flush of the data", device.flush());
    await health.final("a write of the superblock", replaceSuperblock(this.#directory, larger));
    this.#superblock = larger;
    this.#engine.grow(capacityBlocks);
  }
}
