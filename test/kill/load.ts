/**
 * A process that works on a store until it is killed. It waits for its order on standard input,
 * opens the store, and submits a mixed load without waiting for most of it, so that a kill finds
 * many operations at every stage of their way.
 *
 * Every operation is written to standard output before it is submitted, in the order of submission;
 * an acknowledgement after a flush has resolved, with the last operation submitted before that
 * flush was called. Nothing the load does may fail: an error ends the process.
 */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { setImmediate } from "node:timers/promises";
import { Host } from "../../src/index.ts";
import { formatLine, type Line, type Order, seededNumbers } from "./operations.ts";
import { Volumes } from "./volumes.ts";

/** Operations under way at once at most. */
const MOST_UNDER_WAY = 40;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Writes a line, and waits here and now when the pipe is full. */
function say(line: Line): void {
  let rest = Buffer.from(`${formatLine(line)}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(sleeper, 0, 0, 1);
    }
  }
}

async function receiveOrder(): Promise<Order> {
  say({ type: "note", text: "ready" });
  for await (const line of createInterface({ input: process.stdin })) {
    return JSON.parse(line) as Order;
  }
  throw new Error("there was no order");
}

const order = await receiveOrder();
say({ type: "note", text: "opening" });
const host = await Host.open(order.store, order.options);
say({ type: "note", text: "open" });

const random = seededNumbers(order.seed);
let last = order.first - 1;
const underWay = new Set<Promise<void>>();

/** Lets a change run on; any failure is the end. */
function letRun(change: Promise<void>): void {
  const running: Promise<void> = change.then(
    () => void underWay.delete(running),
    (error: unknown) => {
      console.error(`after operation ${last}:`, error);
      process.exit(1);
    },
  );
  underWay.add(running);
}

async function acknowledge(): Promise<void> {
  const number = last;
  await host.flush();
  say({ type: "acknowledged", number });
}

async function checkpoint(): Promise<void> {
  say({ type: "note", text: "checkpoint" });
  await host.checkpoint();
}

async function compact(): Promise<void> {
  say({ type: "note", text: "compact" });
  await host.compact();
}

const volumes = new Volumes(host, random, (operation, change) => {
  const number = ++last;
  say({ type: "operation", number, operation });
  letRun(change(() => say({ type: "acknowledged", number })));
});

for (;;) {
  const dice = random(100);
  if (dice < 10) letRun(acknowledge());
  else if (dice === 10) letRun(checkpoint());
  else if (dice === 11 && random(4) === 0) letRun(compact());
  else await volumes.change();
  if (underWay.size >= MOST_UNDER_WAY || random(12) === 0) await Promise.all(underWay);
  else if (random(4) === 0) await setImmediate();
}
