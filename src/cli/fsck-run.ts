/** One run of `fsck.blockspace`, from arguments to exit code. */
import { writeSync } from "node:fs";
import { parseArgs } from "node:util";
import { messageOf } from "../base/errors.ts";
import type { CheckReport, Progress } from "../fsck/check.ts";
import { exitBits } from "../fsck/finding.ts";
import { reportLines } from "./commands/check.ts";
import { repairLines } from "./commands/repair.ts";
import { Interruption } from "./interruption.ts";
import { packageVersion } from "./version.ts";

const USAGE = "usage: fsck.blockspace [-n | -y | -a | -p] [-f] [-C FD] [--device PATH] STORE";

/** What there is to do where `-a` does nothing. */
const AT_A_COST = "that is what a repair would cost, so -a leaves it to you: run it with -y";

interface Arguments {
  store: string;
  /** `safe`: only what costs no data. */
  mode: "check" | "safe" | "all";
  /** Where the data lies, when not in the store. */
  device: string | undefined;
  progressFd: number | undefined;
}

function flag(short: string): { type: "boolean"; short: string } {
  return { type: "boolean", short };
}

/** What the arguments ask for, or the reason why they make no sense. */
function parseFsckArguments(args: readonly string[]): Arguments {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      no: flag("n"),
      yes: flag("y"),
      auto: flag("a"),
      preen: flag("p"),
      force: flag("f"),
      progress: { type: "string", short: "C" },
      device: { type: "string" },
    },
  });
  const { no = false, yes = false, auto = false, preen = false, progress, device } = values;
  const safe = auto || preen;
  if ([no, yes, safe].filter(Boolean).length > 1) {
    throw new Error("-n, -y and -a (or -p) exclude each other");
  }
  const [store, ...more] = positionals;
  if (store === undefined || store === "" || more.length > 0)
    throw new Error("one STORE is needed");
  if (progress !== undefined && !/^\d{1,4}$/.test(progress)) {
    throw new Error(`-C is ${JSON.stringify(progress)}; allowed is the number of a descriptor`);
  }
  const progressFd = progress === undefined ? undefined : Number(progress);
  return { store, mode: yes ? "all" : safe ? "safe" : "check", device, progressFd };
}

/** What `--help` and `-V` show; nothing when neither is asked for. */
function aboutIt(args: readonly string[]): string | undefined {
  if (args.includes("--help") || args.includes("-h")) return USAGE;
  if (!args.includes("--version") && !args.includes("-V")) return undefined;
  return `fsck.blockspace ${packageVersion()}`;
}

export async function runFsck(args: readonly string[]): Promise<number> {
  const about = aboutIt(args);
  if (about !== undefined) {
    process.stdout.write(`${about}\n`);
    return 0;
  }
  let asked: Arguments;
  try {
    asked = parseFsckArguments(args);
  } catch (error) {
    process.stderr.write(`fsck.blockspace: ${messageOf(error)}\n${USAGE}\n`);
    return exitBits.usage;
  }
  // Who does not read what is found has the exit code all the same.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => undefined);
  const interruption = new Interruption();
  interruption.listen();
  try {
    return await carryOut(asked, interruption.signal);
  } finally {
    interruption.ignore();
  }
}

async function carryOut(asked: Arguments, signal: AbortSignal): Promise<number> {
  const { store, mode, device, progressFd } = asked;
  const { check } = await import("../fsck/check.ts");
  const onProgress = progressTo(progressFd);
  const options = { signal, onProgress, ...(device === undefined ? {} : { device }) };
  const before = await check(store, options);
  if (mode === "check" || before.exitCode === 0 || before.failure) return tellCheck(before);
  const { repair } = await import("../fsck/repair.ts");
  const only = mode === "safe" ? ({ only: "safe" } as const) : {};
  const report = await repair(store, { ...options, inPlace: true, ...only });
  process.stdout.write(`${repairLines(report).join("\n")}\n`);
  if (report.failure) process.stderr.write(`fsck.blockspace: ${report.failure.message}\n`);
  // Nothing was written, though it could have been.
  if (mode === "safe" && report.target === undefined && report.losses.length > 0) {
    process.stderr.write(`fsck.blockspace: ${AT_A_COST}\n`);
  }
  return report.exitCode;
}

function tellCheck(report: CheckReport): number {
  process.stdout.write(`${reportLines(report).join("\n")}\n`);
  if (report.failure) process.stderr.write(`fsck.blockspace: ${report.failure.message}\n`);
  return report.exitCode;
}

/** Tells how far it is as e2fsck does: phase, done, total. Who does not listen is not told. */
function progressTo(fd: number | undefined): (progress: Progress) => void {
  let listening = fd !== undefined && fd > 0;
  return ({ phase, done, total }) => {
    if (!listening || fd === undefined) return;
    try {
      writeSync(fd, `${phase} ${done} ${total}\n`);
    } catch {
      listening = false;
    }
  };
}
