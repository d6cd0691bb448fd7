/** The matrix of faults: every row that concerns the store, in order. */
import type { Row } from "./row.ts";
import { crashRows } from "./rows/crashes.ts";
import { damageRows } from "./rows/damage.ts";
import { faultRows } from "./rows/faults.ts";
import { journalAlone } from "./rows/journal-alone.ts";
import { longRuns } from "./rows/long-runs.ts";
import { processRows } from "./rows/real-processes.ts";

export const matrix: readonly Row[] = [
  ...crashRows,
  ...faultRows,
  ...damageRows,
  ...processRows,
  longRuns,
  journalAlone,
].toSorted((a, b) => a.number - b.number);

/** The row of a number; `RangeError` when there is none. */
export function rowOf(number: number): Row {
  const row = matrix.find((one) => one.number === number);
  if (row) return row;
  const allowed = matrix.map((one) => one.number).join(", ");
  throw new RangeError(`there is no row ${number}; there are ${allowed}`);
}
