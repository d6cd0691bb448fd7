/**
 * How the tests run: one process for each test file, because lmdb is native code and a crash of it
 * must not take the other files down; as many at a time as there are processors. Where `CI` is set,
 * a report for machines is written as well: to `BLOCKSPACE_TEST_REPORT`, or to a file in the
 * system's temporary directory.
 */
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig, type ViteUserConfig } from "vitest/config";
import { LongestFirst } from "./test/support/longest-first.ts";

const reportFile =
  process.env["BLOCKSPACE_TEST_REPORT"] ?? join(tmpdir(), `blockspace-tests-${process.pid}.json`);

const config: ViteUserConfig = defineConfig({
  test: {
    include: ["test/**/*.test.ts", "recovery-tests/**/*.test.ts"],
    pool: "forks",
    // Unless told, vitest leaves one processor to itself, which needs next to nothing.
    maxWorkers: availableParallelism(),
    sequence: { sequencer: LongestFirst },
    // For what hangs: on a busy machine a test of programs takes ten times what it takes elsewhere.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    reporters: process.env["CI"] ? ["default", ["json", { outputFile: reportFile }]] : ["default"],
  },
});

export default config;
