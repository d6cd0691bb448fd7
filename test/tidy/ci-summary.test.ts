/** The closing line of `.ci/run` says `0 failed` only where nothing failed. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const program = fileURLToPath(new URL("../../tools/ci-summary.js", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "blockspace-summary-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A file of the report: its own status, and those of its tests. */
const fileOf = (status: string, ...tests: string[]): object => ({
  status,
  assertionResults: tests.map((each) => ({ status: each })),
});

function summary(report: string): { line: string; code: number | null } {
  const path = join(folder, "report.json");
  writeFileSync(path, report);
  const { stdout, status } = spawnSync(process.execPath, [program, path], { encoding: "utf8" });
  return { line: stdout, code: status };
}

describe("ci-summary", () => {
  it.each([
    ["all passed", true, [fileOf("passed", "passed", "passed")], "2 passed, 0 failed\n", 0],
    [
      "some skipped",
      true,
      [fileOf("passed", "passed", "pending", "todo", "skipped")],
      "1 passed, 0 failed, 3 skipped\n",
      0,
    ],
    [
      "one failed",
      false,
      [fileOf("failed", "passed", "failed"), fileOf("passed", "passed")],
      "2 passed, 1 failed\n",
      1,
    ],
    [
      "a file that does not load",
      false,
      [fileOf("failed"), fileOf("passed", "passed")],
      "1 passed, 1 failed\n",
      1,
    ],
    [
      "a hook that throws",
      false,
      [fileOf("failed", "passed", "skipped")],
      "1 passed, 1 failed, 1 skipped\n",
      1,
    ],
    [
      "an error outside of all tests",
      false,
      [fileOf("passed", "passed")],
      "1 passed, 1 failed\n",
      1,
    ],
    ["no test at all", true, [], "0 passed, 0 failed\n", 1],
  ])("%s", (_, success, testResults, line, code) => {
    expect(summary(JSON.stringify({ success, testResults }))).toEqual({ line, code });
  });

  it("a report that breaks off", () => {
    expect(summary(`{"success": tr`)).toEqual({ line: "0 passed, 1 failed\n", code: 1 });
  });
});
