/**
 * How far a check is, as one line on a terminal for people who wait. Nothing is written where
 * nobody looks: into a file, a pipe, or the log of a CI run.
 */
import type { CheckProgress } from "./check.ts";

/** To be handed to a check as its `onProgress`. */
export interface TerminalProgress {
  (progress: CheckProgress): void;
  /** Takes the line away; to be called when the check has ended, also when it threw. */
  stop(): void;
}

/** What is needed of `process.stderr`. */
export type ProgressStream = Pick<NodeJS.WriteStream, "isTTY" | "columns" | "write">;

/** Time from one line to the next: often enough for people. */
const INTERVAL_MS = 250;
const CLEAR_LINE = "\r\x1b[K";

/**
 *     const onProgress = terminalProgress("my store");
 *     const report = await checkCrashConsistency(check, { onProgress });
 *     onProgress.stop();
 */
export function terminalProgress(
  name = "crash consistency",
  stream: ProgressStream = process.stderr,
): TerminalProgress {
  let began = performance.now();
  let shownAt = -Infinity;
  let last = 0;
  const show = (progress: CheckProgress): void => {
    const now = performance.now();
    // Another check, counting from the start.
    if (progress.states < last) began = now;
    last = progress.states;
    if (!stream.isTTY || now - shownAt < INTERVAL_MS) return;
    shownAt = now;
    // One that is longer than the terminal is wide could not be taken away again.
    const line = lineOf(name, progress, now - began).slice(0, (stream.columns || 80) - 1);
    stream.write(CLEAR_LINE + line);
  };
  const stop = (): void => {
    if (shownAt > -Infinity) stream.write(CLEAR_LINE);
    shownAt = -Infinity;
  };
  return Object.assign(show, { stop });
}

function lineOf(name: string, progress: CheckProgress, milliseconds: number): string {
  const { states, distinct, violations } = progress;
  const rate = milliseconds > 0 ? Math.round((states * 1000) / milliseconds) : 0;
  const counts = `${states} states, ${distinct} distinct, ${violations} violations`;
  return `${name}: ${counts}, ${rate} states/s`;
}
