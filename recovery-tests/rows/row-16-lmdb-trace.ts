/**
 * Row 16: a real store with the real LMDB under its checkpoints, traced by its system calls; then
 * the power goes at every point: prefixes, subsets of what was not flushed, and writes torn at
 * sectors of 512 bytes, across all files of the store. Every state is written to a real directory
 * and opened by a real process, which LMDB may take down with it.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  type CrashState,
  crashStates,
  type DiskImage,
  fingerprintOfImage,
  formatVectors,
  ProgramPool,
  straceMissing,
  traceSystemCalls,
  type SystemCallTrace,
  writeImage,
} from "blockspace/testing";
import { expectPrefix, programAt } from "../programs/oracle.ts";
import { descriptionsOf, operationsOf } from "../programs/store-workload.js";
import type { ProcessRun } from "./process-run.ts";

/** Operations of one traced process. */
const LIFE = 24;
/** States of one trace, about; the next ones are of another seed. */
const STATES_OF_A_LIFE = 1000;
/** Every so-manyth state is not only read: the store must go on working, too. */
const LONG_EVERY = 16;

export async function run(options: { cases: number; seed: number }): Promise<ProcessRun> {
  const missing = straceMissing();
  if (missing) return { cases: 0, violations: [], skipped: missing };
  const result: ProcessRun = { cases: 0, violations: [] };
  const directory = await mkdtemp(join(tmpdir(), "row-16-"));
  using pool = new ProgramPool({
    command: process.execPath,
    args: [programAt("store-reader.js")],
  });
  try {
    for (let seed = options.seed; result.cases < options.cases; seed++) {
      const limit = Math.min(STATES_OF_A_LIFE, options.cases - result.cases);
      await tryLife(seed, limit, join(directory, String(seed)), pool, result);
    }
  } finally {
    await rm(directory, { recursive: true });
  }
  return result;
}

async function tryLife(
  seed: number,
  limit: number,
  directory: string,
  pool: ProgramPool,
  result: ProcessRun,
): Promise<void> {
  const work = join(directory, "work");
  await mkdir(work, { recursive: true });
  const trace = await traceSystemCalls({
    command: process.execPath,
    args: [programAt("store-program.js"), seed, 0, LIFE].map(String),
    directory: work,
    mark: Number,
    // LMDB's table of readers: mapped memory that no crash needs to keep.
    mayChangeUnseen: (path) => path.endsWith("/lock.mdb"),
  });
  if (trace.exitCode !== 0) throw new Error(`the program failed: ${trace.errors}`);
  const lab = new Lab(directory, pool, descriptionsOf(operationsOf(seed, LIFE)), trace);
  const states = crashStates(
    { start: trace.disk.start, trace: trace.disk.trace },
    { kinds: ["prefix", "subset", "torn"], grains: [512], seed, limit },
  );
  const found = await lab.tryAll(states);
  result.cases += found.states;
  result.violations.push(...found.violations.map((text) => `seed ${seed}, ${text}`));
}

/** Opens the states of one trace; those that are the same on disk once. */
class Lab {
  readonly #directory: string;
  readonly #pool: ProgramPool;
  readonly #descriptions: readonly string[];
  readonly #trace: SystemCallTrace;
  readonly #known = new Map<number, Promise<{ content: string } | { error: string }>>();

  constructor(
    directory: string,
    pool: ProgramPool,
    descriptions: readonly string[],
    trace: SystemCallTrace,
  ) {
    this.#directory = directory;
    this.#pool = pool;
    this.#descriptions = descriptions;
    this.#trace = trace;
  }

  async tryAll(states: Iterable<CrashState>): Promise<{ states: number; violations: string[] }> {
    const violations: string[] = [];
    const underWay = new Set<Promise<void>>();
    let count = 0;
    for (const state of states) {
      count++;
      const acknowledged = this.#acknowledgedBy(state.vector.cut);
      const trial = this.#reading(state.image())
        .then((found) => expectPrefix(found, this.#descriptions, acknowledged))
        .catch((error: unknown) => {
          violations.push(`vector ${formatVectors([state.vector])}: ${String(error)}`);
        })
        .finally(() => underWay.delete(trial));
      underWay.add(trial);
      if (underWay.size > 2 * this.#pool.size) await Promise.race(underWay);
    }
    await Promise.all(underWay);
    return { states: count, violations };
  }

  #acknowledgedBy(cut: number): number {
    let acknowledged = 0;
    for (const { operation } of this.#trace.disk.trace.slice(0, cut)) {
      if (operation.kind === "mark") acknowledged = operation.value as number;
    }
    return acknowledged;
  }

  #reading(image: DiskImage): Promise<{ content: string } | { error: string }> {
    const fingerprint = fingerprintOfImage(image);
    const known = this.#known.get(fingerprint);
    if (known) return known;
    const reading = this.#read(image, this.#known.size);
    this.#known.set(fingerprint, reading);
    return reading;
  }

  async #read(image: DiskImage, number: number): Promise<{ content: string } | { error: string }> {
    const path = join(this.#directory, `state-${number}`);
    await writeImage(image, path);
    const question = { path: join(path, "store"), long: number % LONG_EVERY === 0 };
    const answer = await this.#pool.ask(JSON.stringify(question));
    await rm(path, { recursive: true });
    if ("died" in answer) return { error: `the process that opened it died: ${answer.died}` };
    return JSON.parse(answer.line) as { content: string } | { error: string };
  }
}
