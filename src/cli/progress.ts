/** A progress bar on stderr, for people who wait: only on a terminal, and gone when it is done. */
import { formatSize } from "../base/units.ts";
import type { Session } from "./session.ts";

export interface Progress {
  /** How many bytes have been dealt with so far. */
  update(bytes: number): void;
}

/** Shows how far `work` is, out of `total` bytes, or just how much where that is not known. */
export async function withProgress<T>(
  session: Session,
  what: string,
  total: number | undefined,
  work: (progress: Progress) => Promise<T>,
  stream: NodeJS.WriteStream = process.stderr,
): Promise<T> {
  if (!stream.isTTY || session.options.quiet) return work({ update: () => undefined });
  const { default: cliProgress } = await import("cli-progress");
  const format = total === undefined ? "{what}  {done}" : "{what} [{bar}] {percentage}%  {done}";
  const bar = new cliProgress.SingleBar({
    format,
    stream,
    clearOnComplete: true,
    hideCursor: true,
    gracefulExit: false,
  });
  const of = total === undefined ? "" : ` of ${formatSize(total)}`;
  bar.start(total ?? 1, 0, { what, done: "" });
  try {
    return await work({
      update: (bytes) => bar.update(bytes, { done: `${formatSize(bytes)}${of}` }),
    });
  } finally {
    bar.stop();
  }
}
