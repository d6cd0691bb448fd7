/** Kills of real programs: one whose flaw they find, and one that has none. */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type EverySystemCallOptions,
  killAtEverySystemCall,
  killAtSeededMoments,
  type KilledRun,
  straceMissing,
} from "../../src/testing.ts";

const missing = straceMissing();
const skipped = missing ? ` (skipped: ${missing})` : "";

/** Saves a counter four times; says so each time. */
const naive = `
  import fs from "node:fs";
  for (let value = 1; value <= 4; value++) {
    fs.writeFileSync("counter.json", JSON.stringify({ value }));
    console.log(value);
  }
`;
const careful = naive
  .replace(`"counter.json"`, `"counter.tmp"`)
  .replace("console.log", `fs.renameSync("counter.tmp", "counter.json");\n    console.log`);

/** The counter must be the last one that was said, or the next. */
function check({ directory, lines }: KilledRun): void {
  const said = Number(lines.at(-1) ?? 0);
  let value = 0;
  try {
    value = (JSON.parse(readFileSync(join(directory, "counter.json"), "utf8")) as { value: number })
      .value;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  if (value !== said && value !== said + 1) throw new Error(`said ${said}, saved ${value}`);
}

function programOf(
  text: string,
): Pick<EverySystemCallOptions, "command" | "args" | "check" | "concurrency"> {
  const args = ["--input-type=module", "--eval", text];
  return { command: process.execPath, args, check, concurrency: 2 };
}

describe.skipIf(missing)(`a kill at every system call${skipped}`, () => {
  it("finds a file that is emptied before it is written", async () => {
    const report = await killAtEverySystemCall(programOf(naive));
    expect(report).toMatchObject({ points: 12, kills: 12, finished: 0 });
    expect(report.byCall).toEqual({ openat: 4, write: 8 });
    expect(
      report.violations.map(({ where, message, lines }) => [where, message, lines.length]),
    ).toEqual([
      ["write #1 of counter.json", "Unexpected end of JSON input", 0],
      ["write #2 of counter.json", "Unexpected end of JSON input", 1],
      ["write #3 of counter.json", "Unexpected end of JSON input", 2],
      ["write #4 of counter.json", "Unexpected end of JSON input", 3],
    ]);
  });

  it("finds nothing where the file is replaced as a whole", async () => {
    const report = await killAtEverySystemCall(programOf(careful));
    expect(report).toMatchObject({ points: 16, kills: 16, finished: 0, violations: [] });
    expect(report.byCall).toEqual({ openat: 4, write: 8, rename: 4 });
  });

  it("comes before the call, each time at another one", async () => {
    const left: string[] = [];
    const report = await killAtEverySystemCall({
      ...programOf(`
        import fs from "node:fs";
        fs.mkdirSync("d"); fs.writeFileSync("d/f", ""); fs.renameSync("d/f", "d/g"); fs.unlinkSync("d/g");
      `),
      concurrency: 1,
      check: async ({ directory, where }) => {
        const names = await readdir(directory, { recursive: true });
        left.push(`${where}: ${names.toSorted().join(" ")}`);
      },
    });
    expect(report.violations).toEqual([]);
    expect(left).toEqual([
      "mkdir #1 of d: ",
      "openat #1 of d/f: d",
      "rename #1 of d/f: d d/f",
      "unlink #1 of d/g: d d/g",
    ]);
  });

  it("reaches the calls of other threads, though these are counted thread by thread", async () => {
    const left: string[] = [];
    const report = await killAtEverySystemCall({
      ...programOf(`
        import { appendFile, writeFile } from "node:fs/promises";
        for (const part of ["a", "b", "c"]) await appendFile("f", part);
        await writeFile("g", "x");
      `),
      calls: ["write"],
      concurrency: 1,
      check: async ({ directory }) => {
        left.push(await readFile(join(directory, "f"), "utf8"));
      },
    });
    expect(report).toMatchObject({ kills: 4, finished: 0, violations: [] });
    expect(left).toEqual(["", "a", "ab", "abc"]);
  });

  it("can be told the calls, and to take a sample of them that its seed repeats", async () => {
    const places: string[][] = [];
    for (const seed of [5, 5, 6]) {
      const chosen: string[] = [];
      const options = { seed, sample: 2, calls: ["write"], concurrency: 1 };
      const look = ({ where }: KilledRun): void => void chosen.push(where);
      const report = await killAtEverySystemCall({
        ...programOf(careful),
        ...options,
        check: look,
      });
      expect(report).toMatchObject({ points: 8, kills: 2 });
      places.push(chosen);
    }
    expect(places[1]).toEqual(places[0]);
    expect(places[2]).not.toEqual(places[0]);
  });

  // A name that no system has, or a program that works elsewhere: nothing was killed, nothing found.
  it("is refused where there is nothing to kill at", async () => {
    const refusal = { code: "EINVAL", message: expect.stringContaining("these calls: wirte") };
    await expect(
      killAtEverySystemCall({ ...programOf(careful), calls: ["wirte"] }),
    ).rejects.toMatchObject(refusal);
  });

  it("starts from what was prepared, and reports a program that fails by itself", async () => {
    const program = programOf(`
      import fs from "node:fs";
      const old = fs.readFileSync("old", "utf8");
      fs.writeFileSync("new", old);
      if (fs.existsSync("runs")) process.exit(3);
    `);
    let runs = 0;
    const prepare = async (directory: string): Promise<void> => {
      await writeFile(join(directory, "old"), "content");
      // From its second run on it fails, unless it is killed first.
      if (runs++ > 0) await writeFile(join(directory, "runs"), "");
    };
    const report = await killAtEverySystemCall({
      ...program,
      prepare,
      every: 2,
      check: async ({ directory }) => {
        expect(await readFile(join(directory, "old"), "utf8")).toBe("content");
      },
    });
    expect(report).toMatchObject({ points: 2, kills: 1, violations: [] });
    await expect(killAtEverySystemCall({ ...program, prepare })).rejects.toThrow(
      "the program ended by itself with code 3",
    );
  });
});

describe("a kill at a seeded moment", () => {
  it("comes while the program works, and its check sees what was said", async () => {
    const told: number[] = [];
    const endless = `
      import fs from "node:fs";
      for (let value = 1; value <= 200; value++) {
        fs.writeFileSync("counter.tmp", JSON.stringify({ value }));
        fs.renameSync("counter.tmp", "counter.json");
        console.log(value);
      }
    `;
    const report = await killAtSeededMoments({
      ...programOf(endless),
      kills: 8,
      seed: 2,
      check: (run) => {
        told.push(run.lines.length);
        check(run);
      },
    });
    expect(report).toMatchObject({ seed: 2, violations: [] });
    expect(report.kills + report.finished).toBe(8);
    expect(report.kills).toBeGreaterThan(0);
    expect(new Set(told).size).toBeGreaterThan(1);
  });

  it("reports what the check finds wrong", async () => {
    const report = await killAtSeededMoments({
      ...programOf(careful),
      kills: 2,
      check: () => {
        throw new Error("nothing pleases it");
      },
    });
    expect(report.violations.map(({ n, message }) => [n, message])).toEqual([
      [1, "nothing pleases it"],
      [2, "nothing pleases it"],
    ]);
  });

  it("ends when it is told to, and leaves no process behind", async () => {
    const stop = new AbortController();
    let pid = 0;
    const hanging = programOf(`
      import fs from "node:fs";
      fs.writeFileSync(process.env.PID_FILE, String(process.pid));
      setInterval(() => {}, 1000);
    `);
    const folder = await mkdtemp(join(tmpdir(), "kill-test-"));
    try {
      const env = { PID_FILE: join(folder, "pid") };
      const { signal } = stop;
      const poll = setInterval(() => {
        if (existsSync(env.PID_FILE) && readFileSync(env.PID_FILE, "utf8") !== "") stop.abort();
      }, 20);
      await expect(killAtSeededMoments({ ...hanging, env, kills: 1, signal })).rejects.toThrow(
        /aborted/,
      );
      clearInterval(poll);
      pid = Number(await readFile(env.PID_FILE, "utf8"));
    } finally {
      await rm(folder, { recursive: true });
    }
    expect(() => process.kill(pid, 0)).toThrow("ESRCH");
  });

  it("refuses a number of kills that is none", async () => {
    await expect(killAtSeededMoments({ ...programOf(careful), kills: 0 })).rejects.toThrow(/kills/);
  });
});
