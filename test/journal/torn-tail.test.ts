/**
 * Promise I10, the quiet half: what nobody was told of may be torn, lost or half there, and the
 * journal simply ends before it. And what comes after such an end.
 */
import { describe, expect, it } from "vitest";
import { SimulatedTree } from "../support/simulated-tree.ts";
import type { OnOperation } from "../../src/testing/operation.ts";
import { keepMasked, keepNothing, stopAt } from "./crash-points.ts";
import {
  bytesIn,
  damage,
  FILE_SIZE,
  newJournal,
  openJournal,
  readJournal,
  type Scribe,
} from "./scribe.ts";

/** A journal of two durable frames and a third one of 5 sectors, all in file 00000002. */
async function threeFrames(): Promise<{ directory: SimulatedTree; scribe: Scribe }> {
  const directory = new SimulatedTree();
  const scribe = await newJournal(directory);
  await scribe.append([1]);
  await scribe.append([2, 3]);
  await scribe.append([4, 5], 2048);
  return { directory, scribe };
}
const THIRD_AT = 512 + 2 * 512;
const THIRD_LENGTH = 64 + 2 * 32 + 2048;
const THIRD_SECTORS = Math.ceil(THIRD_LENGTH / 512);

describe("a torn last frame", () => {
  const masks = Array.from({ length: 2 ** THIRD_SECTORS - 1 }, (_, mask) => mask);

  it.each([
    ["zeroes", (sector: Buffer) => sector.fill(0)],
    ["what stood there before", (sector: Buffer) => sector.fill(0x42)],
  ])("ends the journal with any sectors of it lost to %s", async (_, lose) => {
    for (const kept of masks) {
      const { directory } = await threeFrames();
      await damage(directory, "00000002", (bytes) => {
        for (let sector = 0; sector < THIRD_SECTORS; sector++) {
          const at = THIRD_AT + sector * 512;
          if (((kept >> sector) & 1) === 0) lose(bytes.subarray(at, at + 512));
        }
      });
      const { commits, end } = await readJournal(directory);
      expect(commits.map(({ mark }) => mark)).toEqual([1, 2, 3]);
      // Its length is known as long as the sector with its header is there.
      const discardedBytes = kept & 1 ? THIRD_LENGTH : 0;
      expect(end, `sectors ${kept.toString(2)}`).toMatchObject({ lsn: 3, discardedBytes });
    }
  });

  it("is not counted by a length that cannot be", async () => {
    const { directory } = await threeFrames();
    await damage(directory, "00000002", (bytes) => bytes.writeUInt32LE(0xffffffff, THIRD_AT + 8));
    const { end } = await readJournal(directory);
    expect(end.discardedBytes).toBe(FILE_SIZE - THIRD_AT);
  });

  it("is passed over when the journal has gone on in the next file", async () => {
    const { directory } = await threeFrames();
    await damage(directory, "00000002", (bytes) => bytes.fill(0, THIRD_AT + 512));
    const { scribe } = await openJournal(directory);
    await scribe.append([6]);
    await scribe.append([7, 8]);
    const { commits, end } = await readJournal(directory);
    expect(commits.map(({ mark }) => mark)).toEqual([1, 2, 3, 6, 7, 8]);
    expect(end).toMatchObject({ lsn: 6, discardedBytes: 0 });
  });

  it("stays away when it is whole again later, as after a read that failed only once", async () => {
    const { directory } = await threeFrames();
    const whole = await bytesIn(directory, "00000002");
    await damage(directory, "00000002", (bytes) => bytes.fill(0, THIRD_AT + 512));
    const { scribe } = await openJournal(directory);
    await scribe.append([6]);
    await damage(directory, "00000002", (bytes) => whole.copy(bytes));
    const { commits } = await readJournal(directory);
    expect(commits.map(({ mark }) => mark)).toEqual([1, 2, 3, 6]);
  });
});

describe("a last frame that may not be durable", () => {
  it("is told apart from one that is", async () => {
    const { directory } = await threeFrames();
    const { end } = await readJournal(directory);
    expect(end).toMatchObject({ lsn: 5, durableLsn: 3 });
    expect(end.doubtful).toMatchObject({ file: "00000002", position: THIRD_AT });
  });

  it("is none where a checkpoint or the header of the next file vouches for it", async () => {
    const { directory, scribe } = await threeFrames();
    expect((await readJournal(directory, scribe.checkpoint)).end.doubtful).toBeUndefined();
    const other = (await openJournal(directory)).scribe;
    await other.append([6]);
    await damage(directory, "00000003", (bytes) => bytes.fill(0, 512));
    const { end } = await readJournal(directory);
    expect([end.lsn, end.durableLsn, end.doubtful]).toEqual([5, 5, undefined]);
  });

  it("survives everything once it was secured, as a host does before it goes on", async () => {
    let power = true;
    const hook: OnOperation = ({ kind }) => {
      if (kind === "flush" && !power) throw new Error("killed");
    };
    const directory = new SimulatedTree({ onOperation: hook });
    const scribe = await newJournal(directory);
    await scribe.append([1]);
    power = false;
    await expect(scribe.append([2])).rejects.toThrow(/^EIO/);

    const unsecured = directory.killed();
    expect((await readJournal(unsecured)).commits).toHaveLength(2);
    expect((await readJournal(unsecured.crash(keepNothing))).commits).toHaveLength(1);

    const secured = directory.killed();
    await openJournal(secured);
    expect((await readJournal(secured.crash(keepNothing))).commits).toHaveLength(2);
  });

  // It was written again, byte for byte, once: a power cut that turned a sector into garbage then
  // cost a frame that had been acknowledged.
  it("is flushed, and not written again", async () => {
    const { directory } = await threeFrames();
    const seen: string[] = [];
    const onOperation: OnOperation = ({ kind, path }) => {
      if (kind !== "read") seen.push(`${kind} ${path.slice(-8)}`);
    };
    await openJournal(directory.killed({ onOperation }));
    expect(seen).toEqual(["flush 00000002"]);
  });
});

describe("a frame that was given up", () => {
  const append =
    (...marks: number[]) =>
    async (tree: SimulatedTree): Promise<void> => {
      const { scribe } = await openJournal(tree);
      await scribe.append(marks);
    };

  // A crash may keep the first frame of a new file and lose the file's header; the frame is then
  // lost with it. It came back: the next host wrote the same header, and when a crash tore its own
  // first frame, the old one stood in its place, and fitted.
  it("never comes back, whatever two crashes leave of two appends", async () => {
    const before = new SimulatedTree();
    const scribe = await newJournal(before);
    await scribe.append([1]);
    let crashes = 0;
    for (let first = 0, running = true; running; first++) {
      const one = await stopAt(before, first, append(2));
      running = one.stopped;
      for (let mask = 0; mask < 8; mask++) {
        const tree = one.tree.crash(keepMasked(mask));
        const known = (await readJournal(tree)).commits.map(({ mark }) => mark);
        for (let second = 0, again = true; again; second++) {
          const two = await stopAt(tree, second, append(3));
          again = two.stopped;
          for (let kept = 0; kept < 8; kept++, crashes++) {
            const { commits } = await readJournal(two.tree.crash(keepMasked(kept)));
            const marks = commits.map(({ mark }) => mark).join();
            expect([known.join(), [...known, 3].join()]).toContain(marks);
          }
        }
      }
    }
    expect(crashes).toBeGreaterThan(2000);
  });
});

describe("a file whose creation was cut short", () => {
  // After a kill the name of a new file is there, and may not be durable. The next host took the
  // file for a spare one, wrote into it, flushed it, and lost it with its name.
  it("holds no commit that a later loss of power takes away with its name", async () => {
    const before = new SimulatedTree();
    const scribe = await newJournal(before);
    await scribe.append([1]);
    await scribe.journal.recycle(0);
    for (let at = 0, running = true; running; at++) {
      const killed = await stopAt(before, at, async (tree) => {
        await (await openJournal(tree)).scribe.append([2]);
      });
      running = killed.stopped;
      const tree = killed.tree.killed();
      const { scribe: next, commits } = await openJournal(tree);
      await next.append([3]);
      const left = await readJournal(tree.crash(keepNothing));
      expect(left.commits.map(({ mark }) => mark)).toEqual([...commits.map(({ mark }) => mark), 3]);
    }
  });
});

describe("a file of which a kill has left no more than its header", () => {
  // A process was killed between the write and the flush of a new file's header. The next one took
  // the file for a successor, recycled the only one whose header was durable, and the power went
  // while it wrote there: no header was left, and the store was refused (the matrix found it).
  it("is no reason to recycle the one before it", async () => {
    const before = new SimulatedTree();
    const scribe = await newJournal(before);
    await scribe.append([1]);
    const { checkpoint } = scribe;
    await before.remove("00000001");
    await before.sync();
    let unproven = 0;
    let garbled = 0;
    for (let first = 0, running = true; running; first++) {
      const one = await stopAt(before, first, async (tree) => {
        await (await openJournal(tree, checkpoint)).scribe.append([2]);
      });
      running = one.stopped;
      const killed = one.tree.killed();
      const { end } = await readJournal(killed, checkpoint);
      unproven += end.unproven.length;
      const proven = { lsn: end.lsn, checksum: end.checksum };
      for (let second = 0, again = true; again; second++) {
        const two = await stopAt(killed, second, async (tree) => {
          const next = await openJournal(tree, checkpoint);
          await next.scribe.journal.recycle(proven.lsn);
          await next.scribe.append([3]);
        });
        again = two.stopped;
        const left = two.tree.crash(keepNothing);
        const written = two.tree.killed();
        const names = await written.list();
        for (const name of await left.list()) {
          if (!names.includes(name)) continue;
          const header = async (tree: SimulatedTree): Promise<Buffer> =>
            (await bytesIn(tree, name)).subarray(0, 512);
          if ((await header(left)).equals(await header(written))) continue;
          // A header that was written and not flushed has left garbage in its place.
          await damage(left, name, (bytes) => bytes.fill(0x5a, 0, 512));
          garbled++;
        }
        const { commits } = await readJournal(left, proven);
        expect(commits.map(({ mark }) => mark)).toEqual(again ? [] : [3]);
      }
    }
    expect(garbled).toBeGreaterThan(0);
    expect(unproven).toBeGreaterThan(0);
  });
});
