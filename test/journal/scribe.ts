/**
 * A journal under test and what is known of it: commits carry a mark each, so that it can be told
 * which of them came back.
 */
import { ByteWriter } from "../../src/format/byte-writer.ts";
import { writeCommit } from "../../src/format/journal-frame.ts";
import type { Directory } from "../../src/device/device.ts";
import { createJournal, Journal, type OutgoingBatch } from "../../src/journal/journal.ts";
import type { JournalIdentity } from "../../src/journal/files.ts";
import {
  type JournalBatch,
  type JournalEnd,
  JournalReader,
  type JournalStart,
} from "../../src/journal/reader.ts";

export const identity: JournalIdentity = {
  storeId: Uint8Array.from([0xb1, 0x0c, 0x5f, 0xac, 0xe0, 0x01, 0x02, 0x03]),
  alignment: 512,
};

/** Bytes of a file when the journal is made with {@link JOURNAL_SIZE}: a header and 7 sectors. */
export const FILE_SIZE = 4096;
export const JOURNAL_SIZE: number = 8 * FILE_SIZE;
export const BEGINNING: JournalStart = { lsn: 0, checksum: 0 };

/** What a commit says: the mark stands for all that a real one holds. */
export interface Marked {
  lsn: number;
  mark: number;
}

/** A batch of one commit for each mark; `data` bytes travel with it, and follow from its LSN. */
export function batchOf(firstLsn: number, marks: readonly number[], data = 0): OutgoingBatch {
  const writer = new ByteWriter();
  for (const mark of marks) writeCommit(writer, [{ type: "resize", subvolume: 1, size: mark }]);
  const bytes = writer.view().slice();
  const blocks = data > 0 ? [dataOf(firstLsn, data)] : [];
  return { firstLsn, commits: marks.length, bytes, data: blocks, inPlace: false };
}

/** The data that travels with the batch that begins with this LSN. */
export function dataOf(firstLsn: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (firstLsn * 31 + i * 7) % 251);
}

export interface ReadBack {
  batches: JournalBatch[];
  commits: Marked[];
  end: JournalEnd;
}

/** Everything behind `start`, to the end. */
export async function readJournal(
  directory: Directory,
  start: JournalStart = BEGINNING,
  as: JournalIdentity = identity,
): Promise<ReadBack> {
  const reading = new JournalReader(directory, as, start).batches();
  const batches: JournalBatch[] = [];
  let step = await reading.next();
  while (!step.done) {
    batches.push({ ...step.value, data: step.value.data.slice() });
    step = await reading.next();
  }
  const commits = batches.flatMap((batch) =>
    batch.commits.map(({ lsn, records: [record] }) => {
      if (record?.type !== "resize") throw new Error("a commit lost its mark");
      return { lsn, mark: record.size };
    }),
  );
  return { batches, commits, end: step.value };
}

/** A journal to go on writing, opened as a host opens it: read, secured, gone on with. */
export async function openJournal(
  directory: Directory,
  start: JournalStart = BEGINNING,
  size: number = JOURNAL_SIZE,
): Promise<ReadBack & { scribe: Scribe }> {
  const read = await readJournal(directory, start);
  const journal = new Journal(directory, identity, size, read.end);
  if (read.end.doubtful) await journal.secure(read.end.doubtful);
  return { ...read, scribe: new Scribe(journal, read.end.lsn) };
}

/** A new journal in `directory`. */
export async function newJournal(
  directory: Directory,
  size: number = JOURNAL_SIZE,
): Promise<Scribe> {
  await createJournal(directory, identity, size);
  return (await openJournal(directory, BEGINNING, size)).scribe;
}

/** Writes marked commits, and remembers those whose append has resolved. */
export class Scribe {
  readonly journal: Journal;
  /** In the order of their LSNs, those that were on their way when something failed included. */
  readonly submitted: Marked[] = [];
  /** The last LSN whose append has resolved (or that was there before). */
  durableLsn: number;
  #lsn: number;

  constructor(journal: Journal, lsn: number) {
    this.journal = journal;
    this.durableLsn = lsn;
    this.#lsn = lsn;
  }

  /** One batch with these marks; resolves when it is durable. */
  async append(marks: readonly number[], data = 0): Promise<void> {
    const firstLsn = this.#lsn + 1;
    for (const mark of marks) this.submitted.push({ lsn: ++this.#lsn, mark });
    await this.journal.append(batchOf(firstLsn, marks, data));
    this.durableLsn = this.#lsn;
  }

  /** What a checkpoint taken now would remember. */
  get checkpoint(): JournalStart {
    return { lsn: this.#lsn, checksum: this.journal.checksum };
  }
}

/** The bytes of a file of the directory. */
export async function bytesIn(directory: Directory, name: string): Promise<Buffer> {
  const device = await directory.open(name, "read");
  const bytes = Buffer.alloc(device.size);
  await device.read(bytes, 0);
  await device.close();
  return bytes;
}

/** Changes bytes of a file in place, as a medium does that goes bad. */
export async function damage(
  directory: Directory,
  name: string,
  change: (bytes: Buffer) => void,
): Promise<void> {
  const bytes = await bytesIn(directory, name);
  change(bytes);
  const device = await directory.open(name, "write");
  await device.write([bytes], 0);
  await device.flush();
  await device.close();
}
