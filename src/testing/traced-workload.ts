/**
 * A traced program as the workload of a check, so that its crash states are tried, judged, told and
 * replayed like those of a program on a simulated disk:
 *
 *     const traced = await traceSystemCalls({ command: "node", args: ["writer.js"], directory });
 *     const report = await checkCrashConsistency({
 *       ...workloadOf(traced),
 *       async recover(disk) {
 *         await writeImage(disk.image(), emptyFolder);
 *         return readWithTheRealProgram(emptyFolder);
 *       },
 *       oracle,
 *     });
 *
 * A vector names a crash of this one trace; `fingerprintOfTrace` tells whether another run of the
 * program has left the same. There are no faults to be tried, for the program does not run again.
 */
import { BlockspaceError } from "../base/errors.ts";
import { wordsOf } from "./call-arguments.ts";
import type { CrashCheck } from "./crash-check.ts";
import { isChange } from "./operation.ts";
import type { SystemCall } from "./strace-log.ts";
import type { SystemCallTrace } from "./system-call-trace.ts";

/** Of the files that it wrote to elsewhere so many are named. */
const MOST_NAMES = 3;

/**
 * Throws where the program has failed, and with `EINVAL` where it has changed nothing in the
 * directory: what it did is no workload then.
 */
export function workloadOf(traced: SystemCallTrace): Pick<CrashCheck, "start" | "workload"> {
  const { disk, exitCode, endedBy, errors } = traced;
  if (exitCode !== 0) {
    throw new Error(`the traced program ended with ${endedBy ?? exitCode}: ${errors.trim()}`);
  }
  if (!disk.trace.some(isChange)) throw nothingChanged(traced);
  return {
    start: disk.start,
    workload(fresh) {
      for (const entry of disk.trace) fresh.trace.push(entry);
    },
  };
}

/** A check of it would find nothing, whatever the program does. */
function nothingChanged({ calls, directory, unseen }: SystemCallTrace): BlockspaceError {
  const others = new Set(calls.filter(isForWriting).map(({ resultPath }) => resultPath!));
  const names = [...others].filter((path) => !path.startsWith(`${directory}/`));
  let why = "was everything there before, or did a process write that it has not started?";
  if (unseen.length > 0) why = "all that it did to files there may be unseen";
  else if (names.length > 0) why = `it wrote to ${names.slice(0, MOST_NAMES).join(", ")}`;
  const what = `the traced program changed nothing in ${directory}, so no crash is a test`;
  return new BlockspaceError("EINVAL", `${what}: ${why}`, { path: directory });
}

/** Opens a file that is none of the system's own. */
function isForWriting(call: SystemCall): boolean {
  const { resultPath } = call;
  if (resultPath === undefined || /^\/(?:proc|sys|dev(?!\/shm))\//.test(resultPath)) return false;
  return wordsOf(call).some((word) => /O_(?:WRONLY|RDWR)/.test(word));
}
