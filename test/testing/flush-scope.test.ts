/**
 * Flushes that do not cover all that came before their entry in the trace: one that took a while, and
 * a write that itself waits for the medium. Both are known only from traces of real programs.
 */
import { expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing.ts";
import { CrashPoint, type Unit } from "../../src/testing/crash-point.ts";

/** What may be lost at the end of the trace, as `type@entry`. */
function uncertain(disk: SimulatedDisk): string[] {
  return pointOf(disk)
    .units()
    .map(({ type, at }: Unit) => `${type}@${at}`);
}

function pointOf(disk: SimulatedDisk): CrashPoint {
  const point = new CrashPoint(disk.start);
  for (const entry of disk.trace) point.note(entry);
  return point;
}

function textAfterLosingAll(disk: SimulatedDisk): string {
  const image = pointOf(disk).image((unit) => (unit.type === "names" ? "kept" : "lost"));
  const reader = new SimulatedDisk({ image });
  const file = reader.file("f");
  const bytes = new Uint8Array(reader.sizeOf(file.node));
  reader.read(file, bytes, 0);
  return Buffer.from(bytes).toString().replaceAll("\0", ".");
}

function diskWith(text: string): { disk: SimulatedDisk; file: { node: number; path: string } } {
  const disk = new SimulatedDisk({ record: true });
  const file = disk.createFile("f");
  disk.write(file, Buffer.from(text), 0);
  disk.flush(file);
  disk.syncFolder("");
  expect(uncertain(disk)).toEqual([]);
  return { disk, file };
}

it("a flush that took a while covers nothing that was written during it", () => {
  const { disk, file } = diskWith("....");
  disk.write(file, Buffer.from("a"), 0);
  const calledAt = disk.trace.length;
  disk.write(file, Buffer.from("b"), 1);
  disk.flush(file, { calledAt });
  expect(uncertain(disk)).toEqual(["data@5"]);
  expect(textAfterLosingAll(disk)).toBe("a...");
});

it("a write that had not returned when the flush was called is not covered", () => {
  const { disk, file } = diskWith("....");
  disk.write(file, Buffer.from("a"), 0);
  disk.trace.at(-1)!.doneAt = Infinity;
  disk.flush(file, { calledAt: disk.trace.length });
  expect(uncertain(disk)).toEqual(["data@4"]);
});

it("a sync of a folder covers no name that was made during it", () => {
  const { disk } = diskWith("");
  disk.createFile("before");
  const calledAt = disk.trace.length;
  disk.createFile("during");
  disk.syncFolder("", { calledAt });
  expect(uncertain(disk)).toEqual(["names@5"]);
});

it("a flush that fails puts in doubt only what it should have covered", () => {
  const { disk, file } = diskWith("....");
  disk.write(file, Buffer.from("a"), 0);
  const calledAt = disk.trace.length;
  disk.write(file, Buffer.from("b"), 1);
  disk.onOperation = () => ({ type: "fail", code: "EIO" });
  expect(() => disk.flush(file, { calledAt })).toThrow("EIO");
  disk.onOperation = undefined;
  disk.flush(file);
  expect(uncertain(disk)).toEqual(["data@4"]);
  expect(textAfterLosingAll(disk)).toBe(".b..");
});

it("a write that waits for the medium makes only itself durable, its size too", () => {
  const { disk, file } = diskWith("..");
  disk.write(file, Buffer.from("a"), 0);
  disk.write(file, Buffer.from("b"), 3);
  disk.flush(file, { only: disk.trace.length - 1 });
  expect(uncertain(disk)).toEqual(["data@4"]);
  expect(textAfterLosingAll(disk)).toBe("...b");
});

it("a write that waited for the medium stands over an older one that is uncertain", () => {
  const { disk, file } = diskWith("....");
  disk.write(file, Buffer.from("aaaa"), 0);
  disk.write(file, Buffer.from("bb"), 1);
  disk.flush(file, { only: disk.trace.length - 1 });
  const image = pointOf(disk).image(() => "kept");
  const page = image.files.get(file.node)!.pages.get(0)!;
  expect(Buffer.from(page.subarray(0, 4)).toString()).toBe("abba");
  expect(textAfterLosingAll(disk)).toBe(".bb.");
  disk.flush(file);
  expect(uncertain(disk)).toEqual([]);
});
