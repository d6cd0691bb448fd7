/**
 * The process that the demo kills. It writes stamps to the clones, eight at a time, and prints each
 * before it is submitted; and it flushes all the time, and prints how many of them are durable.
 *
 * Arguments: the store, the number of clones to write to, the first version to write.
 */
import { writeSync } from "node:fs";
import { argv } from "node:process";
import { setImmediate } from "node:timers/promises";
import { Host } from "blockspace";
import { cloneName, offsetOf, placesIn, stamp } from "./stamps.ts";

const LANES = 8;

const host = await Host.open(argv[2]!);
const disks = Array.from({ length: Number(argv[3]) }, (_, clone) => host.get(cloneName(clone + 1)));
const places = placesIn(disks[0]!.size);
let version = Number(argv[4]) - 1;

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Prints a line before anything else happens; waits here when the pipe is full. */
function print(line: string): void {
  let rest = Buffer.from(`${line}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Atomics.wait(sleeper, 0, 0, 1);
    }
  }
}

function randomBelow(limit: number): number {
  return Math.floor(Math.random() * limit);
}

async function write(): Promise<void> {
  for (;;) {
    const clone = 1 + randomBelow(disks.length);
    const place = randomBelow(places);
    version++;
    print(`write ${version} ${clone} ${place}`);
    await disks[clone - 1]!.write(offsetOf(place), stamp(clone, place, version));
    // A write resolves before any I/O of it is done; the flush needs its turn, too.
    await setImmediate();
  }
}

async function flush(): Promise<void> {
  for (;;) {
    const submitted = version;
    await host.flush();
    print(`durable ${submitted}`);
    await setImmediate();
  }
}

await Promise.all([...Array.from({ length: LANES }, write), flush()]);
