/**
 * A process that reads one LMDB environment from end to end and writes what it finds to standard
 * output; see `lmdb-dump.ts`, which starts it. It is a process of its own because a damaged file
 * takes lmdb down, and whoever it runs in. Plain JavaScript, so that any Node runs it.
 *
 * First 8 zero bytes: the process runs, and what goes wrong from here on is the file's fault. Then
 * for each value: the length of the key and of the value (u32 little-endian), the key, the value.
 * At the end: two times 0xffffffff. A failure that can be told ends it with code 1 and a line on
 * standard error.
 */
import { writeSync } from "node:fs";
import { open } from "lmdb";

const GATHER_BYTES = 64 * 1024;
const END = Buffer.alloc(8, 0xff);
const pause = new Int32Array(new SharedArrayBuffer(4));

/** @type {Uint8Array[]} */
let waiting = [];
let waitingBytes = 0;

/** Writes all that waits, however often the pipe is full. */
function flush() {
  const bytes = Buffer.concat(waiting);
  waiting = [];
  waitingBytes = 0;
  for (let done = 0; done < bytes.length;) {
    try {
      done += writeSync(1, bytes, done);
    } catch (error) {
      if (error.code !== "EAGAIN") throw error;
      Atomics.wait(pause, 0, 0, 1);
    }
  }
}

/** @param {Uint8Array} piece */
function put(piece) {
  waiting.push(piece);
  waitingBytes += piece.length;
  if (waitingBytes >= GATHER_BYTES) flush();
}

put(Buffer.alloc(8));
flush();
try {
  const db = open(JSON.parse(process.argv[2]));
  for (const { key, value } of db.getRange({})) {
    const lengths = Buffer.alloc(8);
    lengths.writeUInt32LE(key.length, 0);
    lengths.writeUInt32LE(value.length, 4);
    put(lengths);
    put(Uint8Array.from(key));
    put(Uint8Array.from(value));
  }
  put(END);
  flush();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
