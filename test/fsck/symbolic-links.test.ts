/**
 * A store that somebody else has made may hold symbolic links to any file of the machine. Nothing
 * is read or written through one, whatever it stands in place of.
 */
import { spawnSync } from "node:child_process";
import { cp, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { check } from "../../src/fsck/check.ts";
import { repair, undoRepair } from "../../src/fsck/repair.ts";
import { storeAccess } from "../../src/fsck/store-access.ts";
import { dump } from "../../src/fsck/transfer.ts";
import { BlockspaceError, Host } from "../../src/index.ts";

let scratch = "";
let sound = "";
let count = 0;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "blockspace-fsck-"));
  sound = join(scratch, "sound");
  const host = await Host.open(sound, { create: true, capacity: 2 ** 20 });
  const disk = await host.create("disk", { size: 2 ** 18 });
  await disk.write(0, Buffer.alloc(2 ** 16, "data"));
  await host.close();
});

afterAll(() => rm(scratch, { recursive: true }));

/** A copy of the store in which one part is a link to where it was moved. */
async function linked(part: string): Promise<{ store: string; target: string }> {
  const store = join(scratch, `store ${count}`);
  const target = join(scratch, `target ${count++}`);
  await cp(sound, store, { recursive: true });
  await rename(join(store, part), target).catch(() => writeFile(target, "somebody's own"));
  await symlink(target, join(store, part));
  return { store, target };
}

const files = ["superblock", "data", "lock", "journal/00000001", "checkpoint/a/data.mdb"];
const directories = ["journal", "checkpoint", "checkpoint/b"];
const writtenByRepair = ["superblock.fsck", "superblock.new", "fsck.undo", "fsck.undo.new"];

describe("a symbolic link", () => {
  it.each([...files, ...directories, ...writtenByRepair])(
    "in place of %s is found",
    async (part) => {
      const { store } = await linked(part);
      const report = await check(store, { data: true });
      expect(report.failure).toBeUndefined();
      expect(report.exitCode).toBe(4);
      expect(report.findings.filter(({ id }) => id === "I005")).toMatchObject([
        { severity: "fatal", where: { file: part } },
      ]);
      expect(report.phases.map(({ phase }) => phase)).toEqual([0]);
    },
  );

  it.each([...files, ...writtenByRepair])("in place of %s leads no repair out", async (part) => {
    const { store, target } = await linked(part);
    const before = await readFile(target);
    const superblock = join(store, "superblock");
    const broken = part === "superblock" ? undefined : await readFile(superblock);
    broken?.fill(0, 0, 100);
    if (broken) await writeFile(superblock, broken);
    const inPlace = await repair(store, { inPlace: true });
    expect(inPlace).toMatchObject({ exitCode: 4, corrected: 0 });
    const elsewhere = await repair(store, { to: join(scratch, `new ${count}`) });
    expect(elsewhere).toMatchObject({ exitCode: 4, corrected: 0 });
    await expect(undoRepair(storeAccess(store))).rejects.toBeInstanceOf(BlockspaceError);
    await expect(dump(store)).rejects.toThrow("I005");
    expect(before.equals(await readFile(target))).toBe(true);
  });

  it("in place of the data is no matter when the data is named", async () => {
    const { store, target } = await linked("data");
    expect((await check(store, { data: true, device: target })).exitCode).toBe(0);
  });

  it("beside the parts of the store is none of fsck's business", async () => {
    const { store } = await linked("notes");
    expect((await check(store)).exitCode).toBe(0);
  });

  it("to the store itself is the user's own", async () => {
    const link = join(scratch, "link");
    await symlink(sound, link);
    expect((await check(link)).exitCode).toBe(0);
  });
});

describe("a pipe that nobody writes to", () => {
  it.each(files)("in place of %s keeps nobody waiting", async (part) => {
    const { store } = await linked(part);
    await rm(join(store, part));
    expect(spawnSync("mkfifo", [join(store, part)]).status).toBe(0);
    const report = await check(store, { data: true });
    expect(report.exitCode).not.toBe(0);
    const repaired = await repair(store, { to: join(scratch, `new ${count}`) });
    expect(repaired.failure?.code).not.toBe("EINTERNAL");
  });
});
