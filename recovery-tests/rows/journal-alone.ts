/**
 * Row 25: both checkpoints are gone, and the journal reaches back to the creation of the store. It
 * is replayed from there, over blocks that came free and were used again in the meantime.
 */
import { SimulatedDisk } from "blockspace/testing";
import { countedRun, type Row, type RowViolation } from "../row.ts";
import { open, storeOfWholeJournal } from "../store/geometry.ts";
import { allowedAfter, expectOneOf, marksOn, readAll } from "../store/model.ts";
import { busySequence } from "../store/sequences.ts";
import { Session } from "../store/session.ts";

const NUMBER = 25;

/** What does not hold of a store that was worked on, killed, and lost both checkpoints. */
async function wrongAfter(index: number): Promise<string | undefined> {
  const beginning = await storeOfWholeJournal();
  const disk = new SimulatedDisk({ image: beginning.image, record: true });
  const session = await Session.begin(disk, beginning);
  await session.runAll(busySequence(index));
  const last = allowedAfter(marksOn(disk)).at(-1)!;
  const left = new SimulatedDisk({ image: disk.image() });
  for (const name of ["a", "b"])
    left.setCell(`/store/checkpoint/${name}`, new Map<number, never>(), 0);
  const { journalSize } = beginning;
  try {
    // Twice: the first time what the journal carries is read from memory, then from its place.
    for (let opening = 0; opening < 2; opening++) {
      const host = await open(left, { journalSize: journalSize! });
      expectOneOf(await readAll(host), [last]);
      await host.close();
    }
    return undefined;
  } catch (error) {
    return String(error);
  }
}

async function violationOf(index: number): Promise<RowViolation | undefined> {
  const message = await wrongAfter(index);
  const seed = `${NUMBER}:${index}`;
  return message === undefined ? undefined : { seed, vector: "rest", message, story: [] };
}

export const journalAlone: Row = {
  number: NUMBER,
  fault: "both checkpoints lost",
  leaves: "P1",
  cases: 2000,
  run: countedRun(violationOf),
  replay: async (index) => ({ message: await wrongAfter(index), story: [] }),
};
