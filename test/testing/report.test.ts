/** What people read: the story of a trace and the report of a check, word by word. */
import { describe, expect, it } from "vitest";
import { checkCrashConsistency } from "../../src/testing/check.ts";
import { type CrashReport, formatReport } from "../../src/testing/check-report.ts";
import { parseVectors } from "../../src/testing/crash-vector.ts";
import type { CrashCheck } from "../../src/testing/crash-check.ts";
import { ROOT } from "../../src/testing/disk-image.ts";
import type { Operation } from "../../src/testing/operation.ts";
import { replayCrash } from "../../src/testing/replay-case.ts";
import { storyOf } from "../../src/testing/trace-story.ts";
import { HandMade } from "./hand-made.ts";
import { checkOf, flaws } from "./small-programs.ts";

const story = (made: HandMade, vector: string): string[] => storyOf(made, parseVectors(vector)[0]!);

describe("the story of a trace", () => {
  it("tells what was done, and what became of what was not durable", () => {
    const made = new HandMade();
    made.create(ROOT, "a", 1);
    made.sync(ROOT);
    made.write(1, "x".repeat(1024), 512, 1536);
    made.mark({ begun: 1 });
    made.mark("a text");
    made.flush(1);
    made.rename([ROOT, "a"], [ROOT, "b"], 1);
    made.discard(1, 0, 5);
    made.entry({ kind: "mark", value: undefined });
    expect(story(made, "9!,d7+")).toEqual([
      "   0 create a",
      "   1 sync /",
      "   2 write file 1024 bytes at 512",
      '   3 mark {"begun":1}',
      "   4 mark a text",
      "   5 flush file",
      "   6 rename a to b  [name lost]",
      "   7 discard file 5 bytes at 0  [data kept]",
      "   8 mark undefined",
      "the power goes",
    ]);
    expect(story(made, "3,d2:k512l100g412")).toEqual([
      "   0 create a",
      "   1 sync /",
      "   2 write file 1024 bytes at 512  [size kept, data torn 512 kept 100 lost 412 garbage]",
      "the power goes",
    ]);
  });

  // A story said "name kept" of a rename that was not there, since the creation before it was lost.
  it("says lost of what is lost with something before it", () => {
    const made = new HandMade();
    made.create(ROOT, "a", 1);
    made.write(1, "x", 0, 1);
    made.write(1, "y", 1, 2);
    made.rename([ROOT, "a"], [ROOT, "b"], 1);
    expect(story(made, "4,n0-,s1-")).toEqual([
      "   0 create a  [name lost]",
      "   1 write file 1 bytes at 0  [size lost, data kept]",
      "   2 write file 1 bytes at 1  [size lost, data kept]",
      "   3 rename a to b  [name lost]",
      "the power goes",
    ]);
  });

  // A flush stood before a mark, and what it should have covered was lost: why, was not said.
  it("tells which calls were not waited for", () => {
    const made = new HandMade();
    const write = made.late(made.write(1, "x", 0));
    const flush = made.late(made.flush(1));
    made.done(write);
    made.mark("acknowledged");
    made.done(flush);
    made.mark("more");
    expect(story(made, "3!")).toEqual([
      "   0 write file 1 bytes at 0  (returned after 1)  [data lost]",
      "   1 flush file  (has not returned)",
      "   2 mark acknowledged",
      "the power goes",
    ]);
    expect(story(made, "4!")[1]).toBe("   1 flush file  (returned after 2)");
  });

  it("tells where a fault struck, also one that left no entry", () => {
    const made = new HandMade();
    made.create(ROOT, "a", 1);
    made.write(1, "x".repeat(1024), 0);
    const write: Operation = { kind: "write", path: "/a", offset: 0, length: 2048 };
    const strikes = [
      { operation: write, fault: { type: "short", bytes: 1024 } as const, before: 1 },
      { operation: write, fault: { type: "fail", code: "ENOSPC" } as const, before: 2 },
    ];
    expect(storyOf(made, parseVectors("2,d1:k512k512")[0]!, strikes)).toEqual([
      "   0 create a  [name kept]",
      "   ! short1024 strikes write /a 2048 bytes at 0",
      "   1 write file 1024 bytes at 0  [data torn 1024 kept]",
      "   ! ENOSPC strikes write /a 2048 bytes at 0",
      "the power goes",
    ]);
  });

  it("tells what a recovery did before it was cut short", async () => {
    const check: CrashCheck<boolean, never> = {
      workload: () => undefined,
      recover(disk) {
        if (!disk.find("/a")) disk.createFile("/a");
        return disk.find("/b") !== undefined;
      },
      oracle(found) {
        if (found) throw new Error("found");
      },
    };
    expect((await replayCrash(check, "0/1,n0-")).trace).toEqual([
      "the power goes",
      "the program starts on what is left",
      "   0 create /a 0 bytes  [name lost]",
      "the power goes",
    ]);
  });

  it("tells the last forty entries, and how many there were before", () => {
    const made = new HandMade();
    for (let i = 0; i < 50; i++) made.mark(i === 49 ? "x".repeat(100) : i);
    const lines = story(made, "50");
    expect(lines.length).toBe(42);
    expect(lines[0]).toBe("(10 entries before)");
    expect(lines[1]).toBe("  10 mark 10");
    expect(lines[40]).toBe(`  49 mark ${"x".repeat(77)}...`);
    expect(story(made, "40")[0]).toBe("   0 mark 0");
    expect(story(made, "41")[0]).toBe("(1 entries before)");
  });
});

describe("a report for people", () => {
  it("is a table, and the story of each violation", async () => {
    const check = { ...checkOf(flaws["does not sync the folder"]), steps: [1, 2] };
    const report = await checkCrashConsistency(check, {
      model: { kinds: ["prefix", "subset", "names"] },
      budget: { violations: 1 },
    });
    expect(formatReport({ ...report, milliseconds: 1234 })).toBe(GOLDEN);
  });

  it("aligns its columns, says which fault it was, and leaves out what is not there", () => {
    const report: CrashReport = {
      name: "many",
      seed: 7,
      entries: 3,
      states: 123_456,
      distinct: 7,
      byKind: {
        prefix: { states: 123_455, distinct: 6, violations: 0 },
        recovery: { states: 1, distinct: 1, violations: 12 },
      },
      violations: [
        {
          kind: "recovery",
          message: "first\nsecond",
          error: undefined,
          seed: 7,
          vector: "3/1",
          smallestVector: "2/1",
          smallestMessage: "third\nfourth",
          smallestSteps: [],
          trace: ["the power goes"],
        },
      ],
      complete: true,
      milliseconds: 50,
    };
    expect(formatReport(report).split("\n")).toEqual([
      "many: 123456 crash states, 7 distinct, seed 7, 0.1 s",
      "kind      states  distinct  violations",
      "prefix    123455         6           0",
      "recovery       1         1          12",
      "",
      "violation (recovery)",
      "  first",
      "  second",
      "  seed 7, vector 3/1",
      "  smallest vector 2/1: third",
      "  fourth",
      '  replay: await replayCrash(check, "2/1")',
      "    the power goes",
    ]);
  });
});

const GOLDEN = `one value: 49 crash states, 5 distinct, seed 1, 1.2 s (ended early)
kind    states  distinct  violations
prefix       7         4           1
names       36         0           0
subset       6         1           0

violation (prefix: all of it reached the medium, or nothing did)
  0 is there, allowed is 1
  seed 1, vector 6!
  steps: [1]
  replay: await replayCrash({ ...check, steps }, "6!")
       0 mark {"begun":1}
       1 create /new 0 bytes  [name lost]
       2 write /new 700 bytes at 0
       3 flush /new
       4 rename /new to /value  [name lost]
       5 mark {"saved":1}
    the power goes`;
