/** Violations made small: few steps, an early crash, little lost, and still a violation. */
import { describe, expect, it } from "vitest";
import { checkCrashConsistency } from "../../src/testing/check.ts";
import type { CrashCheck } from "../../src/testing/crash-check.ts";
import { fateIn, formatVectors, parseVectors } from "../../src/testing/crash-vector.ts";
import { parsePlan } from "../../src/testing/faults.ts";
import { fileSystemSync } from "../../src/testing/file-system-sync.ts";
import { record } from "../../src/testing/recording.ts";
import { replayCrash } from "../../src/testing/replay-case.ts";
import { shrink } from "../../src/testing/shrink.ts";
import { imageOf } from "./hand-made.ts";
import { checkOf, flaws, flawsUnderFaults } from "./small-programs.ts";

/** Steps write one byte each, at their number; the oracle says which bytes must not be there. */
function bytesAt(forbidden: (text: string) => boolean): CrashCheck<string, number> {
  return {
    start: imageOf({ a: "......" }),
    steps: [0, 1, 2, 3, 4, 5],
    workload(disk, steps) {
      for (const step of steps) disk.write(disk.file("/a"), Buffer.from(String(step)), step);
    },
    recover: (disk) => fileSystemSync(disk).readFileSync("/a", "latin1"),
    oracle: (text) => {
      if (forbidden(text)) throw new Error(`"${text}" is not allowed`);
    },
  };
}

async function smallest(check: CrashCheck<string, number>, vector: string) {
  const steps = check.steps ?? [];
  const found = {
    steps,
    run: await record(check, steps),
    crashCase: { vectors: parseVectors(vector) },
  };
  const small = await shrink(check, {}, found);
  return { steps: small.steps, vector: formatVectors(small.crashCase.vectors) };
}

describe("a violation made small", () => {
  it("has no more steps than it takes, and the crash right after them", async () => {
    const check = bytesAt((text) => text.includes("1") && text.includes("4"));
    expect(await smallest(check, "6,d0-,d5-")).toEqual({ steps: [1, 4], vector: "2" });
  });

  it("has the earliest crash, with all of it kept or all of it lost where that will do", async () => {
    const check = { ...bytesAt((text) => text.includes("1")), steps: [] };
    const run = await record(
      bytesAt(() => false),
      [0, 1, 2, 3],
    );
    const crashCase = { vectors: parseVectors("4,d2-") };
    const kept = await shrink(check, {}, { steps: [], run, crashCase });
    expect(formatVectors(kept.crashCase.vectors)).toBe("2");
    const noOne = { ...check, ...bytesAt((text) => !text.includes("1")), steps: [] };
    const lost = await shrink(
      noOne,
      {},
      { steps: [], run, crashCase: { vectors: parseVectors("4,d1-") } },
    );
    expect(formatVectors(lost.crashCase.vectors)).toBe("0");
  });

  it("takes back whatever need not be lost, and leaves the rest", async () => {
    const check = bytesAt((text) => text.startsWith("0.") && text[3] === "3");
    const vector = "5,d1-,d2-,d4-";
    expect(await smallest({ ...check, steps: [0, 1, 2, 3, 4] }, vector)).toEqual({
      steps: [0, 3],
      vector: "2",
    });
    const fixed = { ...check, steps: [] };
    const run = await record(check, [0, 1, 2, 3, 4]);
    const found = { steps: [], run, crashCase: { vectors: parseVectors(vector) } };
    const small = await shrink(fixed, {}, found);
    expect(formatVectors(small.crashCase.vectors)).toBe("5,d1-");
  });

  it("keeps all that must be lost together, and says it in the shorter way", async () => {
    const steps = [0, 1, 2, 3, 4];
    const two = { ...bytesAt((text) => text.startsWith("0..3")), steps: [] };
    const run = await record(
      bytesAt(() => false),
      steps,
    );
    const small = async (check: typeof two, vector: string): Promise<string> => {
      const found = { steps: [], run, crashCase: { vectors: parseVectors(vector) } };
      return formatVectors((await shrink(check, {}, found)).crashCase.vectors);
    };
    expect(await small(two, "5,d1-,d2-,d4-")).toBe("5,d1-,d2-");
    const all = { ...bytesAt((text) => text === "01234."), steps: [] };
    expect(await small(all, "5!,d0+,d1+,d2+,d3+,d4+")).toBe("5");
  });

  it("has no steps with which the workload would fail", async () => {
    const check = bytesAt((text) => text.includes("4"));
    const dependent: typeof check = {
      ...check,
      async workload(disk, steps) {
        await check.workload(disk, steps);
        if (!steps.includes(2)) throw new Error("step 2 is missing");
      },
    };
    expect(await smallest(dependent, "6")).toEqual({ steps: [2, 4], vector: "2" });
  });

  // The steps were gone through once: an end without its begin stayed, and with it a story of two.
  it("has no step that may go now that one before it has gone", async () => {
    const check = bytesAt((text) => text.includes("2"));
    const paired: typeof check = {
      ...check,
      async workload(disk, steps) {
        await check.workload(disk, steps);
        if (steps.includes(0) && !steps.includes(4)) throw new Error("0 begins what 4 ends");
      },
    };
    expect(await smallest(paired, "6")).toEqual({ steps: [2], vector: "1" });
  });

  // The search for fewer steps took all the attempts there were, and the crash stayed a late one.
  it("has an early crash also where no step can be left out of many", async () => {
    const all = "0123456789a";
    const check: CrashCheck<string, number> = {
      ...bytesAt((text) => text === all),
      start: imageOf({ a: ".".repeat(all.length) }),
      steps: Array.from(all, (_, at) => at),
      workload(disk, steps) {
        for (const at of steps) disk.write(disk.file("/a"), Buffer.from(all[at]!), at);
        disk.mark("end");
      },
    };
    expect(await smallest(check, "12")).toEqual({ steps: check.steps, vector: "11" });
  });

  it("stands in the report, with the steps that it takes", async () => {
    const check = bytesAt((text) => text.includes("1") && text.includes("4"));
    const { violations } = await checkCrashConsistency(check, { budget: { violations: 1 } });
    expect(violations[0]).toMatchObject({
      vector: "5",
      smallestSteps: [1, 4],
      smallestVector: "2",
    });
  });

  it("is the crash alone where that violates without one in the recovery from it", async () => {
    const check = { ...bytesAt((text) => text.includes("2")), steps: [] };
    const run = await record(check, [0, 1, 2]);
    const crashCase = { vectors: parseVectors("3/0/0") };
    const small = await shrink(check, {}, { steps: [], run, crashCase });
    expect(formatVectors(small.crashCase.vectors)).toBe("3");
  });

  it("keeps the crash before it as it is where the recovery must be cut short", async () => {
    const writing: CrashCheck<string, number> = {
      ...bytesAt((text) => text.startsWith("r") && !text.startsWith("rr")),
      steps: [],
      recover: (disk) => {
        const text = fileSystemSync(disk).readFileSync("/a", "latin1");
        if (text.startsWith("r")) return text;
        for (const at of [2, 0, 1]) disk.write(disk.file("/a"), Buffer.from("r"), at);
        return fileSystemSync(disk).readFileSync("/a", "latin1");
      },
    };
    const run = await record(writing, []);
    const crashCase = { vectors: parseVectors("0/3,d2-,d0-") };
    const small = await shrink(writing, {}, { steps: [], run, crashCase });
    expect(formatVectors(small.crashCase.vectors)).toBe("0/2");
  });

  it("stays as it was where nothing smaller violates", async () => {
    const check = { ...bytesAt((text) => text === "0.2..."), steps: [] };
    const run = await record(check, [0, 1, 2]);
    const found = { steps: [], run, crashCase: { vectors: parseVectors("3,d1-") } };
    expect(await shrink(check, {}, found)).toEqual(found);
  });

  it("leaves the steps alone where a fault is named by the number of its operation", async () => {
    const check = checkOf(flawsUnderFaults["tries a failed sync again"]);
    const report = await checkCrashConsistency(check, { faults: ["sync"] });
    const always = checkOf(flaws["does not sync the folder"]);
    const budget = { states: 0, violations: 1 };
    const other = await checkCrashConsistency(always, { faults: ["sync"], budget });
    expect(other.violations).toMatchObject([{ smallestSteps: [1, 2, 3] }]);
    for (const { smallestSteps, smallestVector, vector } of report.violations) {
      expect(smallestSteps).toEqual([1, 2, 3]);
      expect(smallestVector.split("|")[0]).toBe(vector.split("|")[0]);
      expect((await replayCrash(check, smallestVector)).violation).toBeDefined();
    }
  });

  it.each(Object.keys(flaws))("violates, in a program that %s", async (flaw) => {
    const check = checkOf(flaws[flaw]);
    const report = await checkCrashConsistency(check, { budget: { violations: 2 } });
    for (const { smallestSteps, smallestVector, smallestMessage } of report.violations) {
      expect(smallestSteps.length).toBe(1);
      const steps = smallestSteps as number[];
      const { violation } = await replayCrash({ ...check, steps }, smallestVector);
      // The report told its story under what was said of the larger case.
      expect(violation).toMatchObject({ error: { message: smallestMessage } });
    }
  });

  it("is given up after so many recoveries", async () => {
    let recoveries = 0;
    const steps = Array.from({ length: 16 }, (_, i) => i);
    const check = { ...bytesAt(() => false), steps };
    const counting = {
      ...check,
      recover: () => `${++recoveries}`,
    };
    const vectors = parseVectors("16,d0-");
    const run = await record(check, steps);
    await shrink(counting, { kinds: ["subset"] }, { steps, run, crashCase: { vectors } });
    expect(recoveries).toBeGreaterThan(4000);
    expect(recoveries).toBeLessThanOrEqual(5000);
  });
});

describe("a replay", () => {
  it("tells what is wrong and what happened, or that nothing is", async () => {
    const check = bytesAt((text) => text === "0.2...");
    const { violation, trace } = await replayCrash(check, "3,d1-");
    expect((violation!.error as Error).message).toBe('"0.2..." is not allowed');
    expect(trace.at(-1)).toBe("the power goes");
    expect(trace.length).toBe(4);
    expect((await replayCrash(check, "3")).violation).toBeUndefined();
  });

  it("meets the same fault, and tells the oracle of it", async () => {
    const moments: unknown[] = [];
    const check = {
      ...bytesAt(() => false),
      oracle: (_: string, moment: unknown) => void moments.push(moment),
    };
    await replayCrash(check, "@2:lie|6");
    const operation = { kind: "write", path: "/a", offset: 1, length: 1 };
    const fault = { plan: parsePlan("@2:lie"), struck: [operation] };
    expect(moments).toEqual([{ marks: [], fault, vector: "@2:lie|6" }]);
    await expect(replayCrash(check, "@2:EIO|1")).resolves.toBeDefined();
  });

  it("refuses what is no vector, and a crash beyond the end of the workload", async () => {
    const check = bytesAt(() => false);
    await expect(replayCrash(check, "six")).rejects.toBeInstanceOf(SyntaxError);
    await expect(replayCrash(check, "7")).rejects.toThrow(
      new RangeError("the trace has 6 entries; the crash is after 7"),
    );
    await expect(replayCrash(check, "6/1")).rejects.toBeInstanceOf(RangeError);
    expect(fateIn(parseVectors("7")[0]!)({ type: "data", at: 1 } as never)).toBe("kept");
  });
});
