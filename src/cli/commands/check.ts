/** `check`: what is wrong with a store, told to people or to programs. Nothing is written. */
import { type Command, Option } from "commander";
import { formatSize } from "../../base/units.ts";
import type { CheckOptions, CheckReport, Progress } from "../../fsck/check.ts";
import type { Finding } from "../../fsck/finding.ts";
import { addExamples, sizeArgument, someSizeArgument } from "../arguments.ts";
import { serverOf } from "../open-store.ts";
import type { Session } from "../session.ts";

interface CheckFlags {
  data?: boolean;
  dataFrom?: number;
  dataRate?: number;
  json?: boolean;
  jsonLines?: boolean;
}

export function addCheckCommand(program: Command, session: Session): void {
  const command = program
    .command("check")
    .summary("look for damage; writes nothing")
    .description(
      "Checks a store that nobody writes to, in eight phases, and says what is wrong, what it" +
        " may cost and what repair would do. Believes nothing that it reads, and writes nothing." +
        " Exit code: 0 clean, 2 nothing worse than leaks, 4 damage, 8 the check could not be" +
        " done, 16 usage, 32 cancelled; bits add up.",
    )
    .argument("<STORE>", "the store's directory")
    .option("--data", "also compare every block with its checksum")
    .option("--data-from <ADDRESS>", "begin with this address on the data device", sizeArgument)
    .option("--data-rate <SIZE>", "read no more data than this in a second", someSizeArgument)
    .addOption(new Option("--json", "print one JSON document for programs").conflicts("jsonLines"))
    .option(
      "--json-lines",
      "print a line of JSON for each phase and finding as they come, and how far it is",
    )
    .action((store: string, flags: CheckFlags) => runCheck(session, store, flags));
  addExamples(
    command,
    ["blockspace check my-store", "the metadata, in seconds"],
    ["blockspace check my-store --data --data-rate 50M", "and every block, gently"],
    ["blockspace check my-store --json | jq .findings", "for programs"],
  );
}

async function runCheck(session: Session, store: string, flags: CheckFlags): Promise<void> {
  const { check } = await import("../../fsck/check.ts");
  const { output } = session;
  // What was found until then is worth something, also to a program.
  if (flags.json || flags.jsonLines) output.insist();
  const lines: Promise<void>[] = [];
  const emit = (value: unknown): void => {
    if (!flags.jsonLines) return;
    const line = output.lineNow(JSON.stringify(value));
    // Whoever reads may leave; the check hears of it by its signal, and of the rest at its end.
    line.catch(() => undefined);
    lines.push(line);
  };
  const bar = progressBar(session, flags);
  const often = everyNow((progress) => emit({ type: "progress", ...progress }));
  const options: CheckOptions = {
    ...session.dataDevice,
    ...(flags.data || flags.dataFrom !== undefined ? { data: true } : {}),
    ...(flags.dataFrom === undefined ? {} : { dataFrom: flags.dataFrom }),
    ...(flags.dataRate === undefined ? {} : { bytesPerSecond: flags.dataRate }),
    signal: session.signal,
    onFinding: (finding) => emit({ type: "finding", ...finding }),
    onPhase: (phase) => emit({ type: "phase", ...phase }),
    onProgress: (progress) => {
      bar(progress);
      often(progress);
    },
  };
  const report = await check(store, options);
  bar();
  await Promise.all(lines);
  session.exitCode = report.exitCode;
  if (flags.jsonLines) {
    const { findings: _findings, phases: _phases, ...rest } = report;
    await output.line(JSON.stringify({ type: "end", ...rest }));
  } else if (flags.json) await output.json(report);
  else if (!session.options.quiet) for (const line of reportLines(report)) await output.line(line);
  if (report.failure) await tellFailure(session, store, report.failure);
}

/** What kept it from its end; of a store that is in use, who could let go of it. */
export async function tellFailure(
  session: Session,
  store: string,
  { code, message }: { code: string; message: string },
): Promise<void> {
  session.tell(message);
  const advice = code === "ELOCKED" ? await serverOf(store) : undefined;
  if (advice !== undefined) session.tell(advice);
}

const PROGRESS_EVERY_MS = 200;

/** Passes the beginning of each phase on, and of the rest no more than anybody reads. */
function everyNow(tell: (progress: Progress) => void): (progress: Progress) => void {
  let last = { phase: -1, toldMs: 0 };
  return (progress) => {
    const nowMs = performance.now();
    const { phase } = progress;
    if (phase === last.phase && nowMs - last.toldMs < PROGRESS_EVERY_MS) return;
    last = { phase, toldMs: nowMs };
    tell(progress);
  };
}

/** Shows how far a phase is on a terminal; called without anything, takes it away. */
export function progressBar(
  session: Session,
  flags: { json?: boolean; jsonLines?: boolean },
): (progress?: Progress) => void {
  const { stderr } = process;
  if (!stderr.isTTY || session.options.quiet || flags.json || flags.jsonLines) {
    return () => undefined;
  }
  let shown = "";
  return (progress) => {
    const share = progress && Math.floor((100 * progress.done) / Math.max(1, progress.total));
    const text = progress ? `phase ${progress.phase}: ${progress.name} ${share}%` : "";
    if (text === shown) return;
    stderr.write(`\r${" ".repeat(shown.length)}\r${text}`);
    shown = text;
  };
}

/** The report as people read it: phases with their times, findings, a summary. */
export function reportLines(report: CheckReport): string[] {
  const lines = report.phases.map(({ phase, name, milliseconds, findings }) => {
    const found = findings === 0 ? "" : `, ${findings} ${findings === 1 ? "finding" : "findings"}`;
    return `phase ${phase}: ${name} (${milliseconds} ms${found})`;
  });
  for (const finding of report.findings) lines.push(...findingLines(finding));
  if (report.findingsLeftOut > 0) lines.push(`and ${report.findingsLeftOut} more findings`);
  lines.push(summaryOf(report));
  return lines;
}

function findingLines(finding: Finding): string[] {
  const { id, severity, message, where, atRisk, promise, repair } = finding;
  const places = [
    where.file === undefined ? "" : `${where.file}${at(where.offset)}`,
    where.state === undefined ? "" : `checkpoint ${where.state}`.replace("checkpoint repl", "repl"),
    where.value ?? "",
    ownersIn(where),
    where.range ? `bytes ${where.range.offset} + ${where.range.length}` : "",
    where.blocks ? `address ${where.blocks.address} + ${where.blocks.length}` : "",
  ].filter((place) => place !== "");
  const risk = atRisk > 0 ? `; at risk: ${formatSize(atRisk)}` : "";
  const place = places.length > 0 ? ` [${places.join(", ")}]` : "";
  return [
    `${id} ${severity}: ${message}${place}`,
    `     breaks ${promise}${risk}; repair: ${repair}`,
  ];
}

/** Whose a place is, as far as they are named. */
export function ownersIn({
  subvolume,
  alsoIn = [],
}: {
  subvolume?: string;
  alsoIn?: readonly string[];
}): string {
  if (subvolume === undefined) return "";
  // A damaged name may hold anything.
  const others = alsoIn.map((name) => JSON.stringify(name)).join(", ");
  return `subvolume ${JSON.stringify(subvolume)}${others === "" ? "" : `, also in ${others}`}`;
}

function at(offset: number | undefined): string {
  return offset === undefined ? "" : ` at ${offset}`;
}

function summaryOf(report: CheckReport): string {
  const { state, findings, findingsLeftOut, data } = report;
  const count = findings.length + findingsLeftOut;
  const worst = ["fatal", "damage", "leak"].find((severity) =>
    findings.some((finding) => finding.severity === severity),
  );
  const verdict =
    count > 0
      ? `${count} ${count === 1 ? "finding" : "findings"}, the worst of them: ${worst}`
      : report.failure
        ? "not checked"
        : "clean";
  const what = state ? ` (${state.subvolumes} subvolumes at commit ${state.lsn})` : "";
  const read = data ? `, ${formatSize(data.bytes)} of data read` : "";
  const next = data?.next === undefined ? "" : `, to go on with --data-from ${data.next}`;
  return `${report.path}: ${verdict}${what}${read}${next}`;
}
