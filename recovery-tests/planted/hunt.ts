/**
 * The hunt for one planted bug: rows of the matrix, the cheap ones first, in growing shares, until
 * something is violated or the time is over. A process of its own, which the bug was planted in.
 */
import { rowOf } from "../matrix.ts";
import type { RowResult } from "../row.ts";

/** What a hunt tells its parent. */
export type HuntMessage =
  /** From here on whatever goes wrong is the bug's doing. */
  | { type: "begun" }
  | { type: "progress"; row: number; states: number }
  | { type: "caught"; row: number; states: number; seed: string; vector: string; message: string }
  | { type: "escaped"; states: number };

/**
 * Rows in the order in which they are tried, and the cases of each in the first round. Those with
 * real processes take too long for each case.
 */
const order: readonly (readonly [row: number, cases: number])[] = [
  [1, 60],
  [2, 80],
  [8, 200],
  [13, 40],
  [3, 40],
  [23, 60],
  [24, 60],
  [25, 40],
  [9, 150],
  [5, 60],
  [14, 40],
  [4, 20],
  [6, 50],
  [10, 20],
  [7, 20],
  [27, 60],
  [21, 1],
];
/** Of one workload, so that many are tried. */
const STATES_PER_WORKLOAD = 12;
const GROWTH = 1.6;
/** Shares no factor with what the rows count their kinds of cases by. */
const ROUNDS = 61;
const TELL_EVERY_MS = 200;

const [, , seconds, first] = process.argv;
const FIRST_SHARE = 4;
/** The row that the bug names comes first, and gets more. */
const sorted = order.toSorted(
  ([a], [b]) => Number(b === Number(first)) - Number(a === Number(first)),
);
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
    for (const [row, cases] of sorted) {
      if (process.cpuUsage().user > 1e6 * Number(seconds)) return { type: "escaped", states };
      const share = row === Number(first) ? FIRST_SHARE : 1;
      const result = await runRow(row, round, Math.ceil(share * cases * GROWTH ** round));
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

tell({ type: "begun" });
tell(await hunt());
process.disconnect?.();
