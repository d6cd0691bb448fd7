/**
 * One of the processes of a run: takes its part of every row, one row after the other, and tells
 * its parent how far it is. Started by `run.ts`; the job comes as its first argument.
 */
import { writeFileSync } from "node:fs";
import { rowOf } from "./matrix.ts";
import type { Row, RowResult, Share } from "./row.ts";

export interface Job {
  part: number;
  of: number;
  /** Rows and how many cases of each, for all parts together. */
  rows: { number: number; cases: number }[];
  /** Where the fingerprints of the states go, 8 bytes each. */
  fingerprints: string;
}

export type Message =
  | { type: "progress"; row: number; cases: number; distinct: number }
  | { type: "done"; row: number; seconds: number; result: RowResult };

const PROGRESS_EVERY_MS = 250;

async function work({ part, of, rows, fingerprints }: Job): Promise<void> {
  const seen = new Set<number>();
  for (const { number, cases } of rows) {
    const row = rowOf(number);
    // Who takes what cannot be split is a matter of chance, so that no process takes it all.
    if (row.isWhole === true && part !== number % of) continue;
    const began = performance.now();
    let told = began;
    const result = await runRow(row, {
      part: row.isWhole === true ? 0 : part,
      of: row.isWhole === true ? 1 : of,
      cases: row.isWhole === true ? cases : Math.ceil(cases / of),
      seen,
      onProgress: (done) => {
        const now = performance.now();
        if (now - told < PROGRESS_EVERY_MS) return;
        told = now;
        tell({ type: "progress", row: number, cases: done, distinct: seen.size });
      },
    });
    tell({ type: "done", row: number, seconds: (performance.now() - began) / 1000, result });
  }
  writeFileSync(fingerprints, Buffer.from(Float64Array.from(seen).buffer));
}

/** A row that cannot be run to its end is wrong, and no reason to lose what the others found. */
async function runRow(row: Row, share: Share): Promise<RowResult> {
  try {
    return await row.run(share);
  } catch (error) {
    const story = error instanceof Error ? (error.stack ?? "").split("\n").slice(1, 8) : [];
    const message = `the row did not end: ${String(error)}`;
    return {
      cases: 0,
      violations: [{ seed: `${row.number}:${share.part}`, vector: "0", message, story }],
    };
  }
}

function tell(message: Message): void {
  process.send?.(message);
}

await work(JSON.parse(process.argv[2]!) as Job);
process.disconnect?.();
