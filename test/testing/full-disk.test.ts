/** A disk that becomes full in the middle of a write: the part that it took is there. */
import { expect, it } from "vitest";
import { checkCrashConsistency } from "../../src/testing/check.ts";
import type { CrashCheck } from "../../src/testing/crash-check.ts";
import { fileSystem } from "../../src/testing/file-system.ts";
import { imageOf } from "./hand-made.ts";

/** A log of lines; after an error it goes on, from where it was or from where it got to. */
function logOf(cutsOff: boolean): CrashCheck<string[], string> {
  return {
    start: imageOf({ log: "" }),
    steps: ["one", "two", "three"],
    async workload(disk, steps) {
      const fs = fileSystem(disk);
      let end = 0;
      for (const line of steps) {
        try {
          if (cutsOff) await fs.truncate("/log", end);
          await fs.appendFile("/log", `${line.padEnd(6, "-")}\n`, { flush: true });
          disk.mark(line);
          end += 7;
        } catch (error) {
          // It is said to have failed, and the next one may do better; a failed sync ends it.
          if ((error as NodeJS.ErrnoException).code !== "ENOSPC") return;
        }
      }
    },
    async recover(disk) {
      const lines = (await fileSystem(disk).readFile("/log", "latin1")).split("\n");
      return lines.filter((line) => line.length === 6).map((line) => line.replaceAll("-", ""));
    },
    oracle(found, { marks }) {
      const lost = (marks as string[]).find((line) => !found.includes(line));
      if (lost !== undefined) throw new Error(`${lost} is lost`);
    },
  };
}

it("is what a log finds out that goes on behind half a line", async () => {
  const report = await checkCrashConsistency(logOf(false), { faults: ["ENOSPC"] });
  expect(report.violations.length).toBeGreaterThan(0);
  for (const { kind, vector } of report.violations) {
    expect(kind).toBe("ENOSPC");
    expect(vector).toMatch(/^@\d+:short3,ENOSPC\|/);
  }
});

it("is no trouble for a log that cuts the half line off", async () => {
  const report = await checkCrashConsistency(logOf(true), { faults: ["ENOSPC"] });
  expect(report.violations).toEqual([]);
});
