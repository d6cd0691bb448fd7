/**
 * Works on the store in `store` of its working directory, on a disk that gets full: at the
 * operation of a number a file takes all the space but so many bytes, then the operations go on
 * until one fails. Every operation waits for the one before it.
 *
 *     node full-disk-program.js SEED FULL-AT BYTES-LEFT LAST
 *
 * It prints `attempted N` before an operation, `durable N` when N of them are, `failed CODE` once.
 * FULL-AT -1 fills the disk before the store is opened, LAST before it is closed.
 */
import { closeSync, openSync, ftruncateSync, writeSync } from "node:fs";
import { Host } from "blockspace";
import { isDurable, perform } from "./store-operations.js";
import { operationsOf, options } from "./store-workload.js";

const [seed, fullAt, bytesLeft, last] = process.argv.slice(2).map(Number);
const say = (line) => writeSync(1, `${line}\n`);

/** Nothing that this program does may fail in another way. */
async function orSay(call) {
  try {
    await call();
    return true;
  } catch (error) {
    if (error?.name !== "BlockspaceError" || !["EIO", "ENOSPC", "EROFS"].includes(error.code)) {
      throw error;
    }
    say(`failed ${error.code}`);
    return false;
  }
}

function fill() {
  const file = openSync("ballast", "w");
  const chunk = Buffer.alloc(4096, 1);
  let size = 0;
  try {
    for (;;) size += writeSync(file, chunk);
  } catch (error) {
    if (error.code !== "ENOSPC") throw error;
  }
  ftruncateSync(file, Math.max(0, size - bytesLeft));
  closeSync(file);
}

if (fullAt < 0) fill();
let host;
const isOpen = await orSay(async () => (host = await Host.open("store", options)));
if (isOpen) {
  let isWell = true;
  const attempt = (operation) => orSay(() => perform(host, operation));
  for (const [index, operation] of operationsOf(seed, last).entries()) {
    if (index === fullAt) fill();
    say(`attempted ${index + 1}`);
    isWell = await attempt(operation);
    if (isWell && isDurable(operation)) say(`durable ${index + 1}`);
    if (!isWell) break;
  }
  if (fullAt === last) fill();
  const isFlushed = await orSay(() => host.flush());
  if (isWell && isFlushed) say(`durable ${last}`);
  await orSay(() => host.close());
}
