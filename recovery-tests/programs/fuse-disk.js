/**
 * A disk that keeps a log: a file `disk` in a FUSE mount, for a loop device, and a file `marks`
 * beside it. Each write and flush that arrives is appended to LOG before it is answered, and so is
 * what somebody writes into `marks`: it says how far the log was at that moment. Answers one
 * request after the other, so that a flush covers exactly the writes before it in the log.
 *
 *     node fuse-disk.js DIRECTORY IMAGE LOG
 *
 * IMAGE is what the disk holds; it is changed. Ends when DIRECTORY is unmounted.
 */
import { spawn } from "node:child_process";
import { fstatSync, openSync, readSync, writeSync, writevSync } from "node:fs";

const [directory, imagePath, logPath] = process.argv.slice(2);
const fuse = openSync("/dev/fuse", "r+");
const image = openSync(imagePath, "r+");
const log = openSync(logPath, "w");
const { size } = fstatSync(image);

const LARGEST_WRITE = 2 ** 20;
const request = Buffer.alloc(LARGEST_WRITE + 4096);
const [ENOENT, ENOSYS] = [2, 38];
const PUNCH_HOLE = 2;
const ZERO_RANGE = 16;
const nodes = { directory: 1n, disk: 2n, marks: 3n };
/** The kinds of entries of the log; `disk-log.ts` reads them. */
const kinds = { write: 1, zeroes: 2, flush: 3, mark: 4 };

function append(kind, offset, length, data = Buffer.alloc(0)) {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(kind, 0);
  header.writeUInt32LE(data.length, 4);
  header.writeBigUInt64LE(BigInt(offset), 8);
  header.writeBigUInt64LE(BigInt(length), 16);
  writevSync(log, [header, data]);
}

/** `struct fuse_attr` */
function attributesOf(node) {
  const out = Buffer.alloc(88);
  out.writeBigUInt64LE(node, 0);
  out.writeBigUInt64LE(node === nodes.disk ? BigInt(size) : 0n, 8);
  out.writeUInt32LE(node === nodes.directory ? 0o40755 : 0o100600, 60);
  out.writeUInt32LE(1, 64);
  out.writeUInt32LE(4096, 80);
  return out;
}

/** The answers, by the numbers of `<linux/fuse.h>`; a number is an error. */
const answers = {
  // LOOKUP
  1: (_node, body) => {
    const node = nodes[body.toString("latin1").replace(/\0.*/s, "")];
    if (node === undefined) return ENOENT;
    const out = Buffer.alloc(40);
    out.writeBigUInt64LE(node, 0);
    return Buffer.concat([out, attributesOf(node)]);
  },
  // GETATTR, SETATTR
  3: (node) => Buffer.concat([Buffer.alloc(16), attributesOf(node)]),
  4: (node) => Buffer.concat([Buffer.alloc(16), attributesOf(node)]),
  // OPEN: past the cache of the system
  14: () => Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
  // READ
  15: (node, body) => {
    if (node !== nodes.disk) return Buffer.alloc(0);
    const out = Buffer.alloc(body.readUInt32LE(16));
    return out.subarray(0, readSync(image, out, 0, out.length, Number(body.readBigUInt64LE(8))));
  },
  // WRITE
  16: (node, body) => {
    const offset = Number(body.readBigUInt64LE(8));
    const data = body.subarray(40, 40 + body.readUInt32LE(16));
    append(node === nodes.disk ? kinds.write : kinds.mark, offset, data.length, data);
    if (node === nodes.disk) writeSync(image, data, 0, data.length, offset);
    const out = Buffer.alloc(8);
    out.writeUInt32LE(data.length, 0);
    return out;
  },
  // STATFS, RELEASE, FLUSH (of a descriptor that is closed), RELEASEDIR, DESTROY
  17: () => Buffer.alloc(80),
  18: () => Buffer.alloc(0),
  25: () => Buffer.alloc(0),
  29: () => Buffer.alloc(0),
  38: () => Buffer.alloc(0),
  // FSYNC
  20: (node) => {
    if (node === nodes.disk) append(kinds.flush, 0, 0);
    return Buffer.alloc(0);
  },
  // INIT: version 7.31, with writes as large as they get
  26: (_node, body) => {
    const out = Buffer.alloc(64);
    out.writeUInt32LE(7, 0);
    out.writeUInt32LE(Math.min(31, body.readUInt32LE(4)), 4);
    out.writeUInt32LE(body.readUInt32LE(8), 8);
    const [ASYNC_READ, BIG_WRITES, MAX_PAGES] = [1, 32, 2 ** 22];
    out.writeUInt32LE(ASYNC_READ + BIG_WRITES + MAX_PAGES, 12);
    out.writeUInt32LE(LARGEST_WRITE, 20);
    out.writeUInt32LE(1, 24);
    out.writeUInt16LE(LARGEST_WRITE / 4096, 28);
    return out;
  },
  // FALLOCATE: what a discard becomes
  43: (_node, body) => {
    const [offset, length] = [Number(body.readBigUInt64LE(8)), Number(body.readBigUInt64LE(16))];
    if ((body.readUInt32LE(24) & (PUNCH_HOLE | ZERO_RANGE)) === 0) return ENOSYS;
    append(kinds.zeroes, offset, length);
    const zeroes = Buffer.alloc(LARGEST_WRITE);
    for (let done = 0; done < length; done += zeroes.length) {
      writeSync(image, zeroes, 0, Math.min(zeroes.length, length - done), offset + done);
    }
    return Buffer.alloc(0);
  },
};
/** FORGET, INTERRUPT, BATCH_FORGET: nobody waits for an answer. */
const unanswered = [2, 36, 42];

/** The next request; undefined when the directory was unmounted. */
function nextRequest() {
  for (;;) {
    try {
      return request.subarray(0, readSync(fuse, request));
    } catch (error) {
      if (error.code === "ENODEV") return undefined;
      // Not mounted yet.
      if (error.code === "EPERM") Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      else if (error.code !== "ENOENT" && error.code !== "EINTR") throw error;
    }
  }
}

const how = "fd=3,rootmode=40000,user_id=0,group_id=0";
spawn("mount", ["-i", "-t", "fuse", "-o", how, "fuse-disk", directory], {
  stdio: ["ignore", "ignore", "inherit", fuse],
});
for (let next = nextRequest(); next; next = nextRequest()) {
  const opcode = next.readUInt32LE(4);
  if (unanswered.includes(opcode)) continue;
  const answer = answers[opcode]?.(next.readBigUInt64LE(16), next.subarray(40)) ?? ENOSYS;
  const isError = typeof answer === "number";
  const header = Buffer.alloc(16);
  header.writeUInt32LE(16 + (isError ? 0 : answer.length), 0);
  header.writeInt32LE(isError ? -answer : 0, 4);
  next.copy(header, 8, 8, 16);
  writevSync(fuse, isError ? [header] : [header, answer]);
}
