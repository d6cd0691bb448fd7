/**
 * Names through the asynchronous faces of a disk: a sync of their folder covers what was done when
 * it was called, and is worth something only when it has returned. A program that forgets to wait
 * for its rename passed every check before.
 */
import { constants } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/disk.ts";
import { fileSystem, type SimulatedFileSystem } from "../../src/testing/file-system.ts";
import { fileSystemSync } from "../../src/testing/file-system-sync.ts";
import type { OnOperation } from "../../src/testing/operation.ts";
import { SimulatedDirectory } from "../../src/testing/simulated-directory.ts";
import { imageOf, type Listing, listingOf } from "./hand-made.ts";

const start = imageOf({ a: "1", b: "2" }, ["empty", "full"]);
const files = { a: "1", b: "2", "empty/": "", "full/": "" };

const durable = (disk: SimulatedDisk): Listing => listingOf(disk.crash(() => 0).image());

/** Holds up the operations of a kind. */
const late =
  (kind: string, turns = 3): OnOperation =>
  (operation) =>
    operation.kind === kind ? { type: "delay", turns } : undefined;

/** By name: a call that changes names, and what is durable once it is. */
const calls: [string, (fs: SimulatedFileSystem) => Promise<unknown>, Listing][] = [
  ["rename", (fs) => fs.rename("/a", "/c"), { b: "2", c: "1", "empty/": "", "full/": "" }],
  ["link", (fs) => fs.link("/a", "/c"), { ...files, c: "1" }],
  ["unlink", (fs) => fs.unlink("/a"), { b: "2", "empty/": "", "full/": "" }],
  ["rm", (fs) => fs.rm("/a"), { b: "2", "empty/": "", "full/": "" }],
  ["rmdir", (fs) => fs.rmdir("/empty"), { a: "1", b: "2", "full/": "" }],
  ["rm of a folder", (fs) => fs.rm("/empty", { recursive: true }), { a: "1", b: "2", "full/": "" }],
  ["mkdir", (fs) => fs.mkdir("/new"), { ...files, "new/": "" }],
  ["mkdir of many", (fs) => fs.mkdir("/new", { recursive: true }), { ...files, "new/": "" }],
  ["mkdtemp", (fs) => fs.mkdtemp("/new-"), { ...files, "new-000001/": "" }],
  ["open for writing", (fs) => fs.open("/new", "w"), { ...files, new: "" }],
  ["writeFile", (fs) => fs.writeFile("/new", ""), { ...files, new: "" }],
];

describe("what a sync of the folder covers, through the face of node:fs/promises", () => {
  let disk: SimulatedDisk;
  let fs: SimulatedFileSystem;
  beforeEach(() => {
    disk = new SimulatedDisk({ image: start, record: true });
    fs = fileSystem(disk);
  });

  it.each(calls)(
    "is not the %s that nobody has waited for, but the one that was",
    async (_, call, then) => {
      const folder = await fs.open("/", constants.O_RDONLY);
      const underWay = call(fs);
      expect(listingOf(disk.image()), "it shows at once").toEqual(then);
      const [entry] = disk.trace;
      expect(entry!.doneAt).toBe(Infinity);
      await folder.sync();
      expect(durable(disk)).toEqual(files);
      await underWay;
      expect(entry!.doneAt).toBeLessThan(Infinity);
      expect(durable(disk)).toEqual(files);
      await folder.sync();
      expect(durable(disk)).toEqual(then);
    },
  );

  it.each([
    ["rename", calls[0]!],
    ["remove", calls[2]!],
    ["create", calls[6]!],
    ["create", calls[9]!],
    ["open", calls[9]!],
  ])(
    "is not what a delay of %s holds up, whatever is done meanwhile",
    async (kind, [, call, then]) => {
      const folder = await fs.open("/", constants.O_RDONLY);
      disk.onOperation = late(kind);
      let isDone = false;
      const underWay = call(fs).then(() => (isDone = true));
      disk.onOperation = undefined;
      for (let i = 0; i < 2; i++) await folder.sync();
      expect(isDone).toBe(false);
      expect(durable(disk)).toEqual(files);
      await underWay;
      await folder.sync();
      expect(durable(disk)).toEqual(then);
    },
  );

  it("is the emptying of a file no sooner than its opening is done", async () => {
    const other = await fs.open("/a", "r+");
    const opening = fs.open("/a", "w");
    await other.sync();
    expect(durable(disk)).toEqual(files);
    await opening;
    await other.sync();
    expect(durable(disk)).toEqual({ ...files, a: "" });
  });

  it("is nothing before the sync has returned", async () => {
    await fs.rename("/a", "/c");
    const folder = await fs.open("/", constants.O_RDONLY);
    disk.onOperation = late("sync");
    const underWay = folder.sync();
    disk.mark("said too early");
    expect(durable(disk)).toEqual(files);
    await underWay;
    expect(durable(disk)).toHaveProperty("c", "1");
  });

  it("is nothing of a file before its sync has returned, also of a write with O_SYNC", async () => {
    const file = await fs.open("/a", "r+");
    await file.write("x", 0);
    disk.onOperation = late("flush");
    const flush = file.datasync();
    expect(durable(disk)).toEqual(files);
    await flush;
    expect(durable(disk)).toEqual({ ...files, a: "x" });
    const durably = await fs.open("/b", "rs+");
    const write = durably.write("y", 0);
    expect(durable(disk)).toEqual({ ...files, a: "x" });
    await write;
    expect(durable(disk)).toEqual({ ...files, a: "x", b: "y" });
  });

  it("is what was under way once the process was killed and another one syncs", async () => {
    const underWay = fs.rename("/a", "/c");
    const killed = disk.killed();
    expect(durable(killed)).toEqual(files);
    killed.syncFolder("/");
    expect(durable(killed)).toHaveProperty("c", "1");
    await underWay;
  });

  it("is all that was called without promises before", () => {
    const now = fileSystemSync(disk);
    now.renameSync("/a", "/c");
    now.mkdirSync("/d/e", { recursive: true });
    now.rmSync("/empty", { recursive: true });
    now.mkdtempSync("/t-");
    now.linkSync("/b", "/l");
    now.fsyncSync(now.openSync("/", "r"));
    const all = { b: "2", c: "1", "d/": "", "full/": "", l: "2", "t-000001/": "" };
    expect(durable(disk)).toEqual(all);
  });

  it("leaves what is under way between the steps of one call to others", async () => {
    const making = fs.mkdir("/x/y/z", { recursive: true });
    expect(listingOf(disk.image())).toEqual({ ...files, "x/": "" });
    await making;
    expect(listingOf(disk.image())).toEqual({ ...files, "x/": "", "x/y/": "", "x/y/z/": "" });
  });

  it("has nothing to do with a rename of a name to itself", async () => {
    await fs.link("/a", "/c");
    const before = disk.trace.length;
    await fs.rename("/a", "/c");
    await fs.rename("/a", "/a");
    expect(disk.trace.length).toBe(before);
    expect(listingOf(disk.image())).toEqual({ ...files, c: "1" });
  });
});

describe("what a sync covers, through the face of a directory", () => {
  let disk: SimulatedDisk;
  let directory: SimulatedDirectory;
  beforeEach(() => {
    disk = new SimulatedDisk({ image: start });
    directory = new SimulatedDirectory(disk);
  });
  const size = { size: 0, layout: "sparse" } as const;

  it.each([
    [
      "rename",
      (of: SimulatedDirectory) => of.rename("a", "c"),
      { b: "2", c: "1", "empty/": "", "full/": "" },
    ],
    ["remove", (of: SimulatedDirectory) => of.remove("a"), { b: "2", "empty/": "", "full/": "" }],
    ["create", (of: SimulatedDirectory) => of.create("c", size), { ...files, c: "" }],
    ["lock", (of: SimulatedDirectory) => of.lock("c", "exclusive"), { ...files, c: "" }],
  ] as const)("is not a %s that nobody has waited for", async (_, call, then) => {
    const underWay = call(directory);
    await directory.sync();
    expect(durable(disk)).toEqual(files);
    await underWay;
    await directory.sync();
    expect(durable(disk)).toEqual(then);
  });

  it("is nothing before the sync has returned", async () => {
    await directory.rename("a", "c");
    const syncing = directory.sync();
    expect(durable(disk)).toEqual(files);
    await syncing;
    expect(durable(disk)).toHaveProperty("c", "1");
  });

  it("is a folder that was ensured, with all above it", async () => {
    const ensuring = directory.directory("x").directory("y").ensure();
    expect(durable(disk)).toEqual(files);
    await ensuring;
    expect(durable(disk)).toEqual({ ...files, "x/": "", "x/y/": "" });
  });

  it("is a folder that was there, and whose maker was killed, when it is ensured", async () => {
    disk.createFolder("/x");
    await directory.directory("x").ensure();
    expect(durable(disk)).toEqual({ ...files, "x/": "" });
  });

  it("is the folder above one that is made, too", async () => {
    disk.createFolder("/x");
    await directory.directory("x").directory("y").ensure();
    expect(durable(disk)).toEqual({ ...files, "x/": "", "x/y/": "" });
  });
});

describe("a simulated disk", () => {
  it("keeps a trace only when asked to, with reads and refusals left out", () => {
    for (const record of [false, true]) {
      const disk = new SimulatedDisk({ image: start, record });
      disk.mark("one");
      disk.read(disk.file("/a"), new Uint8Array(1), 0);
      disk.onOperation = () => ({ type: "fail", code: "EIO" });
      expect(() => disk.rename("/a", "/c")).toThrow("EIO");
      expect(disk.trace.length).toBe(record ? 1 : 0);
    }
  });

  it("changes a size only where it changes", () => {
    const disk = new SimulatedDisk({ image: start, record: true });
    const file = disk.file("/a");
    disk.resize(file, 1);
    disk.write(file, Buffer.from("x"), 0);
    disk.write(file, Buffer.from("xy"), 0);
    disk.resize(file, 1);
    expect(disk.trace.map(({ effects }) => effects.map(({ type }) => type).join())).toEqual([
      "",
      "data",
      "size,data",
      "size",
    ]);
  });

  it("does what its faults say: lies, flips, misdirects, cuts short, and fails after the effect", () => {
    const disk = new SimulatedDisk({ image: imageOf({ a: "....." }) });
    const file = disk.file("/a");
    const text = (): string => listingOf(disk.image())["a"]!;
    const write = (): number => disk.write(file, Buffer.from("123"), 0).bytes;
    const read = (): string => {
      const target = Buffer.alloc(3, "?");
      const { bytes } = disk.read(file, target, 0);
      return target.toString() + bytes;
    };
    disk.onOperation = () => ({ type: "lie" });
    expect([write(), text()]).toEqual([3, "....."]);
    disk.onOperation = () => ({ type: "misdirect", offset: 2 });
    expect([write(), text(), read()]).toEqual([3, "..123", "1233"]);
    disk.onOperation = () => ({ type: "short", bytes: 2 });
    expect([write(), text(), read()]).toEqual([2, "12123", "12?2"]);
    disk.onOperation = () => ({ type: "flip", bit: 8 });
    expect([write(), text(), read()]).toEqual([3, "13323", "1233"]);
    disk.onOperation = () => ({ type: "fail", code: "EIO", effect: "all" });
    expect(write).toThrow("EIO");
    expect(text()).toBe("12323");
    expect(durable(disk)).toEqual({ a: "....." });
    expect(() => disk.flush(file)).toThrow("EIO");
    expect(durable(disk)).toEqual({ a: "12323" });
  });

  it("is durable as it is once it was damaged behind every program's back", () => {
    const disk = new SimulatedDisk({ image: start });
    disk.write(disk.file("/b"), Buffer.from("x"), 0);
    disk.damage("/a", () => Buffer.from("damaged"));
    expect(durable(disk)).toEqual({ ...files, a: "damaged", b: "x" });
    expect(disk.sizeOf(disk.file("/a").node)).toBe(7);
  });
});
