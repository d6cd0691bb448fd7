/** A directory of files: the suite of promises, and what only a real file system can show. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { mkdir, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import * as extensions from "fs-native-extensions";
import { afterEach, describe, expect, it, vi } from "vitest";
import { FileDirectory } from "../../src/device/file-directory.ts";
import { describeDirectory } from "./directory-suite.ts";
import { scratchDirectory } from "./scratch.ts";

vi.mock("fs-native-extensions", { spy: true });

const scratch = scratchDirectory();
const children: ChildProcess[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  vi.mocked(extensions.tryLock).mockReset();
  for (const child of children.splice(0)) await kill(child);
});

describeDirectory("files", () => new FileDirectory(scratch()));

describe("a directory of files", () => {
  it("takes space for a preallocated file at once, and none for a sparse one", async () => {
    const directory = new FileDirectory(scratch());
    const size = 5_000_000;
    await (await directory.create("full", { size, layout: "preallocated" })).close();
    await (await directory.create("sparse", { size, layout: "sparse" })).close();
    const full = await stat(join(scratch(), "full"));
    const sparse = await stat(join(scratch(), "sparse"));
    expect(full.blocks * 512).toBeGreaterThanOrEqual(size);
    expect(sparse.blocks).toBe(0);
  });

  it("leaves no descriptor behind when a creation fails", async () => {
    const directory = new FileDirectory(scratch());
    const failure = Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
    vi.spyOn(fs, "write").mockImplementation((...all: unknown[]) =>
      (all.at(-1) as (error: Error) => void)(failure),
    );
    const closed = vi.spyOn(fs, "close");
    const creation = directory.create("file", { size: 100, layout: "preallocated" });
    await expect(creation).rejects.toMatchObject({ code: "EIO", cause: failure });
    expect(closed).toHaveBeenCalledTimes(1);
  });

  const inode = async (path: string): Promise<number> => (await stat(path)).ino;

  /** The directories that are synced from here on. */
  function watchSyncs(): number[] {
    const synced: number[] = [];
    const real = fs.fsync;
    vi.spyOn(fs, "fsync").mockImplementation((fd: number, callback: fs.NoParamCallback) => {
      synced.push(fs.fstatSync(fd).ino);
      real(fd, callback);
    });
    return synced;
  }

  it("syncs its own descriptor, and the parents of what it makes from the top down", async () => {
    const synced = watchSyncs();
    const inner = new FileDirectory(join(scratch(), "outer", "inner"));
    await inner.ensure();
    const parents = [dirname(scratch()), scratch(), dirname(inner.path)];
    expect(synced).toEqual(await Promise.all(parents.map(inode)));
    await inner.sync();
    expect(synced.slice(3)).toEqual([await inode(inner.path)]);
  });

  it("makes no directory before the name of the one above is durable", async () => {
    const failure = Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO" });
    const real = fs.fsync;
    vi.spyOn(fs, "fsync")
      .mockImplementationOnce((fd, callback) => real(fd, callback))
      .mockImplementationOnce((_fd, callback) => callback(failure));
    const inner = new FileDirectory(join(scratch(), "outer", "inner"));
    await expect(inner.ensure()).rejects.toMatchObject({ path: scratch(), cause: failure });
    expect(await readdir(join(scratch(), "outer"))).toEqual([]);
  });

  it("syncs the name of one that is there: a killed process may have made it", async () => {
    const path = join(scratch(), "there");
    await mkdir(path);
    const synced = watchSyncs();
    await new FileDirectory(path).ensure();
    expect(synced).toEqual([await inode(scratch())]);
  });

  it("syncs the name of the directory, not of a link to it", async () => {
    await mkdir(join(scratch(), "elsewhere", "store"), { recursive: true });
    await symlink(join(scratch(), "elsewhere", "store"), join(scratch(), "link"));
    const synced = watchSyncs();
    await new FileDirectory(join(scratch(), "link")).ensure();
    expect(synced).toEqual([await inode(join(scratch(), "elsewhere"))]);
  });

  it.each([
    ["open", "EACCES"],
    ["open", "EPERM"],
    ["fsync", "EINVAL"],
    ["fsync", "EROFS"],
  ] as const)("takes one that is there, though %s of its parent says %s", async (call, code) => {
    const spy = vi
      .spyOn(fs, call)
      .mockImplementationOnce((...all: unknown[]) =>
        (all.at(-1) as (error: Error) => void)(Object.assign(new Error(code), { code })),
      );
    await new FileDirectory(scratch()).ensure();
    expect(spy).toHaveBeenCalledTimes(1);
  });

  it.each(["open", "fsync"] as const)("is told when %s of its parent fails", async (call) => {
    const failure = Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
    vi.spyOn(fs, call).mockImplementationOnce((...all: unknown[]) =>
      (all.at(-1) as (error: Error) => void)(failure),
    );
    const refusal = { code: "EIO", path: dirname(scratch()), cause: failure };
    await expect(new FileDirectory(scratch()).ensure()).rejects.toMatchObject(refusal);
  });

  it("says what failed, and keeps the cause, when a sync fails", async () => {
    const failure = Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO" });
    vi.spyOn(fs, "fsync").mockImplementation((_fd, callback) => callback(failure));
    const closed = vi.spyOn(fs, "close");
    const directory = new FileDirectory(scratch());
    await expect(directory.sync()).rejects.toMatchObject({ cause: failure, path: scratch() });
    expect(closed).toHaveBeenCalledTimes(1);
  });
});

describe("a lock between processes (I8)", () => {
  it("keeps others out, and dies with a holder that is killed", async () => {
    const directory = new FileDirectory(scratch());
    const { child, answer } = await holder("exclusive");
    expect(answer).toBe("held");
    for (const mode of ["exclusive", "shared"] as const) {
      await expect(directory.lock("lock", mode)).rejects.toMatchObject({ code: "ELOCKED" });
    }
    await kill(child);
    await (await directory.lock("lock", "exclusive")).release();
  });

  it("is refused to another process while this one holds it", async () => {
    const lock = await new FileDirectory(scratch()).lock("lock", "exclusive");
    expect((await holder("exclusive")).answer).toBe("ELOCKED");
    expect((await holder("shared")).answer).toBe("ELOCKED");
    await lock.release();
  });

  it("is shared between processes that only read", async () => {
    await writeFile(join(scratch(), "lock"), "");
    const lock = await new FileDirectory(scratch()).lock("lock", "shared");
    expect((await holder("shared")).answer).toBe("held");
    await lock.release();
  });

  it("opens a file for reading only, and writes nothing, when it is shared", async () => {
    const path = join(scratch(), "lock");
    await writeFile(path, "");
    const before = await stat(path, { bigint: true });
    const opened = vi.spyOn(fs, "open");
    const lock = await new FileDirectory(scratch()).lock("lock", "shared");
    expect(opened.mock.calls.map(([, flags]) => flags)).toEqual([
      fs.constants.O_RDONLY | fs.constants.O_NONBLOCK,
    ]);
    await lock.release();
    const after = await stat(path, { bigint: true });
    expect([after.mtimeNs, after.ctimeNs]).toEqual([before.mtimeNs, before.ctimeNs]);
  });

  it("is taken again when the file was replaced before the lock was on it", async () => {
    const directory = new FileDirectory(scratch());
    const path = join(scratch(), "lock");
    vi.mocked(extensions.tryLock).mockImplementationOnce(() => {
      fs.unlinkSync(path);
      fs.writeFileSync(path, "");
      return true;
    });
    const lock = await directory.lock("lock", "exclusive");
    await expect(directory.lock("lock", "exclusive")).rejects.toMatchObject({ code: "ELOCKED" });
    await lock.release();
  });

  it("is refused when the file is replaced every time", async () => {
    const path = join(scratch(), "lock");
    vi.mocked(extensions.tryLock).mockImplementation(() => {
      fs.unlinkSync(path);
      return true;
    });
    const closed = vi.spyOn(fs, "close");
    const opened = vi.spyOn(fs, "open");
    const lock = new FileDirectory(scratch()).lock("lock", "exclusive");
    await expect(lock).rejects.toMatchObject({ code: "ELOCKED", path });
    expect(closed.mock.calls.length).toBe(opened.mock.calls.length);
  });

  it("can be taken anew, by whoever removes the file, beside a holder that is not told", async () => {
    const directory = new FileDirectory(scratch());
    const first = await directory.lock("lock", "exclusive");
    await rm(join(scratch(), "lock"));
    const second = await directory.lock("lock", "exclusive");
    await first.release();
    await expect(directory.lock("lock", "exclusive")).rejects.toMatchObject({ code: "ELOCKED" });
    await second.release();
  });
});

/** Starts a process that takes the lock in `mode`; resolves with what it says. */
async function holder(mode: string): Promise<{ child: ChildProcess; answer: string }> {
  const script = fileURLToPath(new URL("lock-holder.ts", import.meta.url));
  const child = spawn(process.execPath, ["--import", "tsx", script, scratch(), mode], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const [data] = (await once(child.stdout, "data")) as [Buffer];
  return { child, answer: data.toString().trim() };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}
