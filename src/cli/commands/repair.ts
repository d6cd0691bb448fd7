/** `repair`: writes a sound store from a damaged one, and says what that cost. */
import type { Command } from "commander";
import { BlockspaceError } from "../../base/errors.ts";
import { formatSize } from "../../base/units.ts";
import { exitBits } from "../../fsck/finding.ts";
import type { Loss } from "../../fsck/loss.ts";
import type { RepairOptions, RepairReport } from "../../fsck/repair.ts";
import { addExamples, type JsonOption } from "../arguments.ts";
import type { Session } from "../session.ts";
import { ownersIn, progressBar, reportLines, tellFailure } from "./check.ts";

interface RepairFlags extends JsonOption {
  to?: string;
  inPlace?: boolean;
  undo?: boolean;
  only?: string;
  data?: boolean;
}

export function addRepairCommand(program: Command, session: Session): void {
  const command = program
    .command("repair")
    .summary("mend a damaged store")
    .description(
      "Checks a store and writes a sound one: into a new directory, or in place behind an undo" +
        " file. Nothing readable is thrown away without a word: the report says which ranges are" +
        " gone, which hold older data, and what was put into lost+found. Exit code: 0 nothing to" +
        " do, 1 corrected, 4 something is left that cannot be corrected, 8 the repair could not" +
        " be done, 16 usage, 32 cancelled; bits add up.",
    )
    .argument("<STORE>", "the store's directory")
    .option("--to <NEWDIR>", "write the repaired store here; the damaged one is only read")
    .option("--in-place", "change the store itself, and keep an undo file in it")
    .option("--undo", "take the last repair in place back")
    .option("--only <WHAT>", "with leaks: correct these, and do nothing where there is damage")
    .option("--data", "also look for blocks that the journal can bring back")
    .option("--json", "print one JSON document for programs")
    .action((store: string, flags: RepairFlags) => runRepair(session, store, flags));
  addExamples(
    command,
    ["blockspace repair my-store --to mended", "the damaged store stays as it is"],
    ["blockspace repair my-store --in-place", "where there is no room for two"],
    ["blockspace repair my-store --undo", "as if that had not been"],
  );
}

function usage(message: string): BlockspaceError {
  return new BlockspaceError("EINVAL", message);
}

function optionsOf(session: Session, flags: RepairFlags): RepairOptions {
  const { to, inPlace, only, data } = flags;
  if ((to === undefined) === (inPlace !== true)) {
    throw usage("allowed is one of --to NEWDIR, --in-place and --undo");
  }
  if (only !== undefined && only !== "leaks") {
    throw usage(`--only is ${JSON.stringify(only)}; allowed is leaks`);
  }
  return {
    ...session.dataDevice,
    signal: session.signal,
    ...(to === undefined ? {} : { to }),
    ...(only === undefined ? {} : { only }),
    ...(data ? { data } : {}),
  };
}

async function runRepair(session: Session, store: string, flags: RepairFlags): Promise<void> {
  if (flags.undo) return undo(session, store, flags);
  let options: RepairOptions;
  try {
    options = optionsOf(session, flags);
  } catch (error) {
    session.exitCode = exitBits.usage;
    session.tell((error as Error).message);
    return;
  }
  const { repair } = await import("../../fsck/repair.ts");
  if (flags.json) session.output.insist();
  const bar = progressBar(session, flags);
  const report = await repair(store, { ...options, onProgress: bar });
  bar();
  session.exitCode = report.exitCode;
  if (flags.json) await session.output.json(report);
  else if (!session.options.quiet) {
    for (const line of repairLines(report)) await session.output.line(line);
  }
  if (report.failure) await tellFailure(session, store, report.failure);
}

async function undo(session: Session, store: string, flags: RepairFlags): Promise<void> {
  const [{ failureOf }, { undoRepair }, { storeAccess }] = await Promise.all([
    import("../../fsck/check.ts"),
    import("../../fsck/repair.ts"),
    import("../../fsck/store-access.ts"),
  ]);
  if (flags.to !== undefined || flags.inPlace) {
    session.exitCode = exitBits.usage;
    session.tell("EINVAL: allowed is one of --to NEWDIR, --in-place and --undo");
    return;
  }
  try {
    await undoRepair(storeAccess(store, session.dataDevice));
  } catch (error) {
    const failure = failureOf(error);
    if (flags.json) await session.output.json({ path: store, failure });
    throw error;
  }
  await session.report(flags.json, { undone: store }, () => [`${store} is as before its repair`]);
}

/** As many as findings of a kind. */
const SHOWN_LOSSES = 1000;

/** The report as people read it. */
export function repairLines(report: RepairReport): string[] {
  const lines = reportLines(report.before);
  for (const loss of report.losses.slice(0, SHOWN_LOSSES)) lines.push(lossLine(loss));
  const more = report.losses.length - SHOWN_LOSSES;
  if (more > 0) lines.push(`and ${more} more losses; --json has them all`);
  const { corrected, uncorrected, target, after } = report;
  if (target !== undefined && after) {
    const { length: left } = after.findings;
    const isChecked = after.failure === undefined;
    const sound = !isChecked ? "not checked" : left === 0 ? "sound" : `left with ${left} findings`;
    const bad = report.losses.filter(({ kind }) => kind === "unreadable").length;
    const but = bad === 0 ? "" : `, but ${bad} of its blocks cannot be read`;
    lines.push(`${corrected} findings corrected, ${uncorrected} left; ${target} is ${sound}${but}`);
  } else if (report.before.findings.length > 0) {
    lines.push(`nothing was written: ${uncorrected} findings are left`);
  } else if (corrected === 0 && report.failure === undefined) {
    lines.push("nothing was written: there is nothing to repair");
  }
  return lines;
}

function lossLine(loss: Loss): string {
  const { kind, offset, length, note } = loss;
  const owners = ownersIn(loss);
  const where = owners === "" ? "" : ` ${owners}`;
  const range =
    offset === undefined || length === undefined ? "" : ` at ${offset}, ${formatSize(length)}`;
  return `${kind}:${where}${range}${where + range === "" ? " " : ": "}${note}`;
}
