/**
 * Promise I10, the loud half: what was durable and is needed must be there, or the journal refuses
 * to be read; what a checkpoint has made superfluous may be gone.
 */
import { describe, expect, it } from "vitest";
import { isBlockspaceError } from "../../src/base/errors.ts";
import { SimulatedTree } from "../support/simulated-tree.ts";
import { CHECKSUM_FROM, journalFileHeaderStruct } from "../../src/format/journal-frame.ts";
import { crc32 } from "../../src/base/checksum.ts";
import type { JournalStart } from "../../src/journal/reader.ts";
import { keepEverything } from "./crash-points.ts";
import {
  BEGINNING,
  bytesIn,
  damage,
  FILE_SIZE,
  newJournal,
  openJournal,
  readJournal,
  type Scribe,
} from "./scribe.ts";

const FRAMES = 17;
/** Frames of one sector each, seven to a file behind its header. */
const PER_FILE = FILE_SIZE / 512 - 1;
const FRAME_LENGTH = 64 + 8 + 24;

/** A journal of 17 frames in the files 2, 3 and 4, with one commit in each; file 1 is empty. */
async function sample(): Promise<{
  directory: SimulatedTree;
  scribe: Scribe;
  checkpoints: JournalStart[];
}> {
  const directory = new SimulatedTree();
  const scribe = await newJournal(directory);
  const checkpoints = [BEGINNING];
  for (let i = 1; i <= FRAMES; i++) {
    await scribe.append([i * 10]);
    checkpoints.push(scribe.checkpoint);
  }
  return { directory, scribe, checkpoints };
}

/** File and offset of the frame with this LSN. */
function placeOf(lsn: number): { name: string; at: number } {
  const file = Math.floor((lsn - 1) / PER_FILE);
  return { name: `0000000${file + 2}`, at: 512 + ((lsn - 1) % PER_FILE) * 512 };
}

function flip(at: number, bit: number): (bytes: Buffer) => void {
  return (bytes) => {
    bytes[at + (bit >> 3)]! ^= 1 << (bit & 7);
  };
}

/** The marks that are read, or the code of the refusal. */
async function outcome(directory: SimulatedTree, start = BEGINNING): Promise<string> {
  try {
    const { commits } = await readJournal(directory, start);
    return commits.map(({ mark }) => mark / 10).join();
  } catch (error) {
    if (isBlockspaceError(error)) return error.code;
    throw error;
  }
}

/** What is read when everything from `start` to the frame `last` is there. */
function upTo(last: number, start = BEGINNING): string {
  return Array.from({ length: last - start.lsn }, (_, i) => start.lsn + 1 + i).join();
}

describe("a damaged frame", () => {
  it("is refused with any bit of it flipped; the last one ends quietly", async () => {
    const { directory } = await sample();
    // The first and the last of a file, one between, the last but one and the very last.
    for (const lsn of [1, 4, PER_FILE, PER_FILE + 1, FRAMES - 1, FRAMES]) {
      const { name, at } = placeOf(lsn);
      const expected = lsn === FRAMES ? upTo(FRAMES - 1) : "ECORRUPT";
      for (let bit = 0; bit < FRAME_LENGTH * 8; bit++) {
        await damage(directory, name, flip(at, bit));
        expect(await outcome(directory), `bit ${bit} of frame ${lsn}`).toBe(expected);
        await damage(directory, name, flip(at, bit));
      }
    }
    expect(await outcome(directory)).toBe(upTo(FRAMES));
  });

  it("is refused exactly where it is needed and was durable", async () => {
    const { directory, checkpoints } = await sample();
    for (let lsn = 1; lsn <= FRAMES; lsn++) {
      const { name, at } = placeOf(lsn);
      await damage(directory, name, flip(at, 400));
      for (const start of checkpoints) {
        const needed = start.lsn < lsn;
        const expected = !needed ? upTo(FRAMES, start) : "ECORRUPT";
        const quiet = upTo(FRAMES - 1, start);
        const found = await outcome(directory, start);
        expect(found, `frame ${lsn}, behind checkpoint ${start.lsn}`).toBe(
          needed && lsn === FRAMES ? quiet : expected,
        );
      }
      await damage(directory, name, flip(at, 400));
    }
  });

  it("is refused with the place, and told from one whose contents make no sense", async () => {
    const { directory } = await sample();
    const { name, at } = placeOf(5);
    await damage(directory, name, flip(at, 400));
    await expect(readJournal(directory)).rejects.toMatchObject({
      message: "ECORRUPT: the journal frame at commit 5 is damaged, and it was durable",
      lsn: 5,
      path: directory.path,
    });
    await damage(directory, name, (bytes) => {
      flip(at, 400)(bytes);
      bytes[at + 72] = 99;
      const sum = crc32(bytes.subarray(at + CHECKSUM_FROM, at + FRAME_LENGTH));
      bytes.writeUInt32LE(sum, at + 4);
    });
    await expect(readJournal(directory)).rejects.toMatchObject({
      message: "ECORRUPT: the journal frame at commit 5 cannot be decoded",
      cause: { message: "ECORRUPT: a record has the unknown type 99" },
    });
  });

  it("is refused when it is one of a copy of the store that has gone its own way", async () => {
    const { directory } = await sample();
    const fork = directory.crash(keepEverything);
    const [own, other] = [await openJournal(directory), await openJournal(fork)];
    for (const mark of [180, 190, 200]) await own.scribe.append([mark]);
    for (const mark of [185, 195, 205]) await other.scribe.append([mark]);
    const foreign = await bytesIn(fork, "00000005");
    await damage(directory, "00000005", (bytes) => foreign.copy(bytes, 1024, 1024, 1536));
    expect(await outcome(directory)).toBe("ECORRUPT");
    await damage(directory, "00000005", (bytes) => foreign.copy(bytes));
    expect(await outcome(directory)).toBe(`${upTo(FRAMES)},18.5,19.5,20.5`);
  });

  it("is none with the LSN of another, though everything else fits", async () => {
    const { directory } = await sample();
    const { name, at } = placeOf(FRAMES);
    await damage(directory, name, (bytes) => {
      bytes.writeBigUInt64LE(BigInt(FRAMES + 1), at + 16);
      const sum = crc32(bytes.subarray(at + CHECKSUM_FROM, at + FRAME_LENGTH));
      bytes.writeUInt32LE(sum, at + 4);
    });
    expect(await outcome(directory)).toBe(upTo(FRAMES - 1));
  });

  it("does no harm in its padding", async () => {
    const { directory } = await sample();
    const { name, at } = placeOf(5);
    await damage(directory, name, (bytes) => bytes.fill(0xff, at + FRAME_LENGTH, at + 512));
    expect(await outcome(directory)).toBe(upTo(FRAMES));
  });

  it("is refused when sectors of a file have changed places, or an old one is back", async () => {
    const { directory } = await sample();
    const whole = await bytesIn(directory, "00000003");
    for (let one = 1; one <= PER_FILE; one++) {
      for (let other = one + 1; other <= PER_FILE; other++) {
        await damage(directory, "00000003", (bytes) => {
          whole.copy(bytes, one * 512, other * 512, other * 512 + 512);
          whole.copy(bytes, other * 512, one * 512, one * 512 + 512);
        });
        expect(await outcome(directory), `${one} and ${other}`).toBe("ECORRUPT");
        await damage(directory, "00000003", (bytes) => whole.copy(bytes));
      }
    }
  });
});

describe("the header of a file without frames", () => {
  it("proves that what comes before it was durable", async () => {
    const { directory } = await sample();
    const { scribe } = await openJournal(directory);
    await scribe.append([180]);
    await damage(directory, "00000005", (bytes) => bytes.fill(0, 512));
    expect(await outcome(directory)).toBe(upTo(FRAMES));
    const { name, at } = placeOf(FRAMES);
    await damage(directory, name, flip(at, 400));
    await expect(readJournal(directory)).rejects.toThrow(
      "ECORRUPT: the journal frame at commit 17 is missing, but 00000005 follows it",
    );
  });
});

describe("a damaged file header", () => {
  it("is refused with any bit of it flipped where the file is needed", async () => {
    const { directory, checkpoints } = await sample();
    for (const [index, name] of ["00000002", "00000003", "00000004"].entries()) {
      for (let bit = 0; bit < journalFileHeaderStruct.size * 8; bit++) {
        await damage(directory, name, flip(0, bit));
        expect(await outcome(directory), `bit ${bit} of the header of ${name}`).toBe("ECORRUPT");
        await damage(directory, name, flip(0, bit));
      }
      await damage(directory, name, flip(0, 200));
      const behind = checkpoints[Math.min((index + 1) * PER_FILE, FRAMES)]!;
      expect(await outcome(directory, behind)).toBe(upTo(FRAMES, behind));
      await damage(directory, name, flip(0, 200));
    }
    expect(await outcome(directory)).toBe(upTo(FRAMES));
  });

  it("is refused when the file holds but one frame, which nothing else proves", async () => {
    const { directory } = await sample();
    const { scribe } = await openJournal(directory);
    await scribe.append([180]);
    expect(await outcome(directory)).toBe(upTo(18));
    await damage(directory, "00000005", flip(0, 200));
    await expect(readJournal(directory)).rejects.toThrow(
      "ECORRUPT: the journal frame at commit 18 is missing: the header of 00000005 is damaged",
    );
  });

  it("is refused when its write was lost, and that of a former use is left", async () => {
    const { directory, scribe, checkpoints } = await sample();
    const old = await bytesIn(directory, "00000001");
    await scribe.journal.recycle(14);
    const start = checkpoints[14]!;
    while ((await bytesIn(directory, "00000001")).equals(old)) await scribe.append([180]);
    const last = scribe.durableLsn;
    expect((await readJournal(directory, start)).end.lsn).toBe(last);
    await damage(directory, "00000001", (bytes) => old.copy(bytes, 0, 0, 512));
    await expect(readJournal(directory, start)).rejects.toThrow(
      `ECORRUPT: the journal frame at commit ${last} is missing: the header of 00000001 is damaged`,
    );
  });
});

describe("a missing file", () => {
  it("is refused where it is needed, unless it is the very last", async () => {
    const { directory, checkpoints } = await sample();
    for (const [index, name] of ["00000002", "00000003", "00000004"].entries()) {
      const without = directory.crash(keepEverything);
      await without.remove(name);
      for (const start of checkpoints) {
        const first = index * PER_FILE + 1;
        const last = Math.min(first + PER_FILE - 1, FRAMES);
        const expected =
          start.lsn >= last
            ? upTo(FRAMES, start)
            : last < FRAMES
              ? "ECORRUPT"
              : upTo(Math.max(first - 1, start.lsn), start);
        const found = await outcome(without, start);
        expect(found, `${name}, behind checkpoint ${start.lsn}`).toBe(expected);
      }
    }
  });

  it("is refused when it is all of them, or a directory that is not there", async () => {
    const none = new SimulatedTree();
    const reason = "ECORRUPT: the journal does not reach back to commit 1, which follows";
    await expect(readJournal(none)).rejects.toThrow(reason);
    await expect(readJournal(none.directory("journal"))).rejects.toThrow(reason);
  });

  it("is refused when another one stands in its place; a copy beside it does no harm", async () => {
    const { directory } = await sample();
    const copy = await bytesIn(directory, "00000002");
    const twice = await directory.create("00000009", { size: FILE_SIZE, layout: "sparse" });
    await twice.write([copy], 0);
    expect(await outcome(directory)).toBe(upTo(FRAMES));
    await damage(directory, "00000003", (bytes) => copy.copy(bytes));
    expect(await outcome(directory)).toBe("ECORRUPT");
  });
});

describe("a checkpoint that the journal does not continue", () => {
  it("is refused, wherever in a file the journal passes by it", async () => {
    const { directory, checkpoints } = await sample();
    for (const { lsn, checksum } of checkpoints) {
      const other = { lsn, checksum: checksum + 1 };
      await expect(readJournal(directory, other), `behind commit ${lsn}`).rejects.toThrow(
        `ECORRUPT: the journal does not continue the checkpoint at commit ${lsn}`,
      );
    }
  });

  it("is refused when it would end within a batch", async () => {
    const directory = new SimulatedTree();
    const scribe = await newJournal(directory);
    await scribe.append([1]);
    const { checksum } = scribe.checkpoint;
    await scribe.append([2, 3, 4]);
    for (const lsn of [2, 3]) {
      await expect(readJournal(directory, { lsn, checksum })).rejects.toThrow(/^ECORRUPT/);
    }
    expect((await readJournal(directory, scribe.checkpoint)).commits).toEqual([]);
  });

  it("that is further than the journal itself is gone on from", async () => {
    const { directory } = await sample();
    const start = { lsn: 100, checksum: 5 };
    const { scribe, end } = await openJournal(directory, start);
    expect([end.lsn, end.checksum, end.doubtful]).toEqual([100, 5, undefined]);
    await scribe.append([7]);
    expect((await readJournal(directory, start)).commits).toEqual([{ lsn: 101, mark: 7 }]);
  });
});

describe("files that nobody would have written", () => {
  it("are refused without a crash, whatever bytes they hold", async () => {
    const { directory } = await sample();
    for (let size = 0; size <= 64; size++) {
      const file = await directory.create("00000007", { size, layout: "sparse" });
      await file.write([new Uint8Array(size).fill(0x42)], 0);
      expect(await outcome(directory)).toBe(upTo(FRAMES));
    }
    const frames = await bytesIn(directory, "00000003");
    const only = new SimulatedTree();
    const file = await only.create("00000001", { size: FILE_SIZE, layout: "sparse" });
    await file.write([frames.subarray(512)], 512);
    expect(await outcome(only)).toBe("ECORRUPT");
  });

  // Found by the recovery tests (row 14, truncation): a last file that was cut within what it had
  // held durably ended the journal quietly, and acknowledged commits were gone without a word.
  it("are refused when the journal seems to end in a file that was cut", async () => {
    const { directory } = await sample();
    const whole = await bytesIn(directory, "00000004");
    for (let size = 512; size < FILE_SIZE; size += 100) {
      const cut = await directory.create("00000004", { size, layout: "sparse" });
      await cut.write([whole.subarray(0, size)], 0);
      expect(await outcome(directory), `${size} bytes`).toBe("ECORRUPT");
    }
  });

  // Found by the recovery tests (row 14, huge sparse files): the search for proof of a later frame
  // went through the terabyte that a file had been made to seem, and opening never ended.
  it("do not keep the journal from being read by being absurdly large", async () => {
    const { directory } = await sample();
    for (const name of ["00000004", "00000001"]) {
      const whole = await bytesIn(directory, name);
      const huge = await directory.create(name, { size: 2 ** 45, layout: "sparse" });
      await huge.write([whole], 0);
    }
    expect(await outcome(directory)).toBe(upTo(FRAMES));
  });
});
