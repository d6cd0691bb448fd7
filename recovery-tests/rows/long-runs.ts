/**
 * Row 21: long lives with crashes in them. Each seed is run twice, and must do exactly the same:
 * without that no case could be replayed.
 */
import { fingerprintOfTrace, randomFrom, seedFor, SimulatedDisk } from "blockspace/testing";
import { countedRun, type Row, type RowViolation } from "../row.ts";
import { recover } from "../store/checks.ts";
import { type Beginning, usedStoreFor } from "../store/geometry.ts";
import { allowedAfter, expectOneOf, marksOn, type StoreModel } from "../store/model.ts";
import { longSequence, numbersFor } from "../store/sequences.ts";
import { Session } from "../store/session.ts";
import type { Step } from "../store/steps.ts";

const OPERATIONS = 200;

class PowerLoss extends Error {}

/** One life; returns what it did, as one number for each of the disks that it had. */
async function live(index: number): Promise<number[]> {
  const below = numbersFor(`life ${index}`);
  const random = randomFrom(seedFor(index, "crashes"));
  const steps = longSequence(index, OPERATIONS);
  const traces: number[] = [];
  const beginning = await usedStoreFor(index);
  let disk = new SimulatedDisk({ image: beginning.image, record: true });
  let { model } = beginning;
  /** What a crash may leave before the next host has opened the store. */
  let before: readonly StoreModel[] = [model];
  while (steps.length > 0) {
    const some = steps.splice(0, 5 + below(40));
    const cutAfter = below(3) === 0 ? Infinity : 1 + below(120);
    const isDurable = before.length === 1;
    await work(disk, { ...beginning, model, isDurable }, some, {
      cutAfter,
      prefix: `${traces.length}.`,
    });
    traces.push(fingerprintOfTrace(disk.trace));
    const uncertain = before.map((candidate) => ({ candidate }));
    const allowed = allowedAfter([...uncertain, ...marksOn(disk)]);
    const isKilled = below(4) === 0;
    disk = isKilled ? disk.killed({ record: true }) : disk.crash(random, { record: true });
    model = await recoveredModel(disk, allowed);
    // A kill makes nothing durable: until the next host says so, less may be left than was found.
    before = isKilled ? [...allowed.slice(0, allowed.indexOf(model)), model] : [model];
  }
  return traces;
}

/** Carries steps out until they are done or the power goes. */
async function work(
  disk: SimulatedDisk,
  beginning: Beginning & { isDurable: boolean },
  steps: readonly Step[],
  { cutAfter, prefix }: { cutAfter: number; prefix: string },
): Promise<void> {
  let left = cutAfter;
  disk.onOperation = () => {
    if (left-- <= 0) throw new PowerLoss();
  };
  try {
    const session = await Session.begin(disk, beginning, prefix);
    await session.runAll(steps);
  } catch (error) {
    if (left > 0) throw error;
  } finally {
    disk.onOperation = undefined;
  }
}

async function recoveredModel(
  disk: SimulatedDisk,
  allowed: readonly StoreModel[],
): Promise<StoreModel> {
  // A copy as a crash would leave it: what follows begins with an opening of its own.
  const found = await recover(new SimulatedDisk({ image: disk.image() }));
  return expectOneOf(found!, allowed);
}

async function violationOf(index: number): Promise<RowViolation | undefined> {
  const violation = (message: string, story: string[] = []): RowViolation => ({
    seed: `21:${index}`,
    vector: "life",
    message,
    story,
  });
  try {
    const once = await live(index);
    const twice = await live(index);
    const at = once.findIndex((trace, i) => trace !== twice[i]);
    return at < 0 ? undefined : violation(`the second run differs in its ${at + 1}th part`);
  } catch (error) {
    const stack = error instanceof Error ? (error.stack ?? "").split("\n") : [];
    return violation(String(error), stack);
  }
}

export const longRuns: Row = {
  number: 21,
  fault: `runs of ${OPERATIONS} operations with crashes, each seed twice`,
  leaves: "P1",
  cases: 2_000,
  run: countedRun(violationOf),
  async replay(index) {
    const violation = await violationOf(index);
    return { message: violation?.message, story: [...(violation?.story ?? [])] };
  },
};
