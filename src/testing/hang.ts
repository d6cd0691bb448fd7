/**
 * Runs that do not end. Nothing on a simulated disk takes time, so one that has not ended after a
 * while never will; unless it is looked at with a debugger. It is left behind: what it asks of its
 * disk from then on is never done, or fails where it cannot wait, so that it does not go round for
 * ever beside the runs that follow.
 */
import { url as debuggerUrl } from "node:inspector";
import type { SimulatedDisk } from "./disk.ts";

const HANG_MS = 30_000;

export class HangError extends Error {}

/** What `work` comes to; a {@link HangError} when it does not end. */
export async function unlessHung<T>(
  what: string,
  disk: SimulatedDisk,
  work: () => Promise<T> | T,
): Promise<T> {
  if (debuggerUrl() !== undefined) return work();
  let timer: NodeJS.Timeout | undefined;
  const hang = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new HangError(`the ${what} did not end within ${HANG_MS / 1000} s`);
      disk.onOperation = () => {
        throw error;
      };
      disk.settle = () => new Promise(() => {});
      reject(error);
    }, HANG_MS);
  });
  try {
    return await Promise.race([work(), hang]);
  } finally {
    clearTimeout(timer);
  }
}
