/**
 * Keeps a process from ending in the middle of an LMDB transaction on another thread.
 *
 * A process that calls `process.exit`, or dies of an exception, has Node stop its worker threads
 * wherever their JavaScript is. Within a transaction of lmdb that is fatal: taking the environment
 * down, lmdb waits for the transaction's lock, which nobody is left to release. The process would
 * never end, and keep the lock of the store. So it ends when the transaction has.
 *
 * (A worker thread of the embedding program that opens a store and is then terminated runs no such
 * handler.)
 */

/** What a thread holds while it commits: 1, and 0 when it is done. */
export type CommitFlag = Int32Array<SharedArrayBuffer>;

/** A disk that does not answer for so long is given up. */
const MOST_MS = 60_000;

const held = new Set<CommitFlag>();

export function newCommitFlag(): CommitFlag {
  return new Int32Array(new SharedArrayBuffer(4));
}

/** The thread is about to be told to commit. */
export function raise(flag: CommitFlag): void {
  Atomics.store(flag, 0, 1);
  if (held.size === 0) process.on("exit", waitForAll);
  held.add(flag);
}

/** It has answered, or is no more. */
export function lower(flag: CommitFlag): void {
  held.delete(flag);
  if (held.size === 0) process.off("exit", waitForAll);
}

function waitForAll(): void {
  for (const flag of held) Atomics.wait(flag, 0, 1, MOST_MS);
}
