/**
 * Rows 15, 16, 19, 20 and 26: real processes with real files and the real LMDB, as rows of the
 * matrix. What they need of the machine (strace, the right to mount) may be missing; then they say
 * so.
 */
import type { Row } from "../row.ts";
import type { ProcessRun } from "./process-run.ts";
import { run as kills } from "./row-15-kill.ts";
import { run as systemCallTraces } from "./row-16-lmdb-trace.ts";
import { run as fullDisks } from "./row-19-full-disk.ts";
import { run as openers } from "./row-20-two-openers.ts";
import { run as powerCuts } from "./row-26-power-cut.ts";

type Run = (options: { cases: number; seed: number }) => Promise<ProcessRun>;

/** Far enough apart that the parts of a run have no seed in common. */
const SEEDS_OF_A_PART = 1_000_000;

function processRow(row: Omit<Row, "run" | "replay">, run: Run): Row {
  return {
    ...row,
    async run({ cases, part }) {
      const seed = 1 + part * SEEDS_OF_A_PART;
      const { violations, ...result } = await run({ cases, seed });
      const named = violations.map((message) => ({
        seed: `${row.number}:${seed}`,
        vector: String(cases),
        message,
        story: [],
      }));
      return { ...result, violations: named };
    },
    /** All the cases of a seed: what real processes do cannot be cut out of its course. */
    async replay(seed, cases) {
      const { violations } = await run({ cases: Number(cases), seed });
      return { message: violations[0], story: violations };
    },
  };
}

export const processRows: readonly Row[] = [
  processRow(
    {
      number: 15,
      fault: "SIGKILL at system calls, real LMDB",
      leaves: "P1",
      cases: 500,
      quickCases: 30,
    },
    kills,
  ),
  processRow(
    {
      number: 16,
      fault: "crash states of a system-call trace",
      leaves: "P1",
      cases: 5_000,
      quickCases: 200,
    },
    systemCallTraces,
  ),
  processRow(
    {
      number: 19,
      fault: "a really full disk",
      leaves: "P1",
      cases: 50,
      quickCases: 12,
      isWhole: true,
    },
    fullDisks,
  ),
  processRow(
    {
      number: 20,
      fault: "two openers, removed lock, stopped owner",
      leaves: "refused",
      cases: 27,
      quickCases: 5,
      isWhole: true,
    },
    openers,
  ),
  processRow(
    {
      number: 26,
      fault: "power cut under ext4, XFS, btrfs",
      leaves: "P1",
      cases: 72,
      quickCases: 12,
      isWhole: true,
    },
    powerCuts,
  ),
];
