/** Faults that a hook injects, as a program sees them through the face that looks like `node:fs`. */
import { describe, expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/disk.ts";
import { fileSystem } from "../../src/testing/file-system.ts";
import { fileSystemSync } from "../../src/testing/file-system-sync.ts";
import type { Fault, Operation } from "../../src/testing/operation.ts";

/** A disk whose operations of one kind meet a fault, once one is set. */
function faulty(): {
  disk: SimulatedDisk;
  log: Operation[];
  strike: (kind: Operation["kind"], fault: Fault) => void;
} {
  const log: Operation[] = [];
  let next: { kind: Operation["kind"]; fault: Fault } | undefined;
  const onOperation = (operation: Operation): Fault | undefined => {
    log.push(operation);
    if (operation.kind !== next?.kind) return undefined;
    const { fault } = next;
    next = undefined;
    return fault;
  };
  const strike = (kind: Operation["kind"], fault: Fault): void => void (next = { kind, fault });
  return { disk: new SimulatedDisk({ onOperation }), log, strike };
}

const fail = (code: string): Fault => ({ type: "fail", code });

describe("faults through the face of node:fs", () => {
  it("strike the operations that the calls are made of, by the whole path", async () => {
    const { disk, log } = faulty();
    const fs = fileSystem(disk);
    await fs.mkdir("folder");
    await fs.writeFile("folder/../folder/file", "text", { flush: true });
    await fs.writeFile("./folder/file", "again");
    await fs.readFile("/folder/file");
    await fs.rename("folder/file", "other");
    const folder = await fs.open("folder");
    await folder.sync();
    await fs.unlink("other");
    const path = "/folder/file";
    expect(log).toEqual([
      { kind: "create", path: "/folder" },
      { kind: "open", path },
      { kind: "create", path, length: 0 },
      { kind: "write", path, offset: 0, length: 4 },
      { kind: "flush", path },
      { kind: "open", path },
      { kind: "resize", path, length: 0 },
      { kind: "write", path, offset: 0, length: 5 },
      { kind: "open", path },
      { kind: "read", path, offset: 0, length: 5 },
      { kind: "rename", path, to: "/other" },
      { kind: "open", path: "/folder" },
      { kind: "sync", path: "/folder" },
      { kind: "remove", path: "/other" },
    ]);
  });

  const refusals: [
    Operation["kind"],
    string,
    string,
    (fs: ReturnType<typeof fileSystem>) => Promise<unknown>,
  ][] = [
    ["open", "EMFILE", "open 'file'", (fs) => fs.open("file")],
    ["open", "EMFILE", "open 'file'", (fs) => fs.readFile("file")],
    ["create", "ENOSPC", "open 'new'", (fs) => fs.writeFile("new", "text")],
    ["resize", "EIO", "open 'file'", (fs) => fs.writeFile("file", "text")],
    ["write", "ENOSPC", "write", (fs) => fs.appendFile("file", "text")],
    ["read", "EIO", "read", (fs) => fs.readFile("file")],
    ["flush", "EIO", "fsync", (fs) => fs.writeFile("file", "text", { flush: true })],
    ["flush", "EIO", "write", (fs) => fs.writeFile("file", "text", { flag: "as" })],
    ["rename", "EIO", "rename 'file' -> 'new'", (fs) => fs.rename("file", "new")],
    ["remove", "EIO", "unlink 'file'", (fs) => fs.unlink("file")],
    ["create", "ENOSPC", "mkdir 'new'", (fs) => fs.mkdir("new")],
    ["write", "ENOSPC", "copyfile 'file' -> 'new'", (fs) => fs.copyFile("file", "new")],
  ];
  it.each(refusals)(
    "at %s is told as %s of the call that was made: %s",
    async (kind, code, call, run) => {
      const { disk, strike } = faulty();
      const fs = fileSystem(disk);
      await fs.writeFile("file", "before");
      strike(kind, fail(code));
      const error = await run(fs).catch((refusal: unknown) => refusal as NodeJS.ErrnoException);
      expect((error as Error).message).toMatch(new RegExp(`^${code}: [a-z/ ]+, ${call}$`));
      expect((error as NodeJS.ErrnoException).errno).toBeLessThan(0);
      expect(await fs.readdir("/")).toEqual(["file"]);
    },
  );

  it("of a sync are told, and a later one that succeeds does not make a failed one good", async () => {
    const { disk, strike } = faulty();
    const fs = fileSystem(disk);
    await fs.writeFile("file", "");
    const folder = await fs.open("/");
    await folder.sync();
    const file = await fs.open("file", "r+");
    await file.write("text");
    strike("flush", fail("EIO"));
    await expect(file.datasync()).rejects.toMatchObject({ code: "EIO", syscall: "fdatasync" });
    await file.datasync();
    await fs.rename("file", "new");
    strike("sync", fail("EIO"));
    await expect(folder.sync()).rejects.toMatchObject({ code: "EIO", syscall: "fsync" });
    await folder.sync();
    expect(fileSystemSync(disk.crash(() => 0)).readFileSync("file", "utf8")).toBe("");
  });

  it("that come after the effect are failures of calls without one as well", async () => {
    const { disk, strike } = faulty();
    const fs = fileSystem(disk);
    await fs.writeFile("file", "text");
    const late: Fault = { type: "fail", code: "EIO", effect: "all" };
    strike("open", late);
    await expect(fs.open("file")).rejects.toMatchObject({ code: "EIO", syscall: "open" });
    strike("read", late);
    await expect(fs.readFile("file")).rejects.toMatchObject({ code: "EIO", syscall: "read" });
    strike("rename", late);
    await expect(fs.rename("file", "new")).rejects.toMatchObject({ code: "EIO", dest: "new" });
    expect(await fs.readdir("/")).toEqual(["new"]);
  });

  it("that a hook throws reach the program as they are", async () => {
    const error = Object.assign(new Error("injected"), { code: "EX", syscall: "none" });
    const disk = new SimulatedDisk({
      onOperation: () => {
        throw error;
      },
    });
    await expect(fileSystem(disk).open("file", "w")).rejects.toBe(error);
    await expect(fileSystem(disk).copyFile("file", "b")).rejects.toBe(error);
    expect(() => fileSystemSync(disk).mkdirSync("a")).toThrow(error);
  });

  it("that shorten a transfer show in the count; calls for whole files go on", async () => {
    const { disk, strike } = faulty();
    const fs = fileSystem(disk);
    const file = await fs.open("file", "w+");
    strike("write", { type: "short", bytes: 3 });
    expect((await file.write("0123456789")).bytesWritten).toBe(3);
    expect((await file.write("abc")).bytesWritten).toBe(3);
    strike("read", { type: "short", bytes: 2 });
    expect((await file.read(Buffer.alloc(6), 0, 6, 0)).bytesRead).toBe(2);
    strike("write", { type: "short", bytes: 1 });
    await fs.writeFile("whole", "0123456789");
    strike("write", { type: "short", bytes: 4 });
    await fs.appendFile("whole", "abcdef");
    strike("read", { type: "short", bytes: 5 });
    expect(await fs.readFile("whole", "utf8")).toBe("0123456789abcdef");
    const sync = fileSystemSync(disk);
    strike("write", { type: "short", bytes: 4 });
    sync.writeFileSync("whole", "ABCDEFG");
    expect(sync.readFileSync("whole", "utf8")).toBe("ABCDEFG");
  });

  it("that delay a write let others overtake it, and no sync covers it before it is done", async () => {
    const { disk, strike } = faulty();
    const fs = fileSystem(disk);
    await fs.writeFile("file", "", { flush: true });
    const folder = await fs.open("/");
    await folder.sync();
    const file = await fs.open("file", "r+");
    strike("write", { type: "delay", turns: 3 });
    const order: string[] = [];
    const slow = file.write("slow", 0).then(() => order.push("slow"));
    await file.write("fast", 4).then(() => order.push("fast"));
    await file.sync();
    const crashed = fileSystemSync(disk.crash(() => 0));
    expect(crashed.readFileSync("file", "latin1")).toBe("\0\0\0\0fast");
    await slow;
    expect(order).toEqual(["fast", "slow"]);
    await file.sync();
    expect(fileSystemSync(disk.crash(() => 0)).readFileSync("file", "utf8")).toBe("slowfast");
  });

  it("of writes that were delayed are waited for by close", async () => {
    const { disk, strike } = faulty();
    const fs = fileSystem(disk);
    const file = await fs.open("file", "w");
    strike("write", { type: "delay", turns: 3 });
    let isDone = false;
    const write = file.write("text").then(() => (isDone = true));
    await Promise.all([file.close(), file.close()]);
    expect(isDone).toBe(true);
    await write;
  });

  it("of flushes that lie are not told", async () => {
    const { disk, strike } = faulty();
    const fs = fileSystem(disk);
    strike("flush", { type: "lie" });
    await fs.writeFile("file", "text", { flush: true });
    const folder = await fs.open("/");
    await folder.sync();
    expect(fileSystemSync(disk.crash(() => 0)).readFileSync("file", "utf8")).toBe("");
  });

  it("come by themselves to a program that never closes", async () => {
    const fs = fileSystem(new SimulatedDisk());
    const handles = [];
    for (let i = 0; i < 1021; i++) handles.push(await fs.open("/"));
    await expect(fs.open("/")).rejects.toMatchObject({
      code: "EMFILE",
      syscall: "open",
      path: "/",
    });
    await handles[7]!.close();
    expect((await fs.open("/")).fd).toBe(handles[6]!.fd + 1);
  });
});
