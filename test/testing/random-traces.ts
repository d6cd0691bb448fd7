/** Small random traces, made by random calls of a simulated disk, some of them not waited for. */
import fc from "fast-check";
import { type Done, SimulatedDisk } from "../../src/testing/disk.ts";
import type { Recording } from "../../src/testing/crash-states.ts";
import { imageOf } from "./hand-made.ts";

interface Call {
  kind: number;
  path: string;
  other: string;
  offset: number;
  length: number;
  /** How many calls later it is done; 0 is at once. */
  wait: number;
  fails: boolean;
}

const path = fc.constantFrom("/a", "/b", "/f/a", "/f/c", "/g/a");

const call: fc.Arbitrary<Call> = fc.record({
  kind: fc.nat({ max: 15 }),
  path,
  other: path,
  offset: fc.nat({ max: 5 }),
  length: fc.integer({ min: 1, max: 4 }),
  wait: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.constantFrom(1, 2, 3, Infinity)),
  fails: fc.boolean(),
});

export const recordings: fc.Arbitrary<Recording> = fc
  .array(call, { minLength: 1, maxLength: 9 })
  .map(record);

function record(calls: readonly Call[]): Recording {
  const start = imageOf({ a: "123", b: "xy" }, ["f", "g"]);
  const disk = new SimulatedDisk({ image: start, record: true });
  const waiting: { until: number; done: Done }[] = [];
  calls.forEach((each, i) => {
    const done = issue(disk, each, i);
    if (done?.entry && each.wait > 0) {
      done.entry.doneAt = Infinity;
      waiting.push({ until: i + each.wait, done });
    }
    for (const { until, done: late } of waiting) {
      if (until === i) late.entry!.doneAt = disk.trace.length;
    }
  });
  return { start, trace: disk.trace };
}

/** Nothing when the call was refused. */
function issue(disk: SimulatedDisk, given: Call, i: number): Done | undefined {
  const { kind, path: name, other, offset, length, fails } = given;
  const isBarrier = kind >= 9 && kind <= 12;
  const fault = { type: "fail", code: "EIO" } as const;
  disk.onOperation = isBarrier && fails && i % 2 === 0 ? () => fault : undefined;
  try {
    const file = kind <= 4 || kind === 9 || kind === 10 ? disk.file(name) : { node: 0, path: "/" };
    if (kind <= 2) return disk.write(file, Buffer.alloc(length, String(i)), offset);
    if (kind === 3) return disk.resize(file, offset);
    if (kind === 4) return disk.discard(file, offset, length);
    if (kind === 5) return disk.createFile(name, fails ? length : 0).done;
    if (kind === 6 || kind === 7) return disk.rename(name, other);
    if (kind === 8) return fails ? disk.link(name, other) : disk.remove(name, "file");
    if (kind === 9 || kind === 10) return disk.flush(file);
    if (kind === 11) return disk.syncFolder("/");
    if (kind === 12) return disk.syncFolder(fails ? "/g" : "/f");
    if (kind === 13) return disk.createFolder(`${name}-folder`);
    if (kind === 14) return disk.setCell("cell", i, 7);
    disk.mark(i);
    return undefined;
  } catch {
    return undefined;
  }
}
