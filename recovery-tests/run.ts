/**
 * `npm run test:recovery`: runs the whole matrix in as many processes as there are cores, and
 * prints its table; then hunts the planted bugs. Exit code 1 when anything was violated.
 *
 *     --nightly          ten times as many cases
 *     --share FRACTION   that part of the cases, as 0.01
 *     --rows 1,2,7       these rows only
 *     --processes N      instead of one for each core
 *     --json FILE        the summary for programs
 *     --only PART        matrix or planted
 *     --bugs NAME,NAME   these planted bugs only
 *     --write-table      also puts the table of planted bugs into the README
 */
import { fork } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { matrix, rowOf } from "./matrix.ts";
import { runPlanted } from "./planted/run.ts";
import { addTo, formatSummary, grouped, type RunSummary } from "./summary.ts";
import type { Job, Message } from "./worker.ts";

const NIGHTLY = 10;
/** The many short-lived objects of a recovery should die young. */
const YOUNG_GENERATION_MIB = 64;

const { values } = parseArgs({
  options: {
    nightly: { type: "boolean", default: false },
    share: { type: "string", default: "1" },
    rows: { type: "string" },
    processes: { type: "string", default: String(availableParallelism()) },
    json: { type: "string" },
    only: { type: "string" },
    bugs: { type: "string" },
    "write-table": { type: "boolean", default: false },
  },
});

const factor = Number(values.share) * (values.nightly ? NIGHTLY : 1);
const of = Number(values.processes);
if (!(factor > 0) || !Number.isInteger(of) || of < 1) {
  throw new RangeError(`--share is ${values.share}, --processes ${values.processes}: more than 0`);
}
if (values.only !== undefined && values.only !== "matrix" && values.only !== "planted") {
  throw new RangeError(`--only is ${values.only}: matrix or planted`);
}
const numbers = values.rows?.split(",").map(Number) ?? matrix.map(({ number }) => number);
// What takes processes and lives comes last.
const rows = numbers
  .map(rowOf)
  .toSorted((a, b) => Number(b.hasStates === true) - Number(a.hasStates === true))
  .map(({ number, cases }) => ({ number, cases: Math.ceil(cases * factor) }));

const scratch = mkdtempSync(join(tmpdir(), "blockspace-recovery-"));
const began = performance.now();
const summary: RunSummary = { rows: [], distinct: 0, statesSeconds: 0, seconds: 0 };
const progress = new Map<number, Extract<Message, { type: "progress" }>>();

process.once("exit", () => rmSync(scratch, { recursive: true, force: true }));
process.once("SIGINT", () => process.exit(130));
if (values.only !== "planted" && !(await runMatrix())) process.exitCode = 1;
const isWhole = values.only === undefined && values.rows === undefined;
if ((isWhole || values.only === "planted") && !(await runPlanted(plantedOptions()))) {
  process.exitCode = 1;
}

async function runMatrix(): Promise<boolean> {
  await Promise.all(Array.from({ length: of }, (_, part) => runPart(part)));
  summary.distinct = countDistinct();
  summary.seconds = (performance.now() - began) / 1000;
  if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
  console.log(formatSummary(summary));
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(summary, undefined, 2));
  return summary.rows.every(({ violations }) => violations.length === 0);
}

function plantedOptions(): Parameters<typeof runPlanted>[0] {
  const names = values.bugs?.split(",");
  const writeTable = values["write-table"] && names === undefined;
  return { processes: of, writeTable, ...(names ? { names } : {}) };
}

function fileOf(part: number): string {
  return join(scratch, `fingerprints-${part}`);
}

function runPart(part: number): Promise<void> {
  const job: Job = { part, of, rows, fingerprints: fileOf(part) };
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
    showProgress();
  });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`process ${part} of the run ended with ${signal ?? `code ${code}`}`));
    });
  });
}

function showProgress(): void {
  if (!process.stderr.isTTY) return;
  const parts = Array.from(progress.values(), ({ row, cases }) => `row ${row}: ${grouped(cases)}`);
  const distinct = [...progress.values()].reduce((sum, part) => sum + part.distinct, 0);
  process.stderr.write(`\r\x1b[K${parts.join(", ")}; ${grouped(distinct)} distinct states`);
}

/** A state that two processes tried counts once. */
function countDistinct(): number {
  const seen = new Set<number>();
  for (let part = 0; part < of; part++) {
    const bytes = readFileSync(fileOf(part));
    for (const fingerprint of new Float64Array(new Uint8Array(bytes).buffer)) seen.add(fingerprint);
  }
  return seen.size;
}
