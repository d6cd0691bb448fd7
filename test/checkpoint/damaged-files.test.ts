/**
 * Files of an environment that would take lmdb down, and the process with it: a host passes them
 * over, goes on from the other checkpoint, and writes them anew.
 */
import { execFileSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lmdbEnvironments } from "../../src/checkpoint/lmdb-environment.ts";
import { checkPages, checkUsedPages, newestMeta } from "../../src/checkpoint/lmdb-pages.ts";
import { FileDevice } from "../../src/device/file-device.ts";
import { check } from "../../src/fsck/check.ts";
import { Host } from "../../src/index.ts";
import { put, remove, storeId } from "./naive-closing.ts";

const PAGE = 4096;
let scratch = "";
let whole = "";

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "blockspace-test-"));
  whole = join(scratch, "whole");
  const host = await Host.open(whole, { create: true, capacity: 2 ** 28, journalSize: 2 ** 20 });
  const disk = await host.create("disk", { size: 2 ** 26 });
  // So many that the tree of values has a branch.
  for (let i = 0; i < 150; i++) await host.create(`other ${i}`, { size: PAGE });
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 200; i++) await disk.write(i * 40_960, Buffer.alloc(PAGE, round));
    await host.checkpoint();
  }
  await host.close();
});

afterAll(() => rm(scratch, { recursive: true }));

type Damage = (environment: string) => Promise<unknown> | void;

async function change(environment: string, work: (bytes: Buffer) => Buffer): Promise<void> {
  const file = join(environment, "data.mdb");
  await writeFile(file, work(await readFile(file)));
}

function meta(offset: number, value: number): Damage {
  return (path) =>
    change(path, (bytes) => {
      for (const page of [0, PAGE]) bytes.writeUInt32LE(value, page + offset);
      return bytes;
    });
}

async function replaced(environment: string, command: string, ...args: string[]): Promise<void> {
  await rm(join(environment, "data.mdb"));
  execFileSync(command, [...args, join(environment, "data.mdb")]);
}

/** The pages of the tree of values that are in use; the first is its root. */
function pagesInUse(bytes: Buffer): { branches: number[]; leaves: number[] } {
  const transactions = [0, PAGE].map((page) => bytes.readBigUInt64LE(page + 152));
  const newest = transactions[1]! > transactions[0]! ? PAGE : 0;
  const branches: number[] = [];
  const leaves: number[] = [];
  const visit = (page: number, levels: number): void => {
    (levels === 1 ? leaves : branches).push(page);
    const at = page * PAGE;
    for (let i = 0; levels > 1 && i < bytes.readUInt16LE(at + 20) / 2; i++) {
      visit(bytes.readUInt32LE(at + 24 + bytes.readUInt16LE(at + 24 + 2 * i)), levels - 1);
    }
  };
  visit(Number(bytes.readBigUInt64LE(newest + 136)), bytes.readUInt16LE(newest + 102));
  return { branches, leaves };
}

/** Changes the bytes of one page of the tree. */
function inPage(
  kind: "branches" | "leaves",
  hurt: (page: Buffer, file: Buffer) => unknown,
): Damage {
  return (path) =>
    change(path, (bytes) => {
      const at = pagesInUse(bytes)[kind][0]! * PAGE;
      hurt(bytes.subarray(at, at + PAGE), bytes);
      return bytes;
    });
}

/** The first node of a page. */
const nodeOf = (page: Buffer): Buffer => page.subarray(24 + page.readUInt16LE(24));

const damages: Record<string, Damage> = {
  "a leaf is zeroes": inPage("leaves", (page) => page.fill(0)),
  "a leaf is noise": inPage("leaves", (page) => page.fill(0x5a)),
  "a leaf is another one": inPage("leaves", (page, file) => {
    const other = pagesInUse(file).leaves[1]! * PAGE;
    page.set(file.subarray(other, other + PAGE));
  }),
  "a leaf is a branch": inPage("leaves", (page) => page.writeUInt16LE(1, 18)),
  "a leaf has more nodes than room": inPage("leaves", (page) => page.writeUInt16LE(4080, 20)),
  "a leaf has an odd number of bytes for its list": inPage("leaves", (page) => {
    page.writeUInt16LE(page.readUInt16LE(20) + 1, 20);
  }),
  "a node begins in the list of places": inPage("leaves", (page) => page.writeUInt16LE(2, 24)),
  "a node begins at the end of a page": inPage("leaves", (page) => page.writeUInt16LE(4070, 24)),
  "a key is too long for its page": inPage("leaves", (page) => {
    nodeOf(page).writeUInt16LE(4000, 6);
  }),
  "a value is too long for its page": inPage("leaves", (page) => {
    nodeOf(page).writeUInt16LE(0, 4);
    nodeOf(page).writeUInt32LE(2 ** 31, 0);
  }),
  "a value is a database of its own": inPage("leaves", (page) => nodeOf(page).writeUInt16LE(2, 4)),
  "a branch has one child": inPage("branches", (page) => page.writeUInt16LE(2, 20)),
  "a branch leads to a page that is not there": inPage("branches", (page) => {
    nodeOf(page).writeUInt32LE(100_000, 0);
  }),
  "the tree has a level too many": meta(100, 0x0003_0000),

  "cut to three pages": (path) => truncate(join(path, "data.mdb"), 3 * PAGE),
  "cut in the middle of a page": (path) => truncate(join(path, "data.mdb"), 12 * PAGE + 51),
  "the first page is gone": (path) =>
    change(path, (bytes) => Buffer.concat([bytes.subarray(PAGE), Buffer.alloc(PAGE)])),
  "the second page is zeroes": (path) => change(path, (bytes) => bytes.fill(0, PAGE, 2 * PAGE)),
  "a root is a meta page": meta(136, 1),
  "a root is beyond the end": meta(136, 100_000),
  "pages of a size that cannot be": meta(48, 4095),
  "the last page is none": meta(144, 0),
  "a directory in its place": (path) => replaced(path, "mkdir"),
  "a FIFO in its place": (path) => replaced(path, "mkfifo"),
  "a file in place of the environment": async (path) => {
    await rm(path, { recursive: true });
    await writeFile(path, "not a directory");
  },
};

describe("damaged files", () => {
  it.each(Object.keys(damages))("%s: the host goes on from the other checkpoint", async (what) => {
    // Each of the two has its turn.
    const name = Object.keys(damages).indexOf(what) % 2 === 0 ? "a" : "b";
    const path = join(scratch, "damaged");
    await rm(path, { recursive: true, force: true });
    await cp(whole, path, { recursive: true });
    await damages[what]!(join(path, "checkpoint", name));
    const reader = await Host.open(path, { readOnly: true });
    expect((await reader.get("disk").read(0, 1))[0]).toBe(3);
    await reader.close();
    const host = await Host.open(path);
    expect((await host.get("disk").read(199 * 40_960, 1))[0]).toBe(3);
    for (let i = 0; i < 2; i++) {
      await host.get("disk").write(0, Buffer.alloc(PAGE, 9));
      await host.checkpoint();
    }
    await host.close();
    expect((await check(path, { data: true })).findings).toEqual([]);
  });
});

describe("sound files", () => {
  it("are taken, and all pages that they use are found in them", async () => {
    const directory = join(scratch, "sound");
    let environment = await lmdbEnvironments(directory, { storeId })("a");
    for (let epoch = 1; epoch <= 60; epoch++) {
      const changes = Array.from({ length: 100 }, (_, i) => {
        const id = (epoch * 37 + i * 13) % 400;
        return (epoch + i) % 3 === 0 ? remove(1, id) : put(1, id, (id * epoch * 7) % 9000);
      });
      const unique = new Map(changes.map((one) => [one.id, one]));
      const reset = epoch % 25 === 0;
      await environment.commit(unique.values(), { epoch, lsn: epoch, reset });
      if (epoch % 10 === 0) {
        await environment.close();
        environment = await lmdbEnvironments(directory, { storeId })("a");
      }
      const device = await FileDevice.open(join(directory, "a", "data.mdb"), "read");
      await checkPages(device);
      const { lastPage, ...rest } = await newestMeta(device);
      const used = await checkUsedPages(device, { lastPage, ...rest });
      expect(used).toBeGreaterThan(0);
      expect(used).toBeLessThan(lastPage);
      await device.close();
    }
    await environment.close();
  });

  it("may be shorter than their meta page says, where nothing is in use", async () => {
    const directory = join(scratch, "short");
    const environment = await lmdbEnvironments(directory, { storeId })("a");
    const closing = await environment.commit([put(1, 1, 50)], { epoch: 1, lsn: 1, reset: false });
    await environment.close();
    const file = join(directory, "a", "data.mdb");
    const bytes = await readFile(file);
    for (const page of [0, PAGE]) bytes.writeUInt32LE(bytes.length / PAGE + 5, page + 144);
    await writeFile(file, bytes);
    const again = await lmdbEnvironments(directory, { storeId })("a");
    expect(again.closing()).toEqual(closing);
    await again.close();
  });
});
