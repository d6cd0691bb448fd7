/** The tests of the tests, a quick share: planted bugs apply, and some of them are hunted. */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { describe, expect, it } from "vitest";
import { plant } from "./planted/bug.ts";
import { bugOf, bugs } from "./planted/bugs.ts";
import { huntAll, huntOne, isBroken } from "./planted/hunting.ts";

/** Of every theme one that is caught soon. */
const quick = [
  "journal-not-flushed",
  "last-frame-never-doubted",
  "acknowledged-before-the-flush",
  "journal-sync-retried",
  "older-checkpoint-preferred",
  "trimmed-to-the-newest-checkpoint",
  "shared-block-freed",
  "shared-node-changed-in-place",
].map(bugOf);

describe("planted bugs", () => {
  it.each(bugs)("$name applies to the store as it is built", (bug) => {
    expect(plant(bug)).not.toBe("");
  });

  it("have names of their own", () => {
    expect(new Set(bugs.map(({ name }) => name)).size).toBe(bugs.length);
  });

  it("are named in the README", () => {
    const text = readFileSync(new URL("README.md", import.meta.url), "utf8");
    expect(bugs.filter(({ name }) => !text.includes(`\`${name}\``))).toEqual([]);
  });

  it("are caught, and what is caught is theirs", { timeout: 180_000 }, async () => {
    const options = { seconds: 30, processes: availableParallelism() };
    const catches = await huntAll(quick, options);
    expect(catches.filter((one) => one.row === undefined || isBroken(one))).toEqual([]);
  });

  it("are not seen where there are none", { timeout: 60_000 }, async () => {
    expect(await huntOne(undefined, { seconds: 3 })).toMatchObject({ row: undefined });
  });
});
