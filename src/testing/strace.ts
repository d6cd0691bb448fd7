/**
 * Runs a program under strace: whether that can be done here, and how.
 *
 * strace must be installed, and tracing must be allowed (a container may forbid `ptrace`). Where
 * either is missing, {@link straceMissing} says so, so that a test can be skipped with the reason:
 *
 *     it.skipIf(straceMissing())("survives a kill at every system call", ...)
 */
import { type SpawnOptions, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, open, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BlockspaceError } from "../base/errors.ts";
import { parseStraceLog, type SystemCall } from "./strace-log.ts";

/** A program to be run. */
export interface ProgramToRun {
  command: string;
  args?: readonly string[];
  /** Its environment beside that of this process; `undefined` takes a variable away. */
  env?: Readonly<Record<string, string | undefined>>;
  /** What it finds on its standard input; nothing unless told. */
  input?: string;
  /** Ends it, and what runs it. */
  signal?: AbortSignal | undefined;
}

/** How it ended and what it said. */
export interface ProgramEnd {
  /** `null` when a signal ended it. */
  exitCode: number | null;
  endedBy: NodeJS.Signals | null;
  output: string;
  errors: string;
}

export interface StraceOptions extends ProgramToRun {
  directory: string;
  /** Names of the calls to be logged; those that this system does not have are passed over. */
  calls: readonly string[];
  /** Calls whose arguments are wanted as numbers only, without the bytes that they read. */
  raw?: readonly string[];
  /** As behind strace's `-e inject=`. */
  inject?: string;
  /** Follows, counts and injects only calls on these paths, or on standard output. */
  only?: readonly string[] | "output";
  /** Longer strings are cut, which fails where their bytes count. */
  maxBytes?: number;
}

/** libuv would write through io_uring, which no tracer sees, where the system lets it. */
const environment: Readonly<Record<string, string>> = { UV_USE_IO_URING: "0" };

let reason: string | false | undefined;

/** Why programs cannot be run under strace here; `false` when they can. */
export function straceMissing(): string | false {
  reason ??= findReason();
  return reason;
}

function findReason(): string | false {
  const trial = spawnSync("strace", ["-f", "-qq", "-o", "/dev/null", "true"], { encoding: "utf8" });
  const error: NodeJS.ErrnoException | undefined = trial.error;
  if (error?.code === "ENOENT") return "strace is not installed";
  if (error) return `strace cannot be run: ${error.message}`;
  if (trial.status === 0) return false;
  return `strace may not trace here: ${trial.stderr.trim() || `it ended with ${trial.status}`}`;
}

/** Runs the program to its end; the log has the calls of all its threads and processes. */
export async function runUnderStrace(
  options: StraceOptions,
): Promise<ProgramEnd & { calls: SystemCall[] }> {
  const missing = straceMissing();
  if (missing) throw new BlockspaceError("ENOTSUP", missing);
  const folder = await mkdtemp(join(tmpdir(), "strace-"));
  try {
    const [log, output] = [join(folder, "log"), join(folder, "output")];
    const args = [...flagsOf(options, log, output), "--", options.command, ...(options.args ?? [])];
    // A file, not a pipe, so that strace knows it by its path.
    const file = await open(output, "w");
    const strace = { ...options, command: "strace", args, outputTo: file.fd };
    let end: ProgramEnd;
    try {
      end = await runProgram(strace, options.directory);
    } finally {
      await file.close();
    }
    const calls = parseStraceLog(await linesOf(log));
    return { ...end, output: await readFile(output, "utf8"), calls };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** A set for strace; it passes over names that this system does not have. */
function setOf(names: readonly string[]): string {
  return names.map((name) => `?${name}`).join(",");
}

function flagsOf(options: StraceOptions, log: string, output: string): string[] {
  const flags = ["-f", "-qqq", "-y", "-xx", "-e", "signal=none", "-o", log];
  flags.push("-s", String(options.maxBytes ?? 2 ** 24), "-e", `trace=${setOf(options.calls)}`);
  if (options.raw) flags.push("-e", `raw=${setOf(options.raw)}`);
  const paths = options.only === "output" ? [output] : (options.only ?? []);
  for (const path of paths) flags.push("-P", path);
  // The kernel passes over all other calls; but then strace injects no signal.
  if (options.inject) flags.push("-e", `inject=${options.inject}`);
  else flags.push("--seccomp-bpf");
  return flags;
}

/**
 * Runs a program in a directory to its end, and nothing of it is left running then. `onOutput` is
 * told of its standard output as it comes, and may kill it. With `outputTo` the output goes there.
 */
export async function runProgram(
  options: ProgramToRun & { outputTo?: number },
  directory: string,
  onOutput?: (output: string, kill: () => void) => void,
): Promise<ProgramEnd> {
  options.signal?.throwIfAborted();
  const settings: SpawnOptions = {
    cwd: directory,
    env: { ...process.env, ...environment, ...options.env },
    stdio: ["pipe", options.outputTo ?? "pipe", "pipe"],
    // A group of its own, so that what it started ends with it.
    detached: true,
  };
  const child = spawn(options.command, options.args ?? [], settings);
  const closed = once(child, "close");
  const kill = (): void => endGroup(child.pid);
  options.signal?.addEventListener("abort", kill);
  try {
    let output = "";
    let errors = "";
    child.stderr!.setEncoding("utf8").on("data", (chunk: string) => (errors += chunk));
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
      onOutput?.(output, kill);
    });
    // A write to a process that has ended already is told by its end.
    child.stdin!.on("error", () => undefined).end(options.input ?? "");
    onOutput?.("", kill);
    const [exitCode, endedBy] = (await closed) as [number | null, NodeJS.Signals | null];
    options.signal?.throwIfAborted();
    return { exitCode, endedBy, output, errors };
  } finally {
    options.signal?.removeEventListener("abort", kill);
    kill();
  }
}

/** The lines that were written to their end. */
export function wholeLines(output: string): string[] {
  return output.split("\n").slice(0, -1);
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // There is nothing left of it.
  }
}

async function linesOf(path: string): Promise<string[]> {
  const file = await open(path);
  try {
    const lines: string[] = [];
    for await (const line of file.readLines({ encoding: "latin1" })) lines.push(line);
    return lines;
  } finally {
    await file.close();
  }
}
