/**
 * Works on the store in `store` of its working directory: the operations of a seed from one number to
 * another, most of them without waiting for the one before. Prints how many operations are durable
 * whenever it has been told so.
 *
 *     node store-program.js SEED FIRST LAST [die]
 *
 * With `die` it kills itself at the end, with the last operations unflushed; else it closes.
 */
import { writeSync } from "node:fs";
import { Host } from "blockspace";
import { BLOCK, bytesOf, operationsOf, options } from "./store-workload.js";

const [seed, first, last] = process.argv.slice(2).map(Number);
const operations = operationsOf(seed, last);
const host = await Host.open("store", options);
const say = (durable) => writeSync(1, `${durable}\n`);
say(first);

let underWay = [];
for (const [index, operation] of operations.entries()) {
  if (index < first) continue;
  const { name, offset, length } = operation;
  switch (operation.do) {
    case "write":
      underWay.push(host.get(name).write(offset, bytesOf(operation.fill, length)));
      break;
    case "zero":
      if (offset % 2) underWay.push(host.get(name).discard(offset, length));
      else underWay.push(host.get(name).writeZeroes(offset, length));
      break;
    case "preallocate":
      underWay.push(host.get(name).preallocate(offset, length));
      break;
    case "resize":
      underWay.push(host.get(name).resize(operation.size));
      break;
    case "rollback":
      underWay.push(host.rollback(name, operation.to));
      break;
    case "create":
      await host.create(name, { size: operation.size });
      break;
    case "snapshot":
    case "clone":
      await host[operation.do](name, operation.to);
      break;
    case "rename":
      await host.rename(name, operation.to);
      break;
    case "delete":
      await host.delete(name);
      break;
    case "stage":
      await stage(operation);
      break;
    case "transact":
      await transact(operation.steps);
      say(index + 1);
      break;
    case "compact":
      underWay.push(host.compact());
      break;
    case "checkpoint":
      underWay.push(host.checkpoint());
      break;
    case "flush":
      await host.flush();
      say(index + 1);
  }
  if (index % 5 === 0) underWay = await Promise.all(underWay).then(() => []);
}
await Promise.all(underWay);
if (process.argv[5] === "die") process.kill(process.pid, "SIGKILL");
await host.close();
say(last);

/** The two-phase way: reserved, allocated, submitted, committed. */
async function stage({ name, offset, length, fill }) {
  const volume = host.get(name);
  const cookie = await volume.reserve(1, BLOCK);
  const iomap = await volume.allocate(cookie, offset, length);
  await volume.submit(iomap, bytesOf(fill, length));
  await volume.commit(cookie, offset, length, iomap.type === "unwritten" ? "unwritten" : "cow");
  cookie.put();
}

async function transact(steps) {
  await host.transact((tx) => {
    for (const step of steps) {
      const volume = host.get(step.name);
      if (step.do === "zero") tx.discard(volume, step.offset, step.length);
      else tx.write(volume, step.offset, bytesOf(step.fill, step.length));
    }
  });
}
