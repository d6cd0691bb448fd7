/**
 * The last line of a run of `.ci/run`: `N passed, N failed`, with `, N skipped` where some were,
 * out of the JSON report of vitest that the first argument names. Plain JavaScript, so that it
 * says its line on a machine where the installation has failed, too.
 *
 * A test file that fails as a whole (it does not load, a hook throws) has no failed test in it, and
 * an error outside of all tests is in no file; each counts as one failure here, so that `0 failed`
 * is only ever said of a run in which nothing failed. Exit code 0 means exactly that.
 */
import { readFileSync } from "node:fs";

const report = readReport(process.argv[2] ?? "");
let passed = 0;
let failed = 0;
let skipped = 0;
for (const file of report.testResults) {
  const statuses = file.assertionResults.map((test) => test.status);
  const failures = statuses.filter((status) => status === "failed").length;
  passed += statuses.filter((status) => status === "passed").length;
  skipped += statuses.filter((status) => status !== "passed" && status !== "failed").length;
  failed += file.status === "failed" ? Math.max(failures, 1) : failures;
}
if (!report.success && failed === 0) failed = 1;

console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;

/** The report, or an empty one that has not succeeded when no test has come to run. */
function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    console.error(`The tests left no report: ${error.message}`);
    return { success: false, testResults: [] };
  }
}
