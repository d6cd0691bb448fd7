/**
 * Row 15: a real process with the real LMDB, killed with SIGKILL at every system call. Two kinds of
 * lives, turn about: one that creates the store, and one that opens what a killed process left, so
 * that the kill also falls into recovery. What is left must open again, hold a prefix with all that
 * was acknowledged, byte for byte, and go on working.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  killAtEverySystemCall,
  type KilledRun,
  readImage,
  runProgram,
  straceMissing,
  writeImage,
} from "blockspace/testing";
import { expectPrefix, programAt } from "../programs/oracle.ts";
import { inspect } from "../programs/store-inspection.js";
import { descriptionsOf, operationsOf } from "../programs/store-workload.js";
import type { ProcessRun } from "./process-run.ts";

const program = programAt("store-program.js");
/** Operations of one life: few, so that most of its time is not the start of the process. */
const LIFE = 24;
/** Kills of one life at most, so that several kinds of lives have their share. */
const KILLS_OF_A_LIFE = 60;
/** After every so-manyth kill the store is not only read: it must go on working, too. */
const LONG_EVERY = 8;

export async function run(options: { cases: number; seed: number }): Promise<ProcessRun> {
  const missing = straceMissing();
  if (missing) return { cases: 0, violations: [], skipped: missing };
  const result: ProcessRun = { cases: 0, violations: [] };
  for (let life = 0; result.cases < options.cases; life++) {
    const seed = options.seed + Math.floor(life / 2);
    const sample = Math.min(KILLS_OF_A_LIFE, options.cases - result.cases);
    const violations = await (life % 2 === 0
      ? killWhole(seed, sample, result)
      : killRecovering(seed, sample, result));
    result.violations.push(...violations.map((text) => `seed ${seed}, life ${life}: ${text}`));
  }
  return result;
}

/** From the creation of the store to its closing. */
function killWhole(seed: number, sample: number, result: ProcessRun): Promise<string[]> {
  return kill(seed, [0, LIFE], sample, result);
}

/** From the opening of a store whose process was killed. */
async function killRecovering(seed: number, sample: number, result: ProcessRun): Promise<string[]> {
  const directory = await mkdtemp(join(tmpdir(), "row-15-"));
  try {
    const args = [program, String(seed), "0", String(LIFE), "die"];
    const end = await runProgram({ command: process.execPath, args }, directory);
    if (end.endedBy !== "SIGKILL") throw new Error(`the program did not die: ${end.errors}`);
    const left = await readImage(directory);
    // A killed process loses nothing that it has written, so the store holds the same each time;
    // how much that is tells the first opening.
    const found = await inspect(join(directory, "store"), false);
    const descriptions = descriptionsOf(operationsOf(seed, LIFE));
    const acknowledged = Number(end.output.trim().split("\n").at(-1));
    expectPrefix(found, descriptions, acknowledged);
    const held = descriptions.indexOf("content" in found ? found.content : "", acknowledged);
    return await kill(seed, [held, 2 * LIFE], sample, result, (copy) => writeImage(left, copy));
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function kill(
  seed: number,
  [first, last]: [number, number],
  sample: number,
  result: ProcessRun,
  prepare?: (directory: string) => Promise<void>,
): Promise<string[]> {
  const descriptions = descriptionsOf(operationsOf(seed, last));
  const report = await killAtEverySystemCall({
    command: process.execPath,
    args: [program, seed, first, last].map(String),
    seed,
    sample,
    concurrency: 2,
    ...(prepare && { prepare }),
    check: async ({ directory, lines, n }: KilledRun) => {
      const acknowledged = Number(lines.at(-1) ?? first);
      const found = await inspect(join(directory, "store"), n % LONG_EVERY === 0);
      expectPrefix(found, descriptions, acknowledged);
    },
  });
  result.cases += report.kills;
  return report.violations.map(({ where, message }) => `${where}: ${message}`);
}
