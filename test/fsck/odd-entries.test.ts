/**
 * Something else in the place of a file, while all the rest is whole: a check says so and goes on,
 * both repairs mend it, and a host that writes is not taken down by it.
 */
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { check } from "../../src/fsck/check.ts";
import { repair, undoRepair } from "../../src/fsck/repair.ts";
import { storeAccess } from "../../src/fsck/store-access.ts";
import { Host } from "../../src/index.ts";

let scratch = "";
let whole = "";

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "blockspace-fsck-"));
  whole = join(scratch, "whole");
  const host = await Host.open(whole, { create: true, capacity: 2 ** 26, journalSize: 2 ** 20 });
  const disk = await host.create("disk", { size: 2 ** 20 });
  await disk.write(0, Buffer.alloc(2 ** 16, "here"));
  await host.checkpoint();
  await host.checkpoint();
  await host.close();
});

afterAll(() => rm(scratch, { recursive: true }));

const odd: Record<string, { at: string; make: (path: string) => unknown }> = {
  "a directory": { at: "checkpoint/a/data.mdb", make: (path) => execFileSync("mkdir", [path]) },
  "a FIFO": { at: "checkpoint/b/data.mdb", make: (path) => execFileSync("mkfifo", [path]) },
  "a file": { at: "checkpoint/a", make: (path) => writeFile(path, "file") },
  "a directory to lock": {
    at: "checkpoint/a/lock.mdb",
    make: (path) => execFileSync("mkdir", [path]),
  },
  "a FIFO to lock": { at: "checkpoint/b/lock.mdb", make: (path) => execFileSync("mkfifo", [path]) },
};

async function damaged(name: string, at: string, make: (path: string) => unknown): Promise<string> {
  const path = join(scratch, name);
  await rm(path, { recursive: true, force: true });
  await cp(whole, path, { recursive: true });
  await rm(join(path, at), { recursive: true });
  await make(join(path, at));
  return path;
}

async function textIn(path: string): Promise<string> {
  const host = await Host.open(path);
  const bytes = await host.get("disk").read(0, 2 ** 16);
  await host.checkpoint();
  await host.checkpoint();
  await host.close();
  return Buffer.from(bytes.subarray(-4)).toString();
}

describe.each(Object.entries(odd))("%s in the place of a file", (_what, { at, make }) => {
  it("of a checkpoint is found and mended", async () => {
    const path = await damaged("damaged", at, make);
    const report = await check(path);
    expect(report.failure).toBeUndefined();
    expect(report.findings.map(({ id }) => id)).toContain("C001");
    expect(report.state?.subvolumes).toBe(1);
    const to = join(scratch, "repaired");
    await rm(to, { recursive: true, force: true });
    for (const options of [{ to }, { inPlace: true }]) {
      const { exitCode, failure, losses } = await repair(path, options);
      expect({ exitCode, failure, losses }).toEqual({
        exitCode: 1,
        failure: undefined,
        losses: [],
      });
    }
    expect([await textIn(to), await textIn(path)]).toEqual(["here", "here"]);
  });

  it("of a checkpoint does not keep a host from the store", async () => {
    const path = await damaged("opened", at, make);
    expect(await textIn(path)).toBe("here");
    expect((await check(path)).findings).toEqual([]);
  });
});

describe("a link in place of a lock of lmdb", () => {
  it("is removed, and leads a host nowhere", async () => {
    const path = await damaged("linked", "checkpoint/a/lock.mdb", (lock) =>
      execFileSync("ln", ["-s", join(scratch, "elsewhere"), lock]),
    );
    expect(await textIn(path)).toBe("here");
    expect((await check(path)).findings).toEqual([]);
  });
});

describe("a FIFO in the place of a journal file", () => {
  it("is mended in place, and that can be undone", async () => {
    const path = await damaged("journal", "journal/00000001", (file) =>
      execFileSync("mkfifo", [file]),
    );
    expect((await check(path)).findings.map(({ id }) => id)).toContain("J007");
    const { exitCode, failure } = await repair(path, { inPlace: true });
    expect({ exitCode, failure }).toEqual({ exitCode: 1, failure: undefined });
    expect((await check(path)).findings).toEqual([]);
    await undoRepair(storeAccess(path));
    expect((await check(path)).findings.map(({ id }) => id)).not.toContain("J007");
    expect((await repair(path, { inPlace: true })).failure).toBeUndefined();
    expect(await textIn(path)).toBe("here");
  });

  it("is mended by a copy", async () => {
    const path = await damaged("journal", "journal/00000001", (file) =>
      execFileSync("mkfifo", [file]),
    );
    const { exitCode } = await repair(path, { to: join(scratch, "copied") });
    expect(exitCode).toBe(1);
    expect(await textIn(join(scratch, "copied"))).toBe("here");
  });
});
