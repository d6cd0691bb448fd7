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
import type { CrashCheck } from "./crash-check.ts";
import type { SystemCallTrace } from "./system-call-trace.ts";

/** Throws where the program has failed: what it did is no workload then. */
export function workloadOf(traced: SystemCallTrace): Pick<CrashCheck, "start" | "workload"> {
  const { disk, exitCode, endedBy, errors } = traced;
  if (exitCode !== 0) {
    throw new Error(`the traced program ended with ${endedBy ?? exitCode}: ${errors.trim()}`);
  }
  return {
    start: disk.start,
    workload(fresh) {
      for (const entry of disk.trace) fresh.trace.push(entry);
    },
  };
}
