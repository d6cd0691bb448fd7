/**
 * What a crash leaves of what was done through the face that looks like `node:fs`, by the rules at
 * the head of `crash-point.ts`.
 */
import { constants } from "node:fs";
import { beforeEach, describe, expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/disk.ts";
import { fileSystem, type SimulatedFileSystem } from "../../src/testing/file-system.ts";
import { fileSystemSync } from "../../src/testing/file-system-sync.ts";

const nothing = (): number => 0;
const everything = (): number => 0.999;

/** By path, what is in each file after a crash that keeps what `random` says. */
function after(disk: SimulatedDisk, random: () => number): Record<string, string> {
  return contentOf(disk.crash(random));
}

function contentOf(disk: SimulatedDisk): Record<string, string> {
  const fs = fileSystemSync(disk);
  const paths = fs.readdirSync("/", { recursive: true, encoding: "utf8" });
  const files = paths.filter((path) => fs.statSync(path).isFile());
  return Object.fromEntries(files.map((path) => [path, fs.readFileSync(path, "latin1")]));
}

describe("durability through the face of node:fs/promises", () => {
  let disk: SimulatedDisk;
  let fs: SimulatedFileSystem;
  beforeEach(() => {
    disk = new SimulatedDisk();
    fs = fileSystem(disk);
  });

  async function syncFolder(path = "/"): Promise<void> {
    const folder = await fs.open(path, "r");
    await folder.sync();
    await folder.close();
  }

  /** A file with this content, durable with its name. */
  async function durable(path: string, content: string): Promise<void> {
    await fs.writeFile(path, content, { flush: true });
    await syncFolder();
  }

  it("does not come with a file's sync to its name", async () => {
    const file = await fs.open("/file", "w");
    await file.write("text");
    await file.sync();
    expect(after(disk, nothing)).toEqual({});
    expect(after(disk, everything)).toEqual({ file: "text" });
    await syncFolder();
    expect(after(disk, nothing)).toEqual({ file: "text" });
  });

  it("does not come with a folder's sync to the files in it", async () => {
    await fs.writeFile("/file", "text");
    await syncFolder();
    expect(after(disk, nothing)).toEqual({ file: "" });
    expect(after(disk, everything)).toEqual({ file: "text" });
  });

  it.each(["sync", "datasync"] as const)("comes to data and size with %s", async (sync) => {
    await durable("/file", "");
    const file = await fs.open("/file", "a");
    await file.appendFile("text");
    expect(after(disk, nothing)).toEqual({ file: "" });
    await file[sync]();
    expect(after(disk, nothing)).toEqual({ file: "text" });
  });

  it("comes to a whole file with the option flush only", async () => {
    await fs.writeFile("/file", "");
    await syncFolder();
    await fs.writeFile("/file", "one");
    expect(after(disk, nothing)).toEqual({ file: "" });
    await fs.writeFile("/file", "two", { flush: true });
    await fs.appendFile("/file", "three");
    expect(after(disk, nothing)).toEqual({ file: "two" });
    await fs.appendFile("/file", "!", { flush: true });
    expect(after(disk, nothing)).toEqual({ file: "twothree!" });
  });

  it.each([
    ["as", "as"],
    ["rs+", "rs+"],
    ["O_SYNC", constants.O_RDWR | constants.O_SYNC],
    ["O_DSYNC", constants.O_RDWR | constants.O_DSYNC],
  ])("comes with each write to a file opened with %s, not to its name", async (_, flags) => {
    await durable("/file", "");
    const file = await fs.open("/file", flags);
    await file.write("text");
    expect(after(disk, nothing)).toEqual({ file: "text" });
    await fs.rename("/file", "/other");
    await file.writev([Buffer.from("!"), Buffer.from("?")]);
    expect(after(disk, nothing)).toEqual({ file: "text!?" });
  });

  it("comes with a write with O_DSYNC to this write alone", async () => {
    await durable("/file", "....");
    const file = await fs.open("/file", "r+");
    const through = await fs.open("/file", constants.O_RDWR | constants.O_DSYNC);
    await file.write("a", 0);
    await through.write("b", 1);
    expect(after(disk, nothing)).toEqual({ file: ".b.." });
    await through.sync();
    expect(after(disk, nothing)).toEqual({ file: "ab.." });
  });

  it("comes with the option flush where node heeds it, and nowhere else", async () => {
    const now = fileSystemSync(disk);
    await durable("/file", "");
    const file = await fs.open("/file", "r+");
    await fs.writeFile(file, "a", { flush: true });
    await fs.appendFile(file, "b", { flush: true });
    now.writeFileSync("/file", "c", { encoding: "utf8", flush: true });
    expect(after(disk, nothing)).toEqual({ file: "" });
    now.writeFileSync(file.fd, "d", { flush: true });
    expect(after(disk, nothing)["file"]).toMatch(/d$/);
  });

  it("of a write with O_DSYNC holds in every replay of the trace", async () => {
    disk = new SimulatedDisk({ record: true });
    fs = fileSystem(disk);
    await durable("/file", "");
    const file = await fs.open("/file", constants.O_RDWR | constants.O_DSYNC);
    await file.write("text");
    const write = disk.trace.find(({ operation }) => operation.kind === "write")!;
    const flush = disk.trace.findLast(({ operation }) => operation.kind === "flush")!;
    expect(write.doneAt).toBeLessThanOrEqual(flush.index);
  });

  it("comes to a rename with the sync of the folder, which the file's sync is not", async () => {
    await durable("/file", "old");
    await fs.writeFile("/new", "new", { flush: true });
    await fs.rename("/new", "/file");
    expect(after(disk, nothing)).toEqual({ file: "old" });
    expect(after(disk, everything)).toEqual({ file: "new" });
    const file = await fs.open("/file", "r+");
    await file.sync();
    await file.close();
    expect(after(disk, nothing)).toEqual({ file: "old" });
    await syncFolder();
    expect(after(disk, nothing)).toEqual({ file: "new" });
  });

  it("of a rename says nothing of the data: an empty file may stand there", async () => {
    await durable("/file", "old");
    await fs.writeFile("/new", "new");
    await fs.rename("/new", "/file");
    await syncFolder();
    expect(after(disk, nothing)).toEqual({ file: "" });
  });

  it("of a removal needs the sync of the folder", async () => {
    await durable("/file", "text");
    await fs.unlink("/file");
    expect(after(disk, nothing)).toEqual({ file: "text" });
    await syncFolder();
    expect(after(disk, nothing)).toEqual({});
  });

  it("of names in a new folder needs the folder's own and that of its name", async () => {
    await fs.mkdir("/a/b", { recursive: true });
    await fs.writeFile("/a/b/file", "text", { flush: true });
    await syncFolder("/a/b");
    await syncFolder("/a");
    expect(after(disk, nothing)).toEqual({});
    await syncFolder("/");
    expect(after(disk, nothing)).toEqual({ "a/b/file": "text" });
  });

  it("goes by the folder that was opened, not by the name it had then", async () => {
    await fs.mkdir("/a");
    const folder = await fs.open("/a", "r");
    await fs.writeFile("/a/file", "text", { flush: true });
    await fs.rename("/a", "/b");
    await fs.mkdir("/a");
    await syncFolder("/");
    await folder.sync();
    expect(after(disk, nothing)).toEqual({ "b/file": "text" });
  });

  it("may be that of the size and not of the data, and the other way round", async () => {
    await durable("/file", "12");
    await fs.appendFile("/file", "3456");
    const [size, data] = [
      [0.999, 0],
      [0, 0.999],
    ].map((numbers) => after(disk, () => numbers.shift()!)["file"]);
    expect(size).toBe("12\0\0\0\0");
    expect(data).toBe("12");
  });

  it("of an older content is lost with the truncation of an overwrite in place", async () => {
    await durable("/file", "old content");
    await fs.writeFile("/file", "new");
    const fates = [0.999, 0, 0];
    expect(after(disk, () => fates.shift()!)).toEqual({ file: "" });
    expect(after(disk, nothing)).toEqual({ file: "old content" });
  });

  it("does not come to a write that the sync was called without waiting for", async () => {
    await durable("/file", "");
    const file = await fs.open("/file", "r+");
    const late = file.write("late");
    await Promise.all([late, file.sync()]);
    expect(contentOf(disk)).toEqual({ file: "late" });
    expect(after(disk, nothing)).toEqual({ file: "" });
    await file.sync();
    expect(after(disk, nothing)).toEqual({ file: "late" });
  });

  it("keeps later writes on top of earlier ones that were done only after a sync", async () => {
    // The sync made the later write durable; the next one then put the earlier write on top of it,
    // and cut the file to the size that the earlier one had given it.
    await durable("/file", "");
    const file = await fs.open("/file", "r+");
    disk.onOperation = ({ kind }) => (kind === "write" ? { type: "delay", turns: 2 } : undefined);
    const slow = file.write("....", 0);
    disk.onOperation = undefined;
    await file.write("later", 2);
    await file.sync();
    expect(after(disk, nothing)).toEqual({ file: "\0\0later" });
    expect(after(disk, everything)).toEqual({ file: "..later" });
    await slow;
    await file.sync();
    expect(after(disk, nothing)).toEqual({ file: "..later" });
  });

  it("of synchronous calls comes with theirs, through the descriptor of a handle too", async () => {
    const sync = fileSystemSync(disk);
    await durable("/file", "");
    const handle = await fs.open("/file", "r+");
    sync.writeSync(handle.fd, "text");
    sync.fsyncSync(handle.fd);
    expect(after(disk, nothing)).toEqual({ file: "text" });
    const fd = sync.openSync("/other", "wx");
    sync.writevSync(fd, [Buffer.from("a"), Buffer.from("b")]);
    sync.fdatasyncSync(fd);
    const folder = sync.openSync("/", "r");
    sync.fsyncSync(folder);
    for (const each of [fd, folder]) sync.closeSync(each);
    expect(after(disk, nothing)).toEqual({ file: "text", other: "ab" });
  });
});
