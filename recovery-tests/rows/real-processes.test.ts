/** The quick share of the rows that need real processes: 15, 16, 19 and 20. */
import { describe, expect, it, type TestContext } from "vitest";
import { run as row15 } from "./row-15-kill.ts";
import { run as row16 } from "./row-16-lmdb-trace.ts";
import { run as row19 } from "./row-19-full-disk.ts";
import { run as row20 } from "./row-20-two-openers.ts";
import type { RowResult } from "./row-result.ts";

const seed = Number(process.env["BLOCKSPACE_ROWS_SEED"] ?? Date.now() % 2 ** 20);

async function expectNone(
  context: TestContext,
  cases: number,
  run: (options: { cases: number; seed: number }) => Promise<RowResult>,
): Promise<void> {
  console.log(`BLOCKSPACE_ROWS_SEED=${seed}`);
  const { cases: tried, violations, skipped } = await run({ cases, seed });
  if (skipped !== undefined) context.skip(skipped);
  expect(violations).toEqual([]);
  expect(tried).toBeGreaterThanOrEqual(cases / 2);
}

describe("a store of real processes", { timeout: 180_000 }, () => {
  it("holds what it acknowledged when it is killed at a system call (row 15)", (context) =>
    expectNone(context, 30, row15));

  it("opens after every crash of its system-call trace (row 16)", (context) =>
    expectNone(context, 200, row16));

  it("loses nothing on a full disk, and goes on later (row 19)", (context) =>
    expectNone(context, 12, row19));

  it("has one writer (row 20)", (context) => expectNone(context, 5, row20));
});
