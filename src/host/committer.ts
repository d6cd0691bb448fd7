/**
 * Group commit (promise I1): commits gather in an open batch; when somebody waits for durability,
 * or the batch is full, it is sealed and goes out with one journal write and one flush for all who
 * wait, while the next batch gathers. One batch is in flight at a time, which is what lets the
 * journal's reader tell a torn tail from damage.
 *
 * A batch with little data carries it in its frame, so that one flush suffices. A batch with much
 * data, or whose data was written to its place before, has the data device flushed first.
 *
 * A small batch that one caller waits for is written in place where the disk is quick (`pace.ts`):
 * two ways between threads cost as much as the disk does. Where several wait, or somebody has read
 * since the batch was begun, the event loop has better things to do meanwhile: one client that
 * writes and flushes took a third of another one's reads.
 */
import type { SlotRun } from "../base/block-memory.ts";
import { KiB, MiB } from "../base/units.ts";
import { ByteWriter } from "../format/byte-writer.ts";
import { writeCommit } from "../format/journal-frame.ts";
import type { JournalRecord } from "../format/records.ts";
import type { Journal } from "../journal/journal.ts";
import type { Health } from "./health.ts";
import type { PendingData } from "./pending.ts";

/** Bytes of data from which on a batch does not carry it: writing twice would cost more. */
const MOST_INLINE_BYTES: number = 128 * KiB;
/** Bytes of commits from which on a batch goes out by itself. */
const FULL_BATCH_BYTES: number = MiB;

interface Batch {
  firstLsn: number;
  commits: number;
  /** Reads of the host when its first commit came. */
  readsBefore: number;
  writer: ByteWriter;
  /** Data that its frame is to carry, in the order of the records; referred to. */
  data: SlotRun[];
  dataBlocks: number;
  /** Some of its data is on the data device, or on its way there, and must be flushed first. */
  direct: boolean;
  /** So many wait for it; one is enough that it goes out although it is not full. */
  waiting: number;
  /** The commits that the last of them waits for. */
  awaited: number;
  /** One who will wait for it is expected. */
  isExpected: boolean;
  /** The write-out of its data, begun when it was sealed. */
  written: Promise<void> | undefined;
  /** Resolves with the checksum of its frame when it is durable. */
  done: Promise<number>;
  settle: { resolve: (checksum: number) => void; reject: (error: unknown) => void };
}

export interface CommitterParts {
  journal: Journal;
  pending: PendingData;
  health: Health;
  blockSize: number;
  /** A small batch that one caller waits for may keep the event loop, where the disk is quick. */
  mayBlock: boolean;
  /** Of the host: whether somebody reads meanwhile. */
  counters: { readonly reads: number };
}

export class Committer {
  readonly #parts: CommitterParts;
  readonly #mostInlineBlocks: number;
  #open: Batch;
  readonly #sealed: Batch[] = [];
  /** Memory of a batch that has gone out, for the next. */
  #spare: ByteWriter | undefined;
  #running = false;
  /** What goes out, or went out last. */
  #sending: Promise<void> = Promise.resolve();
  #durableLsn: number;
  #ready: Promise<unknown> = Promise.resolve();
  #isReady = true;
  /** Batches that went out since the host was opened. */
  batches = 0;

  constructor(parts: CommitterParts, lsn: number) {
    this.#parts = parts;
    this.#mostInlineBlocks = Math.floor(MOST_INLINE_BYTES / parts.blockSize);
    this.#durableLsn = lsn;
    this.#open = newBatch(lsn + 1, undefined);
  }

  get durableLsn(): number {
    return this.#durableLsn;
  }

  /**
   * Nothing goes out, and so nothing becomes durable, before this has resolved; until then no more
   * is known durable than up to `durableLsn`.
   */
  holdUntil(ready: Promise<unknown>, durableLsn: number): void {
    const lsn = this.#durableLsn;
    this.#durableLsn = durableLsn;
    this.#isReady = false;
    this.#ready = ready
      .then(
        () => (this.#durableLsn = lsn),
        () => undefined,
      )
      .finally(() => {
        this.#isReady = true;
      });
  }

  /** There is nothing that a flush would have to wait for. */
  get isIdle(): boolean {
    return this.#isReady && !this.#running && this.#open.commits === 0;
  }

  /** The open batch will not carry its data, which must be written before it. */
  get isDirect(): boolean {
    return this.#open.direct;
  }

  /** Bytes of the commits that are not in the journal yet. */
  get waitingBytes(): number {
    return this.#sealed.reduce((sum, batch) => sum + batch.writer.length, this.#open.writer.length);
  }

  /**
   * Adds the next commit. `data` are its blocks in the order of its records; `direct` says that
   * data it refers to was written to its place already.
   */
  add(records: readonly JournalRecord[], data: readonly SlotRun[], direct: boolean): void {
    const batch = this.#open;
    if (batch.commits === 0) batch.readsBefore = this.#parts.counters.reads;
    writeCommit(batch.writer, records);
    batch.commits++;
    for (const run of data) batch.dataBlocks += run.count;
    if (batch.direct || direct || batch.dataBlocks > this.#mostInlineBlocks) {
      batch.direct = true;
      this.#dropData(batch);
    } else {
      for (const run of data) this.#keepData(batch, run);
    }
    if (batch.writer.length >= FULL_BATCH_BYTES) {
      this.seal();
      this.#start();
    }
  }

  /** Closes the open batch at this moment; what is added from now on is in the next one. */
  seal(): void {
    const batch = this.#open;
    if (batch.commits === 0) return;
    if (batch.direct && batch.dataBlocks > 0) {
      batch.written = this.#parts.pending.writeOut(true);
      batch.written.catch(() => undefined);
    }
    this.#sealed.push(batch);
    this.#open = newBatch(batch.firstLsn + batch.commits, this.#spare);
    this.#spare = undefined;
  }

  /**
   * Resolves when every commit added so far is durable: the same promise until another is added.
   * Who `joins` those who wait for the same commits does not count as one caller more.
   */
  flush(joins = false): Promise<unknown> {
    const batch = this.#open.commits > 0 ? this.#open : this.#sealed.at(-1);
    if (!batch || this.#parts.health.failure) return this.#checked();
    if (!joins || batch.awaited < batch.commits) batch.waiting++;
    batch.awaited = batch.commits;
    this.#start();
    return batch.done;
  }

  /** Nothing has to go out; but something may have failed. */
  async #checked(): Promise<void> {
    this.#parts.health.checkWritable();
    await this.#ready;
    this.#parts.health.checkWritable();
  }

  /** Sends the open batch out for one caller who is about to wait for it. */
  begin(): void {
    if (this.#running || this.#open.commits === 0) return;
    this.#open.isExpected = true;
    this.seal();
    this.#start();
  }

  /**
   * Seals the open batch at this moment and resolves, when all sealed ones are durable, with the
   * checksum of the last of their frames.
   */
  async sealAndFlush(): Promise<number> {
    this.seal();
    const last = this.#sealed.at(-1);
    if (!last) return this.#parts.journal.checksum;
    this.#start();
    return last.done;
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#sending = this.#run().catch(() => undefined);
  }

  /** Resolves when nothing is on its way to the journal, whatever has failed. */
  async settled(): Promise<void> {
    await this.#sending;
  }

  /** Sends batches out until nobody waits for more; a failure is told to all who wait. */
  async #run(): Promise<void> {
    try {
      while (this.#sealed.length > 0 || this.#open.waiting > 0) {
        const turned = await this.#gather();
        if (this.#sealed.length === 0) this.seal();
        const batch = this.#sealed[0]!;
        await this.#send(batch, turned && this.#mayBlock(batch));
        this.#sealed.shift();
        this.#durableLsn = batch.firstLsn + batch.commits - 1;
        this.batches++;
        batch.settle.resolve(this.#parts.journal.checksum);
      }
    } catch (cause) {
      const error = this.#parts.health.fail("a journal write", cause);
      for (const batch of [...this.#sealed, this.#open]) batch.settle.reject(error);
    } finally {
      this.#running = false;
    }
  }

  /**
   * Whoever writes at this moment joins the batch before it is sealed. A batch that may keep the
   * event loop lets it turn first, for others to come in, and so that no caller has it to himself;
   * true when it has turned.
   */
  async #gather(): Promise<boolean> {
    if (!this.#mayBlock(this.#sealed[0] ?? this.#open)) return false;
    await new Promise(setImmediate);
    return true;
  }

  #mayBlock(batch: Batch): boolean {
    const { mayBlock, counters, journal } = this.#parts;
    const waiting = Math.max(batch.waiting, batch.isExpected ? 1 : 0);
    const isAlone = waiting === 1 && batch.readsBefore === counters.reads;
    return mayBlock && isAlone && !batch.direct && journal.isQuick;
  }

  #keepData(batch: Batch, run: SlotRun): void {
    const { memory } = this.#parts.pending;
    memory.retain(run);
    const last = batch.data.at(-1);
    if (last && memory.continues(last, run.slot)) last.count += run.count;
    else batch.data.push({ ...run });
  }

  #dropData(batch: Batch): void {
    for (const run of batch.data) this.#parts.pending.memory.release(run);
    batch.data = [];
  }

  async #send(batch: Batch, inPlace: boolean): Promise<void> {
    const { journal, pending, health } = this.#parts;
    await this.#ready;
    health.checkWritable();
    if (batch.direct) {
      await batch.written;
      await pending.flush();
    }
    await journal.append({
      firstLsn: batch.firstLsn,
      commits: batch.commits,
      bytes: batch.writer.view(),
      data: batch.data.map((run) => pending.memory.view(run)),
      inPlace,
    });
    this.#dropData(batch);
    batch.writer.truncate(0);
    this.#spare = batch.writer;
    // Something else may have failed meanwhile; from then on nothing is acknowledged.
    health.checkWritable();
  }
}

function newBatch(firstLsn: number, writer: ByteWriter = new ByteWriter()): Batch {
  let settle!: Batch["settle"];
  const done = new Promise<number>((resolve, reject) => {
    settle = { resolve, reject };
  });
  done.catch(() => undefined);
  return {
    firstLsn,
    commits: 0,
    readsBefore: 0,
    writer,
    data: [],
    dataBlocks: 0,
    direct: false,
    waiting: 0,
    awaited: 0,
    isExpected: false,
    written: undefined,
    done,
    settle,
  };
}
