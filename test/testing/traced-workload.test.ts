/**
 * A traced program is checked like one on a simulated disk. Before there was `workloadOf`, whoever
 * traced a program had to count its marks, to open equal states once and to judge them without any
 * help, and was told neither the story of a violation nor how to replay it.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  checkCrashConsistency,
  type CrashCheck,
  replayCrash,
  straceMissing,
  traceSystemCalls,
  workloadOf,
  writeImage,
} from "../../src/testing.ts";

const missing = straceMissing();

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "traced-workload-"));
});
afterEach(() => rm(directory, { recursive: true }));

/** Saves two values, one after the other; `isCareful`: it syncs what it renames. */
const program = (isCareful: boolean): string => `
  for (const value of ["one", "two"]) {
    console.log("begin " + value);
    const file = fs.openSync("new", "w");
    fs.writeSync(file, value);
    if (${isCareful}) fs.fsyncSync(file);
    fs.renameSync("new", "value");
    fs.fsyncSync(fs.openSync(".", "r"));
    console.log("end " + value);
  }`;

async function checkOf(text: string): Promise<CrashCheck<string>> {
  const args = ["--eval", text];
  const traced = await traceSystemCalls({ command: process.execPath, args, directory });
  const states = await mkdtemp(join(directory, "states-"));
  let count = 0;
  return {
    ...workloadOf(traced),
    async recover(disk) {
      const path = join(states, String(count++));
      await writeImage(disk.image(), path);
      return disk.find("value") ? readFileSync(join(path, "value"), "utf8") : "none";
    },
    oracle(found, { marks }) {
      const last = (marks.at(-1) as string | undefined)?.split(" ") ?? [];
      const before = last[1] === "two" ? "one" : "none";
      const allowed = last[0] === "begin" ? [before, last[1]] : [last[1] ?? "none"];
      if (!allowed.includes(found)) throw new Error(`${JSON.stringify(found)} is found`);
    },
  };
}

describe.skipIf(missing)(
  `a check of a traced program${missing ? ` (skipped: ${missing})` : ""}`,
  () => {
    it("finds nothing where nothing is wrong", async () => {
      const report = await checkCrashConsistency(await checkOf(program(true)));
      expect(report.violations).toEqual([]);
      expect(report.distinct).toBeGreaterThan(10);
    });

    it("tells what is wrong, and replays it", async () => {
      const check = await checkOf(program(false));
      const { violations } = await checkCrashConsistency(check, { budget: { violations: 1 } });
      expect(violations[0]!.trace).toEqual([
        "   0 mark begin one",
        "   1 create new 0 bytes  [name kept]",
        "   2 write new 3 bytes at 0  [size lost, data lost]",
        "   3 rename new to value  [name kept]",
        "the power goes",
      ]);
      const { violation } = await replayCrash(check, violations[0]!.vector);
      expect(violation?.error).toEqual(violations[0]!.error);
    });

    it("is refused when the program has failed", async () => {
      await expect(checkOf(`console.error("no"); process.exit(3)`)).rejects.toThrow(
        /ended with 3: no/,
      );
    });

    // It passed, as would any other program that does not write where it is watched.
    it("is refused when the program has changed nothing there", async () => {
      const refusalOf = async (text: string): Promise<unknown> =>
        checkOf(text).catch((error: unknown) => error);
      const elsewhere = `${directory}-elsewhere`;
      const write = `console.log("begin one"); fs.writeFileSync(${JSON.stringify(elsewhere)}, "one");`;
      try {
        expect(await refusalOf(write)).toMatchObject({
          code: "EINVAL",
          path: directory,
          message: expect.stringContaining(`changed nothing in ${directory}, `),
        });
        expect(String(await refusalOf(write))).toMatch(`it wrote to ${elsewhere}`);
      } finally {
        await rm(elsewhere);
      }
      const reader = `fs.fsyncSync(fs.openSync(".", "r")); console.log("begin one");`;
      expect(String(await refusalOf(reader))).toMatch(/was everything there before, or did /);
    });
  },
);
