/**
 * The thread that commits to one LMDB environment, so that the event loop of the host never waits
 * for `fdatasync`. Plain JavaScript that imports nothing of ours, because a worker thread of Node
 * 20 cannot run TypeScript.
 *
 * It answers every message in order: a chunk (see `change-chunks.ts`) is kept; a commit writes all
 * chunks kept, and the closing record, in **one** `transactionSync`. Only the return of that call
 * is believed: it comes after the `fdatasync` and the write of the meta page. Inside it stand only
 * the synchronous `putSync`, `removeSync` and `clearSync`, in braces, so that no promise is
 * returned (with one, `transactionSync` returns before the data is durable).
 */
import { parentPort, workerData } from "node:worker_threads";
import { open } from "lmdb";

const KEY_BYTES = 8;
const HEAD_BYTES = KEY_BYTES + 4;

const db = open(workerData.options);

/** Held at 1 by the main thread while a commit is to be waited for; see `exit-guard.ts`. */
const flag = workerData.flag;

/** @type {Uint8Array[]} */
let chunks = [];

/**
 * Makes the changes of one chunk, within the transaction.
 * @param {Uint8Array} chunk
 */
function apply(chunk) {
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
 * @param {boolean} reset empties the table first
 * @param {{ key: Uint8Array, value: Uint8Array }} closing
 */
function commit(reset, closing) {
  db.transactionSync(() => {
    if (reset) db.clearSync();
    for (const chunk of chunks) apply(chunk);
    db.putSync(closing.key, closing.value);
  });
  chunks = [];
}

parentPort.on("message", (message) => {
  try {
    if (message.chunk) chunks.push(message.chunk);
    else commit(message.reset, message.closing);
    parentPort.postMessage({ done: true });
  } catch (error) {
    parentPort.postMessage({ done: false, error });
  } finally {
    if (message.closing) {
      Atomics.store(flag, 0, 0);
      Atomics.notify(flag, 0);
    }
  }
});
