/** The journal over its files: what is written is read back, across files, openings and reuse. */
import { describe, expect, it } from "vitest";
import { BlockspaceError } from "../../src/base/errors.ts";
import { FileDirectory } from "../../src/device/file-directory.ts";
import { SimulatedTree } from "../support/simulated-tree.ts";
import { MAX_FRAME_BYTES } from "../../src/format/journal-frame.ts";
import { listJournalFiles } from "../../src/journal/files.ts";
import { checkCommitSize, MAX_COMMIT_BYTES } from "../../src/journal/journal.ts";
import { scratchDirectory } from "../device/scratch.ts";
import {
  BEGINNING,
  batchOf,
  bytesIn,
  damage,
  dataOf,
  FILE_SIZE,
  identity,
  newJournal,
  openJournal,
  readJournal,
} from "./scribe.ts";

/** The sequence and first LSN of every file with a header, in the order of their use. */
async function headers(directory: SimulatedTree): Promise<[number, number][]> {
  const files = await listJournalFiles(directory, identity);
  return files.flatMap(({ header }) =>
    header ? [[header.sequence, header.firstLsn] as [number, number]] : [],
  );
}

describe("a journal", () => {
  it("that is new holds nothing", async () => {
    const directory = new SimulatedTree();
    const { journal } = await newJournal(directory);
    const { commits, end } = await readJournal(directory);
    expect(commits).toEqual([]);
    expect(end).toMatchObject({ lsn: 0, checksum: 0, durableLsn: 0, discardedBytes: 0 });
    expect(end.doubtful).toBeUndefined();
    expect([journal.checksum, journal.bytesWritten, journal.usedBytes]).toEqual([0, 0, FILE_SIZE]);
  });

  it("gives back its batches in their order, with their data", async () => {
    const directory = new SimulatedTree();
    const scribe = await newJournal(directory);
    await scribe.append([10]);
    await scribe.append([20, 21, 22], 1024);
    await scribe.append([30, 31]);
    const { batches, commits, end } = await readJournal(directory);
    expect(commits).toEqual(scribe.submitted);
    expect(batches.map(({ header }) => [header.firstLsn, header.commits])).toEqual([
      [1, 1],
      [2, 3],
      [5, 2],
    ]);
    expect(batches.map(({ data }) => data.length)).toEqual([0, 1024, 0]);
    expect(Buffer.compare(batches[1]!.data, dataOf(2, 1024))).toBe(0);
    expect([end.lsn, end.checksum]).toEqual([6, scribe.journal.checksum]);
    expect(scribe.journal.bytesWritten).toBe(512 + 1536 + 512);
  });

  // On a full disk each opening made a file of the usual size, and nothing could be deleted.
  it("that is opened on a full disk begins with a smaller file", async () => {
    const directory = new SimulatedTree();
    let space = Infinity;
    const create = directory.create.bind(directory);
    directory.create = async (name, options) => {
      const device = await create(name, options);
      if (options.size <= space) return device;
      const cause = Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
      throw new BlockspaceError("EIO", `creation of ${name} failed`, { cause });
    };
    const first = await newJournal(directory);
    await first.append([0]);
    space = FILE_SIZE / 2;
    const { scribe } = await openJournal(directory);
    await scribe.append([1]);
    const sizes = (await listJournalFiles(directory, identity)).map(({ size }) => size);
    expect(sizes).toHaveLength(3);
    expect(sizes.at(-1)).toBe(FILE_SIZE / 4);
    expect((await readJournal(directory)).commits).toEqual([
      ...first.submitted,
      ...scribe.submitted,
    ]);
    const before = await directory.list();
    await expect(async () => {
      for (let i = 0; i < 40; i++) await scribe.append([i]);
    }).rejects.toThrow(/creation of \d+ failed/);
    expect(await directory.list()).toEqual(before);
  });

  it("begins a new file when a frame does not fit into the rest, and reads on in it", async () => {
    const directory = new SimulatedTree();
    const scribe = await newJournal(directory);
    for (let i = 0; i < 40; i++) await scribe.append([i]);
    expect((await readJournal(directory)).commits).toEqual(scribe.submitted);
    expect(await headers(directory)).toEqual([
      [1, 1],
      [2, 1],
      [3, 8],
      [4, 15],
      [5, 22],
      [6, 29],
      [7, 36],
    ]);
    expect(scribe.journal.usedBytes).toBe(7 * FILE_SIZE);
  });

  it("begins a new file when it is opened again, not before there is a batch", async () => {
    const directory = new SimulatedTree();
    const first = await newJournal(directory);
    await first.append([1]);
    await first.journal.close();
    await openJournal(directory);
    const { scribe, commits } = await openJournal(directory);
    expect(commits).toEqual([{ lsn: 1, mark: 1 }]);
    await scribe.append([2]);
    expect(await headers(directory)).toEqual([
      [1, 1],
      [2, 1],
      [3, 2],
    ]);
    expect((await readJournal(directory)).commits.map(({ mark }) => mark)).toEqual([1, 2]);
  });

  it("is read from any batch on, with the checksum that ends the one before", async () => {
    const directory = new SimulatedTree();
    const scribe = await newJournal(directory);
    const starts = [BEGINNING];
    for (let i = 0; i < 20; i++) {
      await scribe.append([i, i + 100]);
      starts.push(scribe.checkpoint);
    }
    for (const start of starts) {
      const { commits, end } = await readJournal(directory, start);
      expect(commits).toEqual(scribe.submitted.slice(start.lsn));
      expect(end.lsn).toBe(40);
    }
  });

  it("makes a file of its own for a frame larger than a file, and gives it back", async () => {
    const directory = new SimulatedTree();
    const scribe = await newJournal(directory);
    await scribe.append([1]);
    await scribe.append([2], 5 * FILE_SIZE);
    await scribe.append([3]);
    expect((await readJournal(directory)).commits).toEqual(scribe.submitted);
    const sizes = async (): Promise<number[]> =>
      (await listJournalFiles(directory, identity)).map(({ size }) => size);
    expect(Math.max(...(await sizes()))).toBe(512 + 5 * FILE_SIZE + 512);
    await scribe.journal.recycle(3);
    expect(Math.max(...(await sizes()))).toBe(FILE_SIZE);
    expect((await readJournal(directory, scribe.checkpoint)).end.lsn).toBe(3);
  });

  it("refuses a commit that no frame can hold, and a frame that nobody would believe", async () => {
    expect(() => checkCommitSize(MAX_COMMIT_BYTES)).not.toThrow();
    expect(() => checkCommitSize(MAX_COMMIT_BYTES + 1)).toThrow(
      /^E2BIG: one commit takes \d+ bytes/,
    );
    const directory = new SimulatedTree();
    const scribe = await newJournal(directory);
    const chunk = new Uint8Array(MAX_FRAME_BYTES / 4);
    const data = [chunk, chunk, chunk, chunk];
    await expect(scribe.journal.append({ ...batchOf(1, [1]), data })).rejects.toThrow(/^E2BIG/);
    await scribe.append([7]);
    expect((await readJournal(directory)).commits).toEqual([{ lsn: 1, mark: 7 }]);
  });

  it("takes one write and one flush a batch, and writes a new file's header before", async () => {
    const seen: string[] = [];
    const directory = new SimulatedTree({
      onOperation: ({ kind, offset }) => {
        if (kind !== "read") seen.push(offset === undefined ? kind : `${kind} ${offset}`);
      },
    });
    const scribe = await newJournal(directory);
    seen.length = 0;
    await scribe.append([1]);
    expect(seen).toEqual(["create", "flush", "sync", "write 0", "flush", "write 512", "flush"]);
    seen.length = 0;
    await scribe.append([2], 512);
    await scribe.append([3]);
    expect(seen).toEqual(["write 1024", "flush", "write 2048", "flush"]);
  });

  it("takes no batch after one that failed", async () => {
    let full = false;
    const directory = new SimulatedTree({
      onOperation: ({ kind }) => {
        if (full && kind === "flush") throw new Error("no such luck");
      },
    });
    const scribe = await newJournal(directory);
    await scribe.append([1]);
    full = true;
    await expect(scribe.append([2])).rejects.toThrow(/^EIO: flush of/);
    full = false;
    await expect(scribe.append([3])).rejects.toThrow(/^EIO: the journal failed before/);
    expect((await readJournal(directory)).commits.map(({ mark }) => mark)).toEqual([1, 2]);
  });
});

describe("recycling", () => {
  it("uses files again, and what stood in them never comes back", async () => {
    const directory = new SimulatedTree();
    const scribe = await newJournal(directory);
    let kept = scribe.checkpoint;
    for (let round = 0; round < 60; round++) {
      const before = scribe.checkpoint;
      for (let i = 0; i < 5; i++) await scribe.append([round * 100 + i], (i % 3) * 512);
      for (const start of [kept, before]) {
        const { commits, end } = await readJournal(directory, start);
        expect(commits).toEqual(scribe.submitted.slice(start.lsn));
        expect(end.discardedBytes).toBe(0);
      }
      kept = before;
      await scribe.journal.recycle(kept.lsn);
    }
    expect((await directory.list()).length).toBeLessThanOrEqual(8);
    expect((await headers(directory)).at(-1)![0]).toBeGreaterThan(50);
  });

  it("keeps the file that holds the commit behind the checkpoint", async () => {
    const directory = new SimulatedTree();
    const scribe = await newJournal(directory);
    const starts = [BEGINNING];
    for (let i = 0; i < 30; i++) {
      await scribe.append([i]);
      starts.push(scribe.checkpoint);
    }
    for (const start of starts) {
      await scribe.journal.recycle(start.lsn);
      const { commits } = await readJournal(directory, start);
      expect(commits).toEqual(scribe.submitted.slice(start.lsn));
    }
    expect(scribe.journal.usedBytes).toBe(FILE_SIZE);
  });

  it("gives up files that have no header, and never writes into them", async () => {
    const directory = new SimulatedTree();
    const before = await newJournal(directory);
    await before.append([1]);
    // As a crash leaves it between the creation of the file and its header.
    await directory.create("00000009", { size: FILE_SIZE, layout: "preallocated" });
    const { scribe } = await openJournal(directory);
    await scribe.append([2]);
    expect((await bytesIn(directory, "00000009")).equals(Buffer.alloc(FILE_SIZE))).toBe(true);
    await scribe.journal.recycle(0);
    expect(await directory.list()).toEqual(["00000001", "00000002", "00000010"]);
  });

  it("leaves alone what does not have the name of a journal file", async () => {
    const directory = new SimulatedTree();
    for (const name of ["notes.txt", "1", "00000001.bak"]) {
      await directory.create(name, { size: FILE_SIZE, layout: "sparse" });
    }
    const scribe = await newJournal(directory);
    for (let i = 0; i < 100; i++) await scribe.append([i]);
    expect((await directory.list()).length).toBeGreaterThan(8 + 3);
    await scribe.journal.recycle(100);
    expect(await directory.list()).toHaveLength(8 + 3);
    for (let i = 0; i < 100; i++) await scribe.append([i]);
    const names = await directory.list();
    expect(names).toEqual(expect.arrayContaining(["1", "00000001.bak", "notes.txt"]));
    for (const name of ["notes.txt", "1", "00000001.bak"]) {
      expect((await bytesIn(directory, name)).equals(Buffer.alloc(FILE_SIZE))).toBe(true);
    }
  });

  it("drops files of another size when the setting has changed", async () => {
    const directory = new SimulatedTree();
    const before = await newJournal(directory);
    for (let i = 0; i < 30; i++) await before.append([i]);
    const { scribe } = await openJournal(directory, BEGINNING, 8 * 8192);
    await scribe.append([100]);
    await scribe.journal.recycle(scribe.durableLsn);
    for (let i = 0; i < 30; i++) await scribe.append([i]);
    const sizes = (await listJournalFiles(directory, identity)).map(({ size }) => size);
    expect(new Set(sizes)).toEqual(new Set([8192]));
  });
});

describe("a journal in a directory of the file system", () => {
  const scratch = scratchDirectory();

  it("rotates, is recycled and read back as in memory", async () => {
    const directory = new FileDirectory(scratch()).directory("journal");
    const scribe = await newJournal(directory);
    let kept = scribe.checkpoint;
    for (let round = 0; round < 6; round++) {
      const before = scribe.checkpoint;
      for (let i = 0; i < 9; i++) await scribe.append([round * 100 + i], (i % 3) * 512);
      await scribe.journal.recycle(kept.lsn);
      kept = before;
    }
    await scribe.append([1000], 2 * FILE_SIZE);
    await scribe.journal.close();
    const { commits, scribe: next } = await openJournal(directory, kept);
    expect(commits).toEqual(scribe.submitted.slice(kept.lsn));
    await next.append([2000]);
    await next.journal.close();
    expect((await readJournal(directory, kept)).commits.at(-1)).toEqual({ lsn: 56, mark: 2000 });
  });
});

describe("a journal of another store", () => {
  it("is not read: neither its files nor a frame of it among our own", async () => {
    const foreign = { ...identity, storeId: Uint8Array.from(identity.storeId).fill(7) };
    const directory = new SimulatedTree();
    const scribe = await newJournal(directory);
    await scribe.append([1]);
    await scribe.append([2]);
    await expect(readJournal(directory, BEGINNING, foreign)).rejects.toThrow(
      "ECORRUPT: the journal does not reach back to commit 1",
    );
    await damage(directory, "00000002", (bytes) => {
      foreign.storeId.forEach((byte, i) => (bytes[1024 + 48 + i] = byte));
    });
    expect((await readJournal(directory)).commits).toEqual([{ lsn: 1, mark: 1 }]);
  });
});
