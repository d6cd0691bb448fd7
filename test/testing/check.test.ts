/** The check itself: it finds what is wrong with small programs, and nothing where nothing is. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { checkCrashConsistency, type CheckOptions } from "../../src/testing/check.ts";
import type { CrashReport } from "../../src/testing/check-report.ts";
import type { CrashCheck } from "../../src/testing/crash-check.ts";
import type { SimulatedDisk } from "../../src/testing/disk.ts";
import type { FaultKind } from "../../src/testing/faults.ts";
import { fileSystemSync } from "../../src/testing/file-system-sync.ts";
import { replayCrash } from "../../src/testing/replay-case.ts";
import { imageOf } from "./hand-made.ts";
import { checkOf, flaws, flawsUnderFaults } from "./small-programs.ts";

const quick: CheckOptions = { shrink: false };

/** A promise that nobody keeps. */
const forever = (): Promise<void> => new Promise<void>(() => {});

/** What must be true of every report. */
function expectSum(report: CrashReport): void {
  const tallies = Object.values(report.byKind);
  const sum = (key: "states" | "distinct" | "violations"): number =>
    tallies.reduce((total, tally) => total + tally[key], 0);
  expect(sum("states")).toBe(report.states);
  expect(sum("distinct")).toBe(report.distinct);
  expect(sum("violations")).toBe(report.violations.length);
  expect(report.distinct).toBeLessThanOrEqual(report.states);
}

describe("a check of a small program", () => {
  it("finds nothing where nothing is wrong, whatever fails", async () => {
    const noticed: FaultKind[] = ["EIO", "ENOSPC", "EMFILE", "short", "sync", "delay"];
    const report = await checkCrashConsistency(checkOf(), { faults: noticed });
    expect(report.violations).toEqual([]);
    expect(report).toMatchObject({ name: "one value", seed: 1, complete: true });
    expect(Object.keys(report.byKind).toSorted()).toEqual(
      [...noticed, "prefix", "subset", "torn", "garbage", "names"].toSorted(),
    );
    expect(report.distinct).toBeGreaterThan(100);
    expectSum(report);
  });

  it.each(Object.keys(flaws))("finds one that %s", async (flaw) => {
    const check = checkOf(flaws[flaw]);
    const report = await checkCrashConsistency(check, quick);
    expectSum(report);
    expect(report.violations.length).toBe(10);
    expect(report.complete).toBe(false);
    for (const { vector, message } of report.violations) {
      const { violation } = await replayCrash(check, vector);
      expect(violation).toMatchObject({ error: { message } });
    }
  });

  it.each(Object.keys(flawsUnderFaults))(
    "finds one that %s, but only when a sync fails",
    async (flaw) => {
      const check = checkOf(flawsUnderFaults[flaw]);
      expect((await checkCrashConsistency(check, quick)).violations).toEqual([]);
      const report = await checkCrashConsistency(check, { ...quick, faults: ["sync"] });
      expectSum(report);
      expect(report.violations.length).toBeGreaterThan(0);
      for (const { vector, message, kind } of report.violations) {
        expect(kind).toBe("sync");
        expect(vector).toMatch(/^@\d+:EIO\|/);
        const { violation } = await replayCrash(check, vector);
        expect(violation).toMatchObject({ error: { message } });
      }
    },
  );

  it.each(["lie", "lost", "flip", "misdirect"] as FaultKind[])(
    "finds that nothing helps against %s",
    async (kind) => {
      const check = checkOf();
      const { violations } = await checkCrashConsistency(check, { ...quick, faults: [kind] });
      expect(violations.length).toBeGreaterThan(0);
      expect(new Set(violations.map((violation) => violation.kind))).toEqual(new Set([kind]));
      const { violation } = await replayCrash(check, violations[0]!.vector);
      expect(violation).toMatchObject({ error: { message: violations[0]!.message } });
    },
  );
});

describe("the options of a check", () => {
  it("limit the states, the faults, the states of each fault, and the violations", async () => {
    const states = await checkCrashConsistency(checkOf(), { budget: { states: 60 } });
    expect(states.states).toBeGreaterThan(30);
    expect(states.states).toBeLessThan(90);
    expect(states.complete).toBe(true);
    const all = await checkCrashConsistency(checkOf(), {
      faults: ["EIO"],
      budget: { states: 0, statesPerFault: 0 },
    });
    const operations = all.states / 4;
    expect(Number.isInteger(operations)).toBe(true);
    expect(operations).toBeGreaterThan(20);
    const few = await checkCrashConsistency(checkOf(), {
      faults: ["EIO"],
      budget: { states: 0, statesPerFault: 0, faults: operations },
    });
    expect(few.states).toBeGreaterThan(all.states / 4);
    expect(few.states).toBeLessThan((all.states * 3) / 4);
    const usual = await checkCrashConsistency(checkOf(), {
      faults: ["sync"],
      budget: { states: 0 },
    });
    expect(usual.states / 6).toBeGreaterThan(8);
    expect(usual.states / 6).toBeLessThan(20);
    const one = await checkCrashConsistency(checkOf(flaws["writes in place"]), {
      budget: { violations: 1 },
      faults: ["EIO"],
    });
    expect(one.violations.length).toBe(1);
    expect(one.complete).toBe(false);
    expect(one.byKind.EIO).toBeUndefined();
  });

  it("end it at once when a signal says so", async () => {
    const control = new AbortController();
    const told: number[] = [];
    const report = await checkCrashConsistency(checkOf(), {
      faults: ["EIO"],
      signal: control.signal,
      onProgress: ({ states }) => {
        told.push(states);
        if (states === 20) control.abort();
      },
    });
    expect(report.states).toBe(20);
    expect(report.complete).toBe(false);
    expect(told).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
  });

  it("end it also among the faults, after the two ends of the one under way", async () => {
    const control = new AbortController();
    const report = await checkCrashConsistency(checkOf(), {
      faults: ["EIO"],
      budget: { states: 0 },
      signal: control.signal,
      onProgress: ({ states }) => states === 30 && control.abort(),
    });
    expect(report.states).toBeLessThan(33);
    expect(report.complete).toBe(false);
  });

  it("count as distinct only what no check before has seen", async () => {
    const seen = new Set<number>();
    const first = await checkCrashConsistency(checkOf(), { seen });
    expect(seen.size).toBe(first.distinct);
    const second = await checkCrashConsistency(checkOf(), { seen });
    expect([second.states, second.distinct]).toEqual([first.states, 0]);
  });

  it("recover a state once however often it comes up, and ask the oracle each time", async () => {
    const check = checkOf();
    let asked = 0;
    const started: SimulatedDisk[] = [];
    const counting: typeof check = {
      ...check,
      recover: (disk) => {
        started.push(disk);
        disk.mark("recovered");
        return check.recover(disk);
      },
      oracle: (found, moment) => {
        asked++;
        return check.oracle(found, moment);
      },
    };
    const report = await checkCrashConsistency(counting, quick);
    expect(started.length).toBe(report.distinct);
    expect(asked).toBe(report.states);
    expect(started.every(({ trace }) => trace.length === 0)).toBe(true);
  });

  it("leave out the points before a mark, not the mark itself", async () => {
    const check = checkOf();
    const begins = (value: number) => ({
      ...quick,
      from: (mark: unknown) => (mark as { begun?: number }).begun === value,
    });
    const moments: number[] = [];
    const counting: typeof check = {
      ...check,
      oracle: (found, moment) => {
        moments.push(moment.marks.length);
        return check.oracle(found, moment);
      },
    };
    const all = await checkCrashConsistency(counting, quick);
    expect(Math.min(...moments)).toBe(0);
    moments.length = 0;
    const late = await checkCrashConsistency(counting, begins(3));
    expect(Math.min(...moments)).toBe(5);
    expect(late.states).toBeLessThan(all.states / 2);
    const none = await checkCrashConsistency(counting, begins(4));
    expect(none.states).toBe(all.states);
  });

  it("try the kinds of crashes that the model names, and the same with the same seed", async () => {
    const model = { kinds: ["torn", "names"], tearSamples: 3 } as const;
    const states = async (seed: number): Promise<number[]> => {
      const seen = new Set<number>();
      const { byKind } = await checkCrashConsistency(checkOf(), { model, seed, seen });
      expect(Object.keys(byKind).toSorted()).toEqual(["names", "torn"]);
      return [...seen];
    };
    expect(await states(1)).toEqual(await states(1));
    expect(await states(1)).not.toEqual(await states(2));
  });

  it("allow errors that a program may answer with", async () => {
    const refused: unknown[] = [];
    const check = checkOf(flaws["writes in place"]);
    const mild: typeof check = {
      ...check,
      refusal: (error, { marks }) => {
        refused.push(marks);
        return (error as Error).message === "the value is broken";
      },
    };
    const report = await checkCrashConsistency(mild, quick);
    expect(refused.length).toBeGreaterThan(0);
    expect(report.violations).toEqual([]);
    const strict = await checkCrashConsistency({ ...check, refusal: () => false }, quick);
    expect(strict.violations.length).toBe(10);
  });
});

describe("a workload", () => {
  it("that fails without a fault is told of, with its error", async () => {
    const error = new Error("no");
    const check = { ...checkOf(), workload: () => Promise.reject(error) };
    const failure = {
      message: "the workload fails although nothing went wrong on its disk",
      cause: error,
    };
    await expect(checkCrashConsistency(check)).rejects.toMatchObject(failure);
    await expect(replayCrash(check, "0")).rejects.toMatchObject(failure);
  });

  // It passed whatever its flaws, when it did not use the disk that it was given.
  it("that does nothing on its disk is refused, but where its recovery is what is tried", async () => {
    const [recover, oracle] = [() => "found", () => undefined];
    const idle: CrashCheck = { workload: (disk) => disk.mark("acknowledged"), recover, oracle };
    const message: unknown = expect.stringContaining("did nothing on its disk");
    await expect(checkCrashConsistency(idle)).rejects.toMatchObject({ code: "EINVAL", message });
    await checkCrashConsistency({ ...idle, start: imageOf({}) });
    await checkCrashConsistency(idle, { model: { recoveryDepth: 1 } });
    const reader = (disk: SimulatedDisk): void => void fileSystemSync(disk).openSync("/", "r");
    await checkCrashConsistency({ ...idle, workload: reader });
  });

  describe("that hangs", () => {
    beforeEach(() => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
    afterEach(() => vi.useRealTimers());

    it("is told of, and one that ends leaves no timer behind", async () => {
      const check = { ...checkOf(), workload: forever };
      const checking = checkCrashConsistency(check).catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(30_000);
      expect(await checking).toMatchObject({
        cause: new Error("the workload did not end within 30 s"),
      });
      await checkCrashConsistency(checkOf(), { budget: { states: 10 } });
      expect(vi.getTimerCount()).toBe(0);
    });

    it("after a fault is a violation, that a replay shows again", async () => {
      const check: CrashCheck = {
        workload: (disk) => {
          disk.createFile("/a");
          try {
            disk.syncFolder("/");
          } catch {
            return forever();
          }
          return undefined;
        },
        recover: () => undefined,
        oracle: () => undefined,
      };
      const checking = checkCrashConsistency(check, { faults: ["sync"], shrink: false });
      await vi.advanceTimersByTimeAsync(30_000);
      const [violation] = (await checking).violations;
      expect(violation).toMatchObject({
        kind: "sync",
        vector: "@2:EIO|2",
        message: "the workload did not end within 30 s",
      });
      const replay = replayCrash(check, violation!.vector);
      await vi.advanceTimersByTimeAsync(30_000);
      expect((await replay).violation?.error).toEqual(violation!.error);
    });
  });
});

describe("crashes of a recovery", () => {
  /** A value and a change of it that recovery makes: twice, where it is cut short. */
  function adding(recover: (disk: SimulatedDisk) => void): CrashCheck<string, never> {
    return {
      start: imageOf({ value: "5", change: "3", target: "8" }),
      workload: (disk) => disk.mark("begun"),
      recover: (disk) => {
        recover(disk);
        return fileSystemSync(disk).readFileSync("/value", "utf8");
      },
      oracle: (value) => expect(value).toBe("8"),
    };
  }
  const isThere = (disk: SimulatedDisk, path: string): boolean => disk.find(path) !== undefined;
  const set = (disk: SimulatedDisk, text: string): void => {
    const value = disk.file("/value");
    disk.write(value, Buffer.from(text), 0);
    disk.flush(value);
  };
  const addOnce = adding((disk) => {
    if (!isThere(disk, "/change")) return;
    const now = Number(fileSystemSync(disk).readFileSync("/value", "utf8"));
    set(disk, String(now + 3));
    disk.remove("/change", "file");
    disk.syncFolder("/");
  });
  const setTarget = adding((disk) => {
    set(disk, "8");
    if (isThere(disk, "/change")) disk.remove("/change", "file");
    disk.syncFolder("/");
  });

  it("find one that does not begin again where it was cut short, and replay", async () => {
    const shallow = await checkCrashConsistency(addOnce, quick);
    expect(shallow.violations).toEqual([]);
    const report = await checkCrashConsistency(addOnce, { ...quick, model: { recoveryDepth: 1 } });
    expectSum(report);
    expect(report.violations.length).toBeGreaterThan(0);
    for (const { kind, vector } of report.violations) {
      expect(kind).toBe("recovery");
      expect(vector).toMatch(/^\d+!?\/\d+/);
      expect((await replayCrash(addOnce, vector)).violation).toBeDefined();
    }
  });

  it("find nothing in one that does, however deep", async () => {
    const model = { recoveryDepth: 3, recoverySamples: 50 };
    const report = await checkCrashConsistency(setTarget, { model });
    expect(report.violations).toEqual([]);
    expect(report.byKind.recovery!.states).toBeGreaterThan(10);
    const few = await checkCrashConsistency(setTarget, { model: { ...model, recoverySamples: 1 } });
    expect(few.states).toBeLessThan(report.states);
  });

  it("are as many and as deep as the model says", async () => {
    const depths = new Map<number, number>();
    const deep: CrashCheck<number, never> = {
      start: imageOf({ a: "0" }),
      workload: (disk) => disk.mark("begun"),
      recover: (disk) => {
        const found = Number(fileSystemSync(disk).readFileSync("/a", "utf8"));
        disk.write(disk.file("/a"), Buffer.from(String((found + 1) % 10)), 0);
        return found;
      },
      oracle: (_, { vector }) => {
        const depth = vector.split("/").length - 1;
        depths.set(depth, (depths.get(depth) ?? 0) + 1);
      },
    };
    await checkCrashConsistency(deep, { model: { recoveryDepth: 2 } });
    expect(new Set(depths.keys())).toEqual(new Set([0, 1, 2]));
  });

  it("are tried of a state too that came up within a recovery before", async () => {
    // The state at stage 2 was known by then, and the recovery from it was never cut short.
    const staged: CrashCheck<string[], never> = {
      start: imageOf({ one: "", a: "" }),
      workload: (disk) => {
        disk.rename("/one", "/two");
        disk.syncFolder("/");
      },
      recover: (disk) => {
        if (!isThere(disk, "/a") && !isThere(disk, "/b")) return [];
        if (isThere(disk, "/one")) disk.rename("/one", "/two");
        else if (isThere(disk, "/a")) {
          disk.remove("/a", "file");
          disk.syncFolder("/");
          disk.createFile("/b");
        }
        disk.syncFolder("/");
        return disk.list("/");
      },
      oracle: (names) => {
        if (!names.includes("a") && !names.includes("b")) throw new Error("neither is there");
      },
    };
    const report = await checkCrashConsistency(staged, { ...quick, model: { recoveryDepth: 1 } });
    expect(report.violations.map(({ message }) => message)).toContain("neither is there");
  });
});
