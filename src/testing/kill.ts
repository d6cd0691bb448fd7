/**
 * Kills a real program, again and again, and lets the tester check what is left each time.
 *
 * `killAtEverySystemCall` runs it once under strace to see which calls it makes that change files
 * of its directory or say something on its standard output; then once for each of them, killed with
 * SIGKILL just before that call happens. A place is a call's name, the path that it is about, and
 * how many such calls the thread has made; where several threads make the same calls on one path,
 * the one that comes to the k-th first dies of it. A Node program should have
 * `UV_THREADPOOL_SIZE=1`, which is set unless `env` says otherwise, so that its calls come from one
 * thread.
 *
 * `killAtSeededMoments` needs no strace: it kills after a line of output and a delay.
 *
 * The system lives on, so a kill loses nothing that was written; what it leaves is whatever the
 * program was in the middle of. For loss of power there are crash states.
 */
import { mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { checkWhole } from "../base/arguments.ts";
import { BlockspaceError, messageOf } from "../base/errors.ts";
import { type KillPoint, killPointsOf, killCalls } from "./kill-points.ts";
import { randomBelow, randomFrom } from "./random.ts";
import {
  type ProgramEnd,
  type ProgramToRun,
  runProgram,
  runUnderStrace,
  wholeLines,
} from "./strace.ts";

/** One run of the program, and what it left. */
export interface KilledRun {
  /** In which the program ran, and which is removed when it has been checked. */
  directory: string;
  /** Which run it is, from 1. */
  n: number;
  /** Where it was killed, in words. */
  where: string;
  /** False when it had come to its end before. */
  killed: boolean;
  /** The lines that it had written to its end before it died: what it has acknowledged. */
  lines: readonly string[];
  errors: string;
}

export interface KillOptions extends ProgramToRun {
  /** Puts into the empty directory what the program starts from. */
  prepare?: (directory: string) => void | Promise<void>;
  /** Looks at what is left; throws when that is not what the program has promised. */
  check: (run: KilledRun) => void | Promise<void>;
  /** Chooses the runs of a sample, and the moments. */
  seed?: number;
  /** Runs side by side; 1 unless told. */
  concurrency?: number;
  onProgress?: (done: number, total: number) => void;
}

export interface EverySystemCallOptions extends KillOptions {
  /** Names of the calls to be killed at; {@link killCalls} unless told. */
  calls?: readonly string[];
  /** Only every so-manyth of the points. */
  every?: number;
  /** So many of the points at most, chosen by the seed. */
  sample?: number;
}

export interface SeededMomentsOptions extends KillOptions {
  kills: number;
  /** The longest delay after a line; unless told, what the next line took in a first run. */
  delayMaxMs?: number;
}

export interface KillReport {
  seed: number;
  /** Places at which it could be killed; those of a sample are some of them. */
  points: number;
  /** Runs that were killed. */
  kills: number;
  /** Runs that came to their end first. They are checked, too. */
  finished: number;
  /** Kills by the name of the call. */
  byCall: Readonly<Record<string, number>>;
  violations: readonly KillViolation[];
}

export interface KillViolation {
  n: number;
  where: string;
  /** What the check said, or how the program ended by itself. */
  message: string;
  lines: readonly string[];
}

/**
 * `ENOTSUP` where strace is missing: see `straceMissing`. `EINVAL` where the program makes none of
 * the calls: nothing would be killed, and no check could fail.
 */
export async function killAtEverySystemCall(options: EverySystemCallOptions): Promise<KillReport> {
  const calls = options.calls ?? killCalls;
  const every = options.every ?? 1;
  checkWhole("every", every, 1);
  const seed = options.seed ?? 1;
  const program = withOneThread(options);
  const all = await inDirectory(options, async (directory) => {
    const counted = await runUnderStrace({ ...program, directory, calls });
    refuseFailure(counted);
    return killPointsOf(counted.calls, directory);
  });
  if (all.length === 0) throw nothingToKillAt(calls);
  const points = sampleOf(all, every, options.sample, seed);
  return runAll(options, seed, all.length, points, (directory, point) =>
    runUnderStrace({
      ...program,
      directory,
      calls: [point.call],
      only: pathsOf(point, directory),
      // What it writes is of no interest here.
      maxBytes: 0,
      inject: `${point.call}:signal=KILL:when=${point.ordinal}`,
    }),
  );
}

export async function killAtSeededMoments(options: SeededMomentsOptions): Promise<KillReport> {
  checkWhole("kills", options.kills, 1);
  const seed = options.seed ?? 1;
  const program = withOneThread(options);
  const gapsMs = await inDirectory(options, (directory) => measure(program, directory));
  const random = randomFrom(seed);
  const moments = Array.from({ length: options.kills }, () => {
    const line = randomBelow(random, gapsMs.length);
    const delayMs = random() * (options.delayMaxMs ?? gapsMs[line]!);
    return { line, delayMs, call: "moment", where: `${delayMs.toFixed(2)} ms after line ${line}` };
  });
  return runAll(options, seed, moments.length, moments, (directory, { line, delayMs }) => {
    let set = false;
    return runProgram(program, directory, (output, kill) => {
      if (set || wholeLines(output).length < line) return;
      set = true;
      setTimeout(kill, delayMs);
    });
  });
}

/**
 * How long it takes to the first line, from each line to the next, and from the last to the end.
 */
async function measure(program: ProgramToRun, directory: string): Promise<number[]> {
  const timesMs: number[] = [];
  const note = (output: string): void => {
    while (timesMs.length <= wholeLines(output).length) timesMs.push(performance.now());
  };
  refuseFailure(await runProgram(program, directory, note));
  const endMs = performance.now();
  return timesMs.map((timeMs, line) => (timesMs[line + 1] ?? endMs) - timeMs);
}

function withOneThread(options: KillOptions): ProgramToRun {
  const { command, args, input, signal } = options;
  return {
    command,
    ...(args && { args }),
    ...(input !== undefined && { input }),
    ...(signal && { signal }),
    env: { UV_THREADPOOL_SIZE: "1", ...options.env },
  };
}

/** What strace must look for: it compares names as the program gives them, too. */
function pathsOf({ path, alias }: KillPoint, directory: string): string[] | "output" {
  if (path === null) return "output";
  const paths = [join(directory, path)];
  if (alias !== undefined && !isAbsolute(alias)) paths.push(alias);
  return paths;
}

/** All of them in order, the sample of a seed, or each so-manyth. */
function sampleOf(
  all: readonly KillPoint[],
  every: number,
  sample: number | undefined,
  seed: number,
): KillPoint[] {
  const points = all.filter((_, index) => index % every === 0);
  if (sample === undefined || points.length <= sample) return points;
  checkWhole("sample", sample, 1);
  const random = randomFrom(seed);
  const order = points.map((point) => ({ point, place: random() }));
  return order
    .toSorted((one, other) => one.place - other.place)
    .slice(0, sample)
    .map(({ point }) => point);
}

interface Place {
  call: string;
  where: string;
}

async function runAll<P extends Place>(
  options: KillOptions,
  seed: number,
  points: number,
  places: readonly P[],
  run: (directory: string, place: P) => Promise<ProgramEnd>,
): Promise<KillReport> {
  const report = { seed, points, kills: 0, finished: 0 };
  const byCall: Record<string, number> = {};
  const violations: KillViolation[] = [];
  let done = 0;
  const waiting = places.entries();
  const work = async (): Promise<void> => {
    for (const [index, place] of waiting) {
      const n = index + 1;
      await inDirectory(options, async (directory) => {
        const end = await run(directory, place);
        const killed = end.endedBy === "SIGKILL";
        if (killed) {
          report.kills++;
          byCall[place.call] = (byCall[place.call] ?? 0) + 1;
        } else report.finished++;
        const lines = wholeLines(end.output);
        const { where } = place;
        try {
          if (!killed) refuseFailure(end);
          await options.check({ directory, n, where, killed, lines, errors: end.errors });
        } catch (error) {
          violations.push({ n, where, message: messageOf(error), lines });
        }
      });
      options.onProgress?.(++done, places.length);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency ?? 1 }, work));
  violations.sort((one, other) => one.n - other.n);
  return { ...report, byCall, violations };
}

/** Runs with a directory of its own, without symbolic links in its path, and removes it. */
async function inDirectory<T>(
  { prepare }: KillOptions,
  body: (directory: string) => Promise<T>,
): Promise<T> {
  const around = await mkdtemp(join(await realpath(tmpdir()), "kill-"));
  try {
    const directory = join(around, "run");
    await mkdir(directory);
    await prepare?.(directory);
    return await body(directory);
  } finally {
    await rm(around, { recursive: true, force: true });
  }
}

/** The program must work before it can be said what a kill does to it. */
function refuseFailure({ exitCode, endedBy, errors }: ProgramEnd): void {
  if (exitCode === 0) return;
  const how = endedBy === null ? `code ${exitCode}` : endedBy;
  throw new Error(`the program ended by itself with ${how}: ${errors.trim()}`);
}

function nothingToKillAt(calls: readonly string[]): BlockspaceError {
  const message =
    "the program says nothing on its standard output, and changes nothing in the directory " +
    `in which it runs, by any of these calls: ${calls.join(", ")}`;
  return new BlockspaceError("EINVAL", message);
}
