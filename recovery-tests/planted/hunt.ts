/**
 * The hunt for one planted bug: rows of the matrix, the cheap ones first, in shares that grow, until
 * something is violated or the time is over. A process of its own, which the bug was planted in.
 */
import { matrix, rowOf } from "../matrix.ts";
import type { RowResult } from "../row.ts";

/** What a hunt tells its parent. */
export type HuntMessage =
  /** From here on whatever goes wrong is the bug's doing. */
  | { type: "begun" }
  | { type: "progress"; row: number; states: number }
  | { type: "caught"; row: number; states: number; seed: string; vector: string; message: string }
  | { type: "escaped"; states: number };

/** Rows in the order in which they are tried, and the cases of each in the first round. */
const order: readonly (readonly [row: number, cases: number])[] = [
  [1, 120],
  [2, 150],
  [8, 60],
  [3, 80],
  [13, 40],
  [9, 40],
  [5, 120],
  [23, 60],
  [14, 40],
  [4, 40],
  [21, 2],
  [7, 40],
  [6, 120],
  [10, 40],
];
/** Of one workload, so that many are tried. */
const STATES_PER_WORKLOAD = 40;
const GROWTH = 1.6;
const ROUNDS = 64;
const TELL_EVERY_MS = 200;

const until = performance.now() + 1000 * Number(process.argv[2]);
let states = 0;
let told = 0;

function tell(message: HuntMessage): void {
  process.send?.(message);
}

async function runRow(row: number, part: number, cases: number): Promise<RowResult> {
  tell({ type: "progress", row, states });
  return rowOf(row).run({
    part,
    of: ROUNDS,
    cases,
    seen: new Set(),
    statesPerWorkload: STATES_PER_WORKLOAD,
    onProgress: (done) => {
      const now = performance.now();
      if (now - told < TELL_EVERY_MS) return;
      told = now;
      tell({ type: "progress", row, states: states + done });
    },
  });
}

async function hunt(): Promise<HuntMessage> {
  for (let round = 0; round < ROUNDS; round++) {
    for (const [row, cases] of order) {
      if (performance.now() > until) return { type: "escaped", states };
      const result = await runRow(row, round, Math.ceil(cases * GROWTH ** round));
      states += result.cases;
      const [violation] = result.violations;
      if (violation) {
        const { seed, vector, message } = violation;
        return { type: "caught", row, states, seed, vector, message };
      }
    }
  }
  return { type: "escaped", states };
}

const missing = matrix.filter(({ number }) => !order.some(([row]) => row === number));
if (missing.length > 0) console.error(`not hunted in: row ${missing.map((row) => row.number)}`);
tell({ type: "begun" });
tell(await hunt());
process.disconnect?.();
