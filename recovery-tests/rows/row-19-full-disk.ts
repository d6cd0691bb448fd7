/**
 * Row 19: a disk that is really full. A small file system in memory is mounted; the store works on
 * it until a file takes the rest of the space, at an operation of each kind; what then fails must
 * fail with a `BlockspaceError`, and once there is space again the store must open, hold a prefix
 * with all that was acknowledged, and go on working (P1).
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ProgramPool, runProgram } from "blockspace/testing";
import { expectPrefix, programAt } from "../programs/oracle.ts";
import { operationsOf, descriptionsOf } from "../programs/store-workload.js";
import type { ProcessRun } from "./process-run.ts";

const DISK = "8m";
const OPERATIONS = 40;
/** What the file leaves free: nothing, or enough to begin with something. */
const bytesLeft: readonly number[] = [0, 4096, 16_384, 65_536];

/** Runs in which something failed for want of space. */
interface Met {
  failures: number;
}

interface Case {
  seed: number;
  fullAt: number;
  left: number;
  verb: string;
}

export async function run(options: { cases: number; seed: number }): Promise<ProcessRun> {
  const result: ProcessRun = { cases: 0, violations: [] };
  const disk = await mkdtemp(join(tmpdir(), "row-19-"));
  try {
    await promisify(execFile)("mount", ["-t", "tmpfs", "-o", `size=${DISK}`, "tmpfs", disk]);
  } catch (error) {
    await rm(disk, { recursive: true });
    return { ...result, skipped: `a file system cannot be mounted: ${String(error)}` };
  }
  using pool = new ProgramPool({
    command: process.execPath,
    args: [programAt("store-reader.js")],
    size: 1,
  });
  const met: Met = { failures: 0 };
  try {
    for (const one of casesOf(options.seed, options.cases)) {
      result.cases++;
      const what = `seed ${one.seed}, full at ${one.verb} (${one.fullAt}), ${one.left} bytes left`;
      try {
        await tryCase(one, disk, pool, met);
      } catch (error) {
        result.violations.push(`${what}: ${String(error)}`);
      }
    }
  } finally {
    pool.close();
    await promisify(execFile)("umount", ["-l", disk]);
    await rm(disk, { recursive: true });
  }
  if (met.failures < result.cases / 2) {
    throw new Error(`only ${met.failures} of ${result.cases} runs found the disk full`);
  }
  return result;
}

/** Every kind of operation, opening and closing among them, with every amount of space. */
function* casesOf(firstSeed: number, count: number): Generator<Case> {
  let done = 0;
  for (let seed = firstSeed; ; seed++) {
    const verbs = ["open", ...operationsOf(seed, OPERATIONS).map((one) => one.do), "close"];
    for (const [i, left] of bytesLeft.entries()) {
      for (const verb of new Set(verbs)) {
        if (done++ === count) return;
        // Not always the first operation of its kind.
        const places = verbs.flatMap((other, place) => (other === verb ? [place - 1] : []));
        yield { seed, left, verb, fullAt: places[i % places.length]! };
      }
    }
  }
}

async function tryCase(
  { seed, fullAt, left }: Case,
  disk: string,
  pool: ProgramPool,
  met: Met,
): Promise<void> {
  await rm(join(disk, "store"), { recursive: true, force: true });
  const args = [programAt("full-disk-program.js"), seed, fullAt, left, OPERATIONS].map(String);
  const end = await runProgram({ command: process.execPath, args }, disk);
  await rm(join(disk, "ballast"), { force: true });
  if (end.exitCode !== 0) {
    throw new Error(`the program ended with ${end.endedBy ?? end.exitCode}: ${end.errors}`);
  }
  const numbers = (word: string): number[] =>
    [...end.output.matchAll(new RegExp(`^${word} (\\d+)$`, "gm"))].map(([, number]) =>
      Number(number),
    );
  if (/^failed /m.test(end.output)) met.failures++;
  const attempted = numbers("attempted").at(-1) ?? 0;
  const durable = numbers("durable").at(-1) ?? 0;
  const descriptions = descriptionsOf(operationsOf(seed, OPERATIONS)).slice(0, attempted + 1);
  const answer = await pool.ask(JSON.stringify({ path: join(disk, "store"), long: true }));
  if ("died" in answer) throw new Error(`the process that opened it died: ${answer.died}`);
  expectPrefix(JSON.parse(answer.line) as { content: string }, descriptions, durable);
}
