/**
 * The end of the process that has started this one. A client that starts its own server (libnbd's
 * way) ends it when it closes the connection, but not when it is killed itself; a server that
 * nobody can find any more must not hold its store's lock for ever.
 */
import { setTimeout } from "node:timers/promises";

const POLL_MS = 200;

/** Our parent; asked for early, since that of an orphan is somebody else. */
const parent: number = process.ppid;

/** Resolves when the parent is gone, and is looked for until `signal` aborts. */
export async function parentGone(signal: AbortSignal): Promise<void> {
  while (process.ppid === parent && !signal.aborted) {
    await setTimeout(POLL_MS, undefined, { ref: false });
  }
}
