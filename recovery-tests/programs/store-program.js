/**
 * Works on the store in `store` of its working directory: the operations of a seed from one number
 * to another, most of them without waiting for the one before. Prints how many operations are
 * durable whenever it has been told so.
 *
 *     node store-program.js SEED FIRST LAST [die]
 *
 * With `die` it kills itself at the end, with the last operations unflushed; else it closes.
 */
import { writeSync } from "node:fs";
import { Host } from "blockspace";
import { isDurable, mayOverlap, perform } from "./store-operations.js";
import { operationsOf, options } from "./store-workload.js";

const [seed, first, last] = process.argv.slice(2).map(Number);
const operations = operationsOf(seed, last);
const host = await Host.open("store", options);
const say = (durable) => writeSync(1, `${durable}\n`);
say(first);

let underWay = [];
for (const [index, operation] of operations.entries()) {
  if (index < first) continue;
  const done = perform(host, operation);
  if (mayOverlap(operation)) underWay.push(done);
  else await done;
  if (isDurable(operation)) say(index + 1);
  if (index % 5 === 0) underWay = await Promise.all(underWay).then(() => []);
}
await Promise.all(underWay);
if (process.argv[5] === "die") process.kill(process.pid, "SIGKILL");
await host.close();
say(last);
