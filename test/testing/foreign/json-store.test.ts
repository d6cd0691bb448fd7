/**
 * The harness finds what is wrong with stores in one JSON file that were not written with crashes in
 * mind, and nothing wrong with the one that was mended. It knows nothing of any of them.
 */
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import {
  checkCrashConsistency,
  type CrashCheck,
  formatReport,
  replayCrash,
  SimulatedDisk,
} from "../../../src/testing.ts";
import { fileSystem } from "../../../src/testing/file-system.ts";
import { bySyncAndRename, byRename, inPlace, JsonStore, mended, type Save } from "./json-store.ts";

type Step = [key: string, value: unknown];
type Content = Record<string, unknown>;

const path = "/data/store.json";
/** The second makes the file longer than a sector, so that a write of it can be torn. */
const steps: Step[] = [
  ["name", "first"],
  ["note", "x".repeat(700)],
  ["name", "second"],
];

/** After none of the steps, after the first, and so on. */
const contents: Content[] = steps.map((_, count) => Object.fromEntries(steps.slice(0, count + 1)));
contents.unshift({});

/** A disk with an empty folder `/data`, all of it durable. */
function emptyFolder(): SimulatedDisk {
  const disk = new SimulatedDisk();
  disk.createFolder("/data");
  return disk;
}

/**
 * The check of a store. A store that is `atomic` comes back with any content that it ever had; one
 * that is `durable` as well with the last one that it said was saved, or the one under way.
 */
function checkOf(save: Save, promise: "atomic" | "durable"): CrashCheck<Content, Step> {
  return {
    name: `a JSON file that is ${promise}`,
    start: emptyFolder().image(),
    steps,
    async workload(disk, given) {
      const store = await JsonStore.open(fileSystem(disk), path, save);
      for (const [key, value] of given) {
        await store.set(key, value);
        disk.mark("saved");
      }
    },
    async recover(disk) {
      return (await JsonStore.open(fileSystem(disk), path, save)).content;
    },
    oracle(content, { marks }) {
      const saved = promise === "durable" ? marks.length : 0;
      const allowed = contents.slice(saved, promise === "durable" ? saved + 2 : undefined);
      if (allowed.some((one) => isDeepStrictEqual(one, content))) return;
      throw new Error(
        `after ${marks.length} saves there is ${JSON.stringify(content).slice(0, 60)}`,
      );
    },
  };
}

/** What the check says of a store: the beginnings of the messages, each once. */
async function findings(save: Save, promise: "atomic" | "durable"): Promise<string[]> {
  const report = await checkCrashConsistency(checkOf(save, promise), {
    budget: { violations: Infinity },
    shrink: false,
  });
  expect(report.states).toBeGreaterThan(50);
  const words = report.violations.map(({ message }) => message.split(/[ :]/).slice(0, 2).join(" "));
  return [...new Set(words)].toSorted();
}

/** JSON.parse: of an empty file, of one torn in a string, of zeroes. */
const isBroken = /^(Unexpected|Unterminated|Expected|Bad)/;

describe("a store in one JSON file", () => {
  it("written in place comes back broken, and loses what it had saved", async () => {
    expect(await findings(inPlace, "atomic")).toContainEqual(expect.stringMatching(isBroken));
    expect(await findings(inPlace, "durable")).toContain("after 1");
  });

  it("written beside and renamed comes back empty or torn all the same", async () => {
    expect(await findings(byRename, "atomic")).toContainEqual(expect.stringMatching(isBroken));
  });

  it("synced and renamed comes back whole, but may have lost what it had saved", async () => {
    expect(await findings(bySyncAndRename, "atomic")).toEqual([]);
    expect(await findings(bySyncAndRename, "durable")).toEqual(["after 1", "after 2", "after 3"]);
  });

  it("mended keeps all that it promises, also where calls fail or are cut short", async () => {
    const report = await checkCrashConsistency(checkOf(mended, "durable"), {
      faults: ["EIO", "ENOSPC", "EMFILE", "short", "sync"],
      model: { recoveryDepth: 1 },
    });
    expect(formatReport(report)).not.toContain("violation (");
    expect(report.violations).toEqual([]);
    expect(report.complete).toBe(true);
    expect(report.distinct).toBeGreaterThan(50);
  });

  it("is shown to be broken by a case that is small and can be replayed", async () => {
    const check = checkOf(byRename, "atomic");
    const report = await checkCrashConsistency(check, { budget: { violations: 1 } });
    const [violation] = report.violations;
    expect(violation!.smallestSteps).toHaveLength(1);
    const replayed = await replayCrash(check, violation!.vector);
    expect(replayed.violation?.error).toMatchObject({ message: violation!.message });
    expect(replayed.trace.length).toBeGreaterThan(3);
  });
});
