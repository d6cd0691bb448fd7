/**
 * A hunt: rows of the matrix, the cheap ones first, in growing shares, until something is violated
 * or the time is over. A process of its own, which a bug may have been planted in.
 */
import { rowOf } from "../matrix.ts";
import type { RowResult, Share } from "../row.ts";
import { huntedRows } from "./hunted-rows.ts";

/** What to hunt in; the first argument of the process. */
export interface HuntJob {
  /** Of the processor; then the hunt is given up. */
  seconds: number;
  /** Only these rows. */
  rows?: readonly number[] | undefined;
  /** The row to begin with, in larger shares. */
  first?: number | undefined;
  /** The number of the first case of every row; 0 by default. */
  from?: number | undefined;
  /** Nothing but this case, as `8:432`. */
  only?: string | undefined;
}

/** What a hunt tells its parent. */
export type HuntMessage =
  /** From here on whatever goes wrong is the bug's doing. */
  | { type: "begun" }
  | { type: "progress"; row: number; states: number }
  | { type: "caught"; row: number; states: number; seed: string; vector: string; message: string }
  | { type: "escaped"; states: number };

/** Of one workload, so that many are tried. */
const STATES_PER_WORKLOAD = 12;
const GROWTH = 1.6;
/** Shares no factor with what the rows count their kinds of cases by. */
const ROUNDS = 61;
const TELL_EVERY_MS = 200;

/** The row that the job names comes first, and gets more. */
const FIRST_SHARE = 4;

const { seconds, rows, first, from = 0, only } = JSON.parse(process.argv[2]!) as HuntJob;
let states = 0;
let told = 0;

function tell(message: HuntMessage): void {
  process.send?.(message);
}

type Part = Pick<Share, "part" | "of" | "cases">;

/** Tells of a violation, if there is one. */
async function runRow(row: number, part: Part): Promise<HuntMessage | undefined> {
  tell({ type: "progress", row, states });
  const result: RowResult = await rowOf(row).run({
    ...part,
    seen: new Set(),
    statesPerWorkload: STATES_PER_WORKLOAD,
    onProgress: (done) => {
      const now = performance.now();
      if (now - told < TELL_EVERY_MS) return;
      told = now;
      tell({ type: "progress", row, states: states + done });
    },
  });
  states += result.cases;
  const [violation] = result.violations;
  if (!violation) return undefined;
  const { seed, vector, message } = violation;
  return { type: "caught", row, states, seed, vector, message };
}

async function hunt(): Promise<HuntMessage> {
  const chosen = huntedRows
    .filter(([row]) => rows?.includes(row) ?? true)
    .toSorted(([a], [b]) => Number(b === first) - Number(a === first));
  for (let round = 0; round < ROUNDS; round++) {
    for (const [row, cases] of chosen) {
      if (process.cpuUsage().user > 1e6 * seconds) return { type: "escaped", states };
      const share = row === first ? FIRST_SHARE : 1;
      const wanted = Math.ceil(share * cases * GROWTH ** round);
      const caught = await runRow(row, { part: from + round, of: ROUNDS, cases: wanted });
      if (caught) return caught;
    }
  }
  return { type: "escaped", states };
}

/** One case, as a hunt would try it. */
async function huntIn(seed: string): Promise<HuntMessage> {
  const [row, index] = seed.split(":").map(Number);
  const caught = await runRow(row!, { part: index!, of: 1, cases: 1 });
  return caught ?? { type: "escaped", states };
}

tell({ type: "begun" });
tell(await (only === undefined ? hunt() : huntIn(only)));
process.disconnect?.();
