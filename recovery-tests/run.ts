/**
 * `npm run test:recovery`: runs the whole matrix in as many processes as there are cores, and
 * prints its table; then hunts the planted bugs; or searches for what nobody knows of.
 * `options.ts` has the options and the exit codes.
 */
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rowOf } from "./matrix.ts";
import { parseOptions, type RunOptions, usage } from "./options.ts";
import { runPlanted } from "./planted/run.ts";
import { showProgress } from "./progress.ts";
import { runSearch } from "./search.ts";
import { addTo, formatSummary, grouped, type RunSummary } from "./summary.ts";
import type { Job, Message } from "./worker.ts";

/** The many short-lived objects of a recovery should die young. */
const YOUNG_GENERATION_MIB = 64;

const options = readOptions();
const { processes } = options;
// What takes processes and lives comes last.
const rowJobs = options.rows
  .map(rowOf)
  .toSorted((a, b) => Number(b.hasStates === true) - Number(a.hasStates === true))
  .map(({ number, cases }) => ({ number, cases: Math.ceil(cases * options.share) }));

const scratch = mkdtempSync(join(tmpdir(), "blockspace-recovery-"));
const began = performance.now();
const summary: RunSummary = { rows: [], distinct: 0, statesSeconds: 0, seconds: 0 };
const progress = new Map<number, Extract<Message, { type: "progress" }>>();

process.once("exit", () => rmSync(scratch, { recursive: true, force: true }));
process.once("SIGINT", () => process.exit(130));
const runs = { matrix: runMatrix, planted: runHunts, search: runSearches };
for (const part of options.parts) if (!(await runs[part]())) process.exitCode = 1;

/** What was asked for; ends the process where that is help, or cannot be understood. */
function readOptions(): RunOptions {
  try {
    const read = parseOptions(process.argv.slice(2));
    if (read !== "help") return read;
    console.log(usage);
    process.exit(0);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exit(2);
  }
}

async function runMatrix(): Promise<boolean> {
  await Promise.all(Array.from({ length: processes }, (_, part) => runPart(part)));
  summary.distinct = countDistinct();
  summary.seconds = (performance.now() - began) / 1000;
  showProgress("");
  console.log(formatSummary(summary));
  const { json } = options;
  if (json !== undefined) writeFileSync(json, JSON.stringify(summary, undefined, 2));
  return summary.rows.every(({ violations }) => violations.length === 0);
}

function runHunts(): Promise<boolean> {
  const { bugs: names, writesTable: writeTable } = options;
  return runPlanted({ processes, writeTable, ...(names ? { names } : {}) });
}

function runSearches(): Promise<boolean> {
  const { minutes, rows } = options;
  return runSearch({ minutes, processes, rows });
}

function fileOf(part: number): string {
  return join(scratch, `fingerprints-${part}`);
}

function runPart(part: number): Promise<void> {
  const job: Job = { part, of: processes, rows: rowJobs, fingerprints: fileOf(part) };
  const child = fork(new URL("worker.ts", import.meta.url), [JSON.stringify(job)], {
    execArgv: [...process.execArgv, `--max-semi-space-size=${YOUNG_GENERATION_MIB}`],
  });
  child.on("message", (message: Message) => {
    if (message.type === "progress") progress.set(part, message);
    else {
      const { row, seconds, result } = message;
      addTo(summary, rowOf(row), { ...result, seconds });
      if (rowOf(row).hasStates) summary.statesSeconds = (performance.now() - began) / 1000;
    }
    showMatrixProgress();
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`process ${part} of the run ended with ${signal ?? `code ${code}`}`));
    });
  });
}

function showMatrixProgress(): void {
  const parts = Array.from(progress.values(), ({ row, cases }) => `row ${row}: ${grouped(cases)}`);
  const distinct = [...progress.values()].reduce((sum, part) => sum + part.distinct, 0);
  showProgress(`${parts.join(", ")}; ${grouped(distinct)} distinct states`);
}

/** A state that two processes tried counts once. */
function countDistinct(): number {
  const seen = new Set<number>();
  for (let part = 0; part < processes; part++) {
    const bytes = readFileSync(fileOf(part));
    for (const fingerprint of new Float64Array(new Uint8Array(bytes).buffer)) seen.add(fingerprint);
  }
  return seen.size;
}
