/**
 * Data that is not at its place on the data device yet: blocks of the open batch, and blocks that
 * went into the journal with theirs. Reads are served from here until the write to their place has
 * resolved.
 *
 * Which blocks a write-out takes is decided at the moment it is called, never later: a checkpoint
 * relies on having every block that its state refers to. A block that no map refers to at that
 * moment is dropped; every state that a crash could still lead back to finds it in the journal.
 *
 * Write-outs follow each other: two at once would wait for each other in the system, which lets one
 * writer at a time into a file, and spend a processor on it.
 */
import type { BlockMemory, SlotRun } from "../base/block-memory.ts";
import { MiB } from "../base/units.ts";
import type { Device } from "../device/device.ts";
import { addressOf, type Geometry } from "../space/geometry.ts";
import type { Health } from "./health.ts";
import { SlotTable } from "./slot-table.ts";

/** The most that goes out in one write. */
const MOST_BYTES_AT_ONCE: number = MiB;

/** Each write that is durable by itself flushes the device; more of them are worth one flush. */
const MOST_WRITES_THROUGH = 2;
/** Dead blocks that are written to join the live ones on both sides: less than a call costs. */
const MOST_BRIDGED = 8;

/** A write-out under way. */
interface WriteOut {
  blocks: SlotTable;
  done: Promise<void>;
}

/** Blocks that go to the device in one write. */
interface Run {
  pblock: number;
  count: number;
  slots: SlotRun[];
}

export interface PendingParts {
  device: Device;
  geometry: Geometry;
  memory: BlockMemory;
  health: Health;
  /** A map refers to the block. */
  isLive: (pblock: number) => boolean;
}

export class PendingData {
  readonly memory: BlockMemory;
  readonly #device: Device;
  readonly #geometry: Geometry;
  readonly #health: Health;
  readonly #isLive: (pblock: number) => boolean;
  /** Blocks that no write has been issued for. */
  #waiting = new SlotTable();
  /** The newest first. */
  readonly #writing: WriteOut[] = [];
  #flushing: Promise<void> = Promise.resolve();
  /** Something was written that no flush has covered yet; perhaps before the host was opened. */
  #unflushed = true;

  constructor({ device, geometry, memory, health, isLive }: PendingParts) {
    this.memory = memory;
    this.#device = device;
    this.#geometry = geometry;
    this.#health = health;
    this.#isLive = isLive;
  }

  /** Bytes held. */
  get bytes(): number {
    let blocks = this.#waiting.size;
    for (const writeOut of this.#writing) blocks += writeOut.blocks.size;
    return blocks * this.#geometry.blockSize;
  }

  /** Those of them whose write has not been issued. */
  get unwrittenBytes(): number {
    return this.#waiting.size * this.#geometry.blockSize;
  }

  /** A write-out is under way. */
  get isWriting(): boolean {
    return this.#writing.length > 0;
  }

  /**
   * Copies whole blocks, the first of which belongs at `pblock`; returns where they are held. None
   * of them waits already: to be given away again, a block must have come free (promise I4).
   */
  put(pblock: number, data: Uint8Array): SlotRun[] {
    const { blockSize } = this.#geometry;
    const count = data.length / blockSize;
    const runs: SlotRun[] = [];
    for (let done = 0; done < count;) {
      const run = this.memory.take(count - done);
      this.memory.view(run).set(data.subarray(done * blockSize, (done + run.count) * blockSize));
      this.#waiting.add(pblock + done, run.slot, run.count);
      runs.push(run);
      done += run.count;
    }
    return runs;
  }

  /** Takes up blocks that replay found in the journal, as far as a map still refers to them. */
  restore(slots: ReadonlyMap<number, number>): void {
    for (const [pblock, slot] of slots) {
      if (this.#isLive(pblock)) this.#waiting.add(pblock, slot);
      else this.memory.release({ slot, count: 1 });
    }
  }

  /** The data of a block, to be copied at once. */
  get(pblock: number): Uint8Array | undefined {
    const slot = this.#slotOf(pblock);
    return slot === undefined ? undefined : this.memory.view({ slot, count: 1 });
  }

  has(pblock: number): boolean {
    return this.#slotOf(pblock) !== undefined;
  }

  #slotOf(pblock: number): number | undefined {
    let slot = this.#waiting.get(pblock);
    for (let i = 0; slot === undefined && i < this.#writing.length; i++) {
      slot = this.#writing[i]!.blocks.get(pblock);
    }
    return slot;
  }

  /**
   * Writes every block held at this moment to its place; resolves when these and all that were
   * issued before are written (not flushed). Little data that is to be `durable` at once is made so
   * while it is written, where the medium can: the flush that follows has nothing to do then.
   */
  async writeOut(durable = false): Promise<void> {
    const blocks = this.#waiting;
    const runs = this.#runsOf(blocks);
    this.#waiting = new SlotTable();
    const before = this.#writing[0]?.done ?? Promise.resolve();
    const written = before.then(() => this.#write(runs, durable));
    const writeOut: WriteOut = { blocks, done: written.then(() => this.#letGo(writeOut, runs)) };
    this.#writing.unshift(writeOut);
    writeOut.done.catch(() => undefined);
    return writeOut.done;
  }

  /** Resolves when the write-out that has been under way for longest has ended, if there is one. */
  async oldestWritten(): Promise<void> {
    await this.#writing.at(-1)?.done;
  }

  /**
   * Makes what has been written durable. Flushes go one at a time, and after one that failed there
   * is no other (promise I7): the system tells of a failure once, so a second flush would pass
   * although the data of the first is lost.
   */
  async flush(): Promise<void> {
    const flushed = this.#flushing.then(() => this.#flush());
    this.#flushing = flushed;
    flushed.catch(() => undefined);
    return flushed;
  }

  async #flush(): Promise<void> {
    if (!this.#unflushed) return;
    this.#unflushed = false;
    await this.#final(this.#device.flush());
  }

  /**
   * The blocks in the order of their places, as few writes. What no map refers to any more is
   * dropped, unless it lies between others and would make two writes of one.
   */
  #runsOf(blocks: SlotTable): Run[] {
    const most = Math.max(1, MOST_BYTES_AT_ONCE / this.#geometry.blockSize);
    const runs: Run[] = [];
    let last: Run | undefined;
    let dead: { pblock: number; slot: number }[] = [];
    const add = (pblock: number, slot: number): void => {
      if (last && last.pblock + last.count === pblock && last.count < most) {
        last.count++;
        const before = last.slots.at(-1)!;
        if (this.memory.continues(before, slot)) before.count++;
        else last.slots.push({ slot, count: 1 });
      } else {
        last = { pblock, count: 1, slots: [{ slot, count: 1 }] };
        runs.push(last);
      }
    };
    const drop = (): void => {
      for (const { pblock, slot } of dead) {
        this.memory.release({ slot, count: 1 });
        blocks.delete(pblock);
      }
    };
    blocks.forEach((pblock, slot) => {
      if (!this.#isLive(pblock)) {
        dead.push({ pblock, slot });
        return;
      }
      if (dead.length > 0) {
        const end = last ? last.pblock + last.count : -1;
        const bridges = dead.length <= MOST_BRIDGED && end + dead.length === pblock;
        if (bridges) for (const block of dead) add(block.pblock, block.slot);
        else drop();
        dead = [];
      }
      add(pblock, slot);
    });
    drop();
    return runs;
  }

  async #write(runs: readonly Run[], durable: boolean): Promise<void> {
    const blocks = runs.reduce((sum, run) => sum + run.count, 0);
    const isLittle = blocks * this.#geometry.blockSize <= MOST_BYTES_AT_ONCE;
    const through = durable && isLittle && runs.length <= MOST_WRITES_THROUGH;
    for (const { pblock, slots } of runs) {
      const chunks = slots.map((run) => this.memory.view(run));
      const address = addressOf(this.#geometry, pblock);
      if (through && this.#device.writeThrough) {
        await this.#final(this.#device.writeThrough(chunks, address));
      } else await this.writeNow(chunks, address);
    }
  }

  /** Writes data that is not held here to its place. */
  async writeNow(chunks: readonly Uint8Array[], address: number): Promise<void> {
    await this.#final(this.#device.write(chunks, address));
    this.#unflushed = true;
  }

  /** A failure is final (promise I7). */
  #final(work: Promise<void>): Promise<void> {
    return this.#health.final("a data write", work);
  }

  /** They are at their place: from now on reads find them there. */
  #letGo(writeOut: WriteOut, runs: readonly Run[]): void {
    this.#writing.splice(this.#writing.indexOf(writeOut), 1);
    for (const { slots } of runs) for (const run of slots) this.memory.release(run);
  }
}
