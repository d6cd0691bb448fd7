/** A recovery that does not end is a violation, and does not keep the check from ending. */
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { checkCrashConsistency } from "../../src/testing/check.ts";
import type { CrashCheck } from "../../src/testing/crash-check.ts";
import { fileSystem } from "../../src/testing/file-system.ts";
import { imageOf } from "./hand-made.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => vi.useRealTimers());

const hung = "the recovery did not end within 30 s";

it("is told of where it waits for what never comes", async () => {
  const check: CrashCheck = {
    start: imageOf({}),
    workload: () => undefined,
    recover: () => new Promise(() => {}),
    oracle: () => undefined,
  };
  const checking = checkCrashConsistency(check);
  await vi.advanceTimersByTimeAsync(30_000);
  expect((await checking).violations).toMatchObject([{ message: hung, vector: "0" }]);
  expect(vi.getTimerCount()).toBe(0);
});

it.each([
  ["what fails", "/nothing"],
  ["what does not fail", "/"],
])("is left behind where it tries %s again and again", async (_, path) => {
  const check: CrashCheck = {
    start: imageOf({}),
    workload: () => undefined,
    async recover(disk) {
      const fs = fileSystem(disk);
      for (;;) {
        try {
          await (await fs.open(path, "r")).close();
        } catch {
          // And once more.
        }
      }
    },
    refusal: () => true,
    oracle: () => undefined,
  };
  const passing = setImmediate().then(() => vi.advanceTimersByTime(30_000));
  const { violations } = await checkCrashConsistency(check);
  await passing;
  expect(violations.map(({ message }) => message)).toEqual([hung]);
});

it("is left behind where it goes round in circles", async () => {
  let rounds = 0;
  const check: CrashCheck = {
    start: imageOf({}),
    workload: () => undefined,
    async recover(disk) {
      const fs = fileSystem(disk);
      for (;;) {
        await (await fs.open("/", "r")).close();
        rounds++;
      }
    },
    oracle: () => undefined,
  };
  // Comes about only where the circles let the event loop have a turn.
  const passing = setImmediate().then(() => vi.advanceTimersByTime(30_000));
  const { violations } = await checkCrashConsistency(check);
  await passing;
  expect(violations.map(({ message }) => message)).toEqual([hung]);
  await setImmediate();
  const before = rounds;
  await setImmediate();
  expect(rounds).toBe(before);
});
