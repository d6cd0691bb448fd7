/**
 * The thread that commits to the LMDB environments of a store, so that the event loop of the host
 * never waits for `fdatasync`. Plain JavaScript that imports nothing of ours, because a worker
 * thread of Node 20 cannot run TypeScript.
 *
 * A commit is **one** `transactionSync`, which takes the changes as they come: within it the thread
 * waits for the next message, so that no more than one chunk (see `change-chunks.ts`) is in memory
 * at a time. Every message is answered, and a chunk goes back with the answer, to be filled again.
 *
 * Only the return of `transactionSync` is believed: it comes after the `fdatasync` and the write of
 * the meta page. Inside it stand only the synchronous `putSync`, `removeSync` and `clearSync`, in
 * braces, so that no promise is returned (with one, it returns before the data is durable).
 */
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { open } from "lmdb";

const KEY_BYTES = 8;
const HEAD_BYTES = KEY_BYTES + 4;

/** By path; each stays open until the thread ends. */
const databases = new Map();
/** Changes with every message to this thread, after it was sent. */
const sent = workerData.sent;
/** Held at 1 by the main thread while a commit is to be waited for; see `exit-guard.ts`. */
const flag = workerData.flag;

function databaseOf(options) {
  let db = databases.get(options.path);
  if (!db) {
    db = open(options);
    databases.set(options.path, db);
  }
  return db;
}

/** The next message, which the event loop has no chance to deliver. */
function nextMessage() {
  for (;;) {
    const seen = Atomics.load(sent, 0);
    const next = receiveMessageOnPort(parentPort);
    if (next) return next.message;
    Atomics.wait(sent, 0, seen);
  }
}

/**
 * Makes the changes of one chunk, within the transaction.
 * @param {import("lmdb").RootDatabase} db
 * @param {Uint8Array} chunk
 */
function apply(db, chunk) {
  const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  let at = 0;
  while (at < chunk.length) {
    const key = chunk.subarray(at, at + KEY_BYTES);
    const length = view.getInt32(at + KEY_BYTES, true);
    at += HEAD_BYTES;
    if (length < 0) {
      db.removeSync(key);
    } else {
      db.putSync(key, chunk.subarray(at, at + length));
      at += length;
    }
  }
}

/**
 * Takes changes until the closing record comes, and makes them durable.
 * @param {import("lmdb").RootDatabase} db
 * @param {boolean} reset empties the table first
 */
function commit(db, reset) {
  db.transactionSync(() => {
    if (reset) db.clearSync();
    for (;;) {
      parentPort.postMessage({ done: true });
      const { chunk, closing } = nextMessage();
      if (closing) {
        db.putSync(closing.key, closing.value);
        return;
      }
      if (!chunk) throw new Error("the commit was given up");
      apply(db, chunk);
      parentPort.postMessage({ buffer: chunk.buffer }, [chunk.buffer]);
    }
  });
}

parentPort.on("message", ({ begin }) => {
  // A commit that is given up may have ended meanwhile.
  if (!begin) return;
  let answer;
  try {
    commit(databaseOf(begin.options), begin.reset);
    answer = { done: true };
  } catch (error) {
    answer = { done: false, error };
  }
  // Before the answer, which says that the thread waits for nothing any more.
  Atomics.store(flag, 0, 0);
  Atomics.notify(flag, 0);
  parentPort.postMessage(answer);
});
