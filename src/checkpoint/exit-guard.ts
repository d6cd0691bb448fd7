/**
 * Keeps a process from ending in the middle of an LMDB transaction on another thread.
 *
 * A process that calls `process.exit`, or dies of an exception, has Node stop its worker threads
 * wherever their JavaScript is. Within a transaction of lmdb that is fatal: taking the environment
 * down, lmdb waits for the transaction's lock, which nobody is left to release. The process would
 * never end, and keep the lock of the store. So it ends when the transaction has: one that still
 * waits for changes is given up, one that is becoming durable is waited for.
 *
 * (A worker thread of the embedding program that opens a store and is then terminated runs no such
 * handler.)
 */

/** What a thread holds while it commits: 1, and 0 when it is done. */
export type CommitFlag = Int32Array<SharedArrayBuffer>;

/** A disk that does not answer for so long is given up. */
const MOST_MS = 60_000;
/**
 * After its flag is down the thread still sends its answer. Stopped in the middle of that, one
 * process in some twenty died by SIGABRT instead of ending as it wanted.
 */
const LAST_WORDS_MS = 25;

/** By the flag that is raised: gives its commit up. */
const held = new Map<CommitFlag, () => void>();

export function newCommitFlag(): CommitFlag {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** The thread is about to begin; `giveUp` is called when the process ends before it is done. */
export function raise(flag: CommitFlag, giveUp: () => void): void {
  Atomics.store(flag, 0, 1);
  if (held.size === 0) process.on("exit", waitForAll);
  held.set(flag, giveUp);
}

/** It has answered, or is no more. */
export function lower(flag: CommitFlag): void {
  held.delete(flag);
  if (held.size === 0) process.off("exit", waitForAll);
}

function waitForAll(): void {
  for (const giveUp of held.values()) giveUp();
  for (const flag of held.keys()) Atomics.wait(flag, 0, 1, MOST_MS);
  Atomics.wait(newCommitFlag(), 0, 0, LAST_WORDS_MS);
}
