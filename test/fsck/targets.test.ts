/**
 * Where a repair writes: never into the store that it reads, and what it could not finish is not
 * left in the way of the next attempt. And arguments that make no sense.
 */
import {
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { BlockspaceError } from "../../src/base/errors.ts";
import { repairLines } from "../../src/cli/commands/repair.ts";
import { check } from "../../src/fsck/check.ts";
import { repair, repairStore } from "../../src/fsck/repair.ts";
import { readDump } from "../../src/fsck/restore.ts";
import { storeAccess, type StoreAccess } from "../../src/fsck/store-access.ts";
import { dumpStore, restoreStore } from "../../src/fsck/transfer.ts";
import { DATA_LABEL_SIZE } from "../../src/format/superblock.ts";
import { Host } from "../../src/index.ts";
import type { FsckStore } from "./support/fsck-store.ts";
import { sampleStore } from "./support/sample-store.ts";

let scratch = "";
let store = "";

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "blockspace-fsck-"));
  store = join(scratch, "store");
  await (await Host.open(store, { create: true, capacity: 2 ** 26, journalSize: 2 ** 20 })).close();
  await spoil();
});

async function spoil(): Promise<void> {
  const bytes = await readFile(join(store, "superblock"));
  bytes[100] = 0x55;
  await writeFile(join(store, "superblock"), bytes);
}

afterEach(() => rm(scratch, { recursive: true }));

it("a target within the store is refused, also behind a link", async () => {
  await symlink(store, join(scratch, "link"));
  await mkdir(join(scratch, "store-too"));
  for (const to of [join(store, "new"), join(scratch, "link/deeper/new")]) {
    await expect(repair(store, { to })).rejects.toMatchObject({ code: "EINVAL" });
  }
  await expect(repair(join(scratch, "link"), { to: join(store, "new") })).rejects.toThrow(
    "within the damaged store",
  );
  expect(await readdir(store)).not.toContain("new");
  expect((await repair(store, { to: join(scratch, "store-too") })).exitCode).toBe(1);
});

it("a copy that fails leaves nothing in its target", async () => {
  const to = join(scratch, "new");
  const full = new BlockspaceError("EIO", "no space is left");
  const target = { ...storeAccess(to), makeEnvironment: () => Promise.reject(full) };
  const { failure } = await repairStore(storeAccess(store), target);
  expect(failure?.message).toContain("no space is left");
  expect(await readdir(to)).toEqual([]);
  expect((await repair(store, { to })).exitCode).toBe(1);
});

// It copied to the end whoever wanted it to stop, and a second Ctrl-C left half a store behind.
it("a copy that is cancelled leaves nothing in its target", async () => {
  const host = await Host.open(store);
  await (await host.create("disk", { size: 2 ** 20 })).write(0, Buffer.alloc(2 ** 18, "data"));
  await host.close();
  await spoil();
  const to = join(scratch, "new");
  const controller = new AbortController();
  const target = storeAccess(to);
  const create = target.directory.create.bind(target.directory);
  vi.spyOn(target.directory, "create").mockImplementation((name, options) => {
    if (name === "data") controller.abort();
    return create(name, options);
  });
  const { signal } = controller;
  const report = await repairStore(storeAccess(store), target, { signal });
  expect(report).toMatchObject({ exitCode: 2 | 32, failure: { code: "ECANCELED" } });
  expect(await readdir(to)).toEqual([]);
});

// On a full disk it left a checkpoint and a journal, which the next attempt refused to touch.
it("a restore that fails leaves nothing but the data that was there", async () => {
  const [sound, to] = [join(scratch, "sound"), join(scratch, "new")];
  await (await Host.open(sound, { create: true, capacity: 2 ** 26 })).close();
  const lines = Array.from(await dumpStore(storeAccess(sound)), (line) => JSON.stringify(line));
  const restored = await readDump(Readable.from(lines));
  await mkdir(to);
  await copyFile(join(sound, "data"), join(to, "data"));
  const full = new BlockspaceError("EIO", "no space is left");
  const target = { ...storeAccess(to), makeEnvironment: () => Promise.reject(full) };
  await expect(restoreStore(target, restored)).rejects.toThrow("no space is left");
  expect(await readdir(to)).toEqual(["data", "lock"]);
  await restoreStore(storeAccess(to), await readDump(Readable.from(lines)));
  expect((await check(to, { data: true })).exitCode).toBe(0);
});

type Death = "label" | "journal" | "a" | "b" | "rename";
const killed = new Error("killed");

/** The parts of a store whose maker dies at one of its steps, and can clear nothing away. */
function dyingAt(death: Death, path: string): StoreAccess {
  const access = storeAccess(path);
  const { directory } = access;
  const create = directory.create.bind(directory);
  const below = directory.directory.bind(directory);
  const makeEnvironment = access.makeEnvironment.bind(access);
  if (death === "label") {
    vi.spyOn(directory, "create").mockImplementation(async (name, options) => {
      const made = await create(name, options);
      if (name !== "data") return made;
      await made.close();
      throw killed;
    });
  }
  if (death === "journal") {
    vi.spyOn(directory, "directory").mockImplementation((name) => {
      const found = below(name);
      if (name === "journal") vi.spyOn(found, "create").mockRejectedValue(killed);
      return found;
    });
  }
  if (death === "rename") vi.spyOn(directory, "rename").mockRejectedValue(killed);
  return {
    ...access,
    clear: () => Promise.reject(killed),
    makeEnvironment: (name, id) =>
      name === death ? Promise.reject(killed) : makeEnvironment(name, id),
  };
}

// What SIGKILL had left of it was in the way of the next try, and had to be told from a store.
it.each<[Death, "its data" | "no data"]>([
  ["label", "no data"],
  ["journal", "no data"],
  ["journal", "its data"],
  ["a", "its data"],
  ["b", "its data"],
  ["rename", "its data"],
])("a restore that is killed at its %s, beside %s, can be run again", async (death, beside) => {
  const [sound, to] = [join(scratch, "sound"), join(scratch, "new")];
  await (await Host.open(sound, { create: true, capacity: 2 ** 26 })).close();
  const lines = Array.from(await dumpStore(storeAccess(sound)), (line) => JSON.stringify(line));
  const dumped = (): ReturnType<typeof readDump> => readDump(Readable.from(lines));
  await mkdir(to);
  if (beside === "its data") await copyFile(join(sound, "data"), join(to, "data"));
  await expect(restoreStore(dyingAt(death, to), await dumped())).rejects.toThrow("killed");
  const { findings } = await check(to);
  expect(findings.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^the superblock is missing: a restore was cut short; /),
  ]);
  await expect(Host.open(to, { create: true })).rejects.toThrow("EEXIST");
  await restoreStore(storeAccess(to), await dumped());
  expect((await check(to, { data: true })).exitCode).toBe(0);
  const names = ["checkpoint", "data", "journal", "lock", "superblock"];
  expect((await readdir(to)).toSorted()).toEqual(names);
});

it("data that lost its label is kept, and gets one, beside a restore that was killed", async () => {
  const [sound, to] = [join(scratch, "sound"), join(scratch, "new")];
  const host = await Host.open(sound, { create: true, capacity: 2 ** 26 });
  const bytes = Buffer.alloc(2 ** 16, "kept");
  await (await host.create("disk", { size: 2 ** 20 })).write(0, bytes);
  await host.close();
  const lines = Array.from(await dumpStore(storeAccess(sound)), (line) => JSON.stringify(line));
  await mkdir(to);
  const data = await readFile(join(sound, "data"));
  await writeFile(join(to, "data"), data.fill(0, 0, DATA_LABEL_SIZE));
  await writeFile(join(to, "superblock.restore"), "");
  await restoreStore(storeAccess(to), await readDump(Readable.from(lines)));
  expect((await check(to, { data: true })).exitCode).toBe(0);
  const restored = await Host.open(to);
  expect(await restored.get("disk").read(0, bytes.length)).toEqual(bytes);
  await restored.close();
});

it("a new store that could not be checked to the end is not called sound", async () => {
  const controller = new AbortController();
  const target = storeAccess(join(scratch, "new"));
  const { signal } = controller;
  const makeEnvironment: typeof target.makeEnvironment = (...args) => {
    controller.abort();
    return target.makeEnvironment(...args);
  };
  const report = await repairStore(storeAccess(store), { ...target, makeEnvironment }, { signal });
  expect(report).toMatchObject({ exitCode: 1 | 32, failure: { code: "ECANCELED" } });
  expect(repairLines(report).at(-1)).toMatch(/ is not checked$/);
});

it("an undo file that cannot be written is not left half done", async () => {
  const whole = await sampleStore(4);
  const bytes = await whole.read("superblock");
  bytes[100]! ^= 1;
  await whole.write("superblock", bytes);
  let broken = 0;
  const copy: FsckStore = whole.copy(({ kind, path }) => {
    if (kind === "read" || !path.endsWith("fsck.undo.new")) return;
    if (broken === 0 && kind === "write") {
      broken++;
      throw new Error("no space is left");
    }
  });
  const { failure } = await repairStore(copy.access, undefined);
  expect(broken).toBe(1);
  expect(failure?.message).toContain("no space is left");
  expect(await copy.directory.list()).not.toContain("fsck.undo.new");
});

it.each([-1, NaN, 0.5, "1" as unknown as number])("data from %s is refused", async (dataFrom) => {
  const checked = check(store, { data: true, dataFrom });
  await expect(checked).rejects.toMatchObject({ code: "EINVAL" });
});

// It had read nothing, and called the store sound.
it("data from behind the end is not called sound", async () => {
  const { exitCode, failure } = await check(store, { data: true, dataFrom: 2 ** 40 });
  expect(exitCode & 8).toBe(8);
  expect(failure?.message).toMatch(
    /dataFrom is 1099511627776; the data of this store ends at \d+$/,
  );
});

it.each([0, -1, NaN, 0.5, "1" as unknown as number])("a rate of %s is refused", async (rate) => {
  const options = { data: true, bytesPerSecond: rate };
  await expect(check(store, options)).rejects.toMatchObject({ code: "EINVAL" });
  await expect(repair(store, { inPlace: true, ...options })).rejects.toThrow("bytesPerSecond");
});

it("an empty path is refused", async () => {
  await expect(check("")).rejects.toMatchObject({ code: "EINVAL" });
  await expect(repair("", { inPlace: true })).rejects.toMatchObject({ code: "EINVAL" });
  await expect(repair(store, { to: "" })).rejects.toMatchObject({ code: "EINVAL" });
});
