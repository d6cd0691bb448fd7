/**
 * Promises I1 and I2 of the journal alone: whatever a crash leaves, at whatever operation it comes,
 * what is read is a prefix of what was written, with every batch in it whose append had resolved;
 * and the journal can be gone on with from there, crash after crash.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SimulatedTree } from "../support/simulated-tree.ts";
import type { JournalStart } from "../../src/journal/reader.ts";
import { seededNumbers } from "../device/scratch.ts";
import { keepEverything, keepMasked, keepNothing, stopAt } from "./crash-points.ts";
import {
  BEGINNING,
  dataOf,
  type Marked,
  newJournal,
  openJournal,
  type ReadBack,
  readJournal,
  type Scribe,
} from "./scribe.ts";

/** What a journal is known to hold, and the two checkpoints that it is kept back to. */
class Known {
  commits: Marked[] = [];
  durableLsn = 0;
  older: JournalStart = BEGINNING;
  newer: JournalStart = BEGINNING;
  #marks = 0;

  /** A mark that no other commit has. */
  mark(): number {
    return ++this.#marks;
  }

  async checkpoint(scribe: Scribe): Promise<void> {
    this.older = this.newer;
    this.newer = scribe.checkpoint;
    await scribe.journal.recycle(this.older.lsn);
  }

  /** Throws unless what was read behind `start` is what must and what may be there. */
  check({ batches, commits, end }: ReadBack, start: JournalStart): void {
    const due = this.commits.slice(start.lsn, end.lsn);
    const sound =
      end.lsn >= this.durableLsn &&
      end.lsn === start.lsn + commits.length &&
      commits.length === due.length &&
      commits.every(({ lsn, mark }, i) => lsn === due[i]!.lsn && mark === due[i]!.mark) &&
      batches.every(({ header, data }) => {
        return Buffer.compare(data, dataOf(header.firstLsn, data.length)) === 0;
      });
    if (sound) return;
    const [read, submitted] = [JSON.stringify(commits), JSON.stringify(this.commits)];
    throw new Error(
      `behind ${start.lsn}, where ${this.durableLsn} are durable of ${submitted}, it reads ${read}`,
    );
  }

  /** The host is open: what it has read is secured, what it has not read is given up. */
  opened(lsn: number): void {
    this.commits.length = lsn;
    this.durableLsn = lsn;
  }

  async append(scribe: Scribe, commits: number, data: number): Promise<void> {
    const marks = Array.from({ length: commits }, () => this.mark());
    for (const mark of marks) this.commits.push({ lsn: this.commits.length + 1, mark });
    await scribe.append(marks, data);
    this.durableLsn = this.commits.length;
  }
}

/** Opens the journal from either checkpoint, the older one first, and checks what is read. */
async function reopen(tree: SimulatedTree, known: Known): Promise<Scribe> {
  known.check(await readJournal(tree, known.older), known.older);
  const opened = await openJournal(tree, known.newer);
  known.check(opened, known.newer);
  known.opened(opened.end.lsn);
  return opened.scribe;
}

describe("a crash", () => {
  /** Rotation, recycling, a frame larger than a file: about sixty operations. */
  async function script(tree: SimulatedTree, known: Known): Promise<void> {
    const scribe = await reopen(tree, known);
    for (let i = 0; i < 16; i++) {
      await known.append(scribe, 1 + (i % 3), [0, 512, 1536, 0][i % 4]!);
      if (i === 9) await known.append(scribe, 1, 6000);
      if (i % 5 === 4) await known.checkpoint(scribe);
    }
  }

  it("at any operation leaves a prefix, whatever of the last writes is kept", async () => {
    const before = new SimulatedTree();
    await newJournal(before);
    let points = 0;
    for (let running = true; running; points++) {
      const known = new Known();
      const { tree, stopped } = await stopAt(before, points, (copy) => script(copy, known));
      running = stopped;
      const left = [...Array(8).keys()].map((mask) => tree.crash(keepMasked(mask)));
      left.push(tree.crash(keepNothing), tree.crash(keepEverything), tree.killed());
      for (const each of left) {
        known.check(await readJournal(each, known.newer), known.newer);
        const own = Object.assign(new Known(), structuredClone(known));
        const scribe = await reopen(each, own);
        await own.append(scribe, 2, 512);
        own.check(await readJournal(each.crash(keepNothing), own.older), own.older);
      }
    }
    expect(points).toBeGreaterThan(60);
  });

  it("after crash after crash, at random, never costs what was durable", async () => {
    let stops = 0;
    let recycled = 0;
    const property = fc.asyncProperty(fc.integer(), async (seed) => {
      const below = seededNumbers(seed);
      const random = (): number => below(2 ** 32) / 2 ** 32;
      const known = new Known();
      let tree = new SimulatedTree();
      await newJournal(tree);
      await tree.sync();
      for (let round = 0; round < 8; round++) {
        const result = await stopAt(tree, below(40), async (copy) => {
          const scribe = await reopen(copy, known);
          for (let i = below(20); i > 0; i--) {
            const data = below(12) === 0 ? 6000 : below(4) * 512;
            await known.append(scribe, 1 + below(3), data);
            if (below(4) === 0) await known.checkpoint(scribe);
          }
        });
        if (result.stopped) stops++;
        tree = below(3) === 0 ? result.tree.killed() : result.tree.crash(random);
      }
      await reopen(tree, known);
      if (known.older.lsn > 0) recycled++;
    });
    await fc.assert(property, { numRuns: 100 });
    expect(Math.min(stops, recycled)).toBeGreaterThan(50);
  });
});
