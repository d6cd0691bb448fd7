/**
 * Creation of a store: all of it or nothing, wherever a crash or a failure comes; and what it
 * refuses to take for an empty place.
 */
import fs from "node:fs";
import { mkdir, readdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { isBlockspaceError } from "../../src/base/errors.ts";
import { MemoryEnvironments } from "../../src/checkpoint/memory-environment.ts";
import { SimulatedTree } from "../support/simulated-tree.ts";
import { openSimulatedHost } from "../../src/testing-store/simulated-host.ts";
import { SimulatedDisk } from "../../src/testing/disk.ts";
import type { OnOperation } from "../../src/testing/operation.ts";
import { Host } from "../../src/host/host.ts";
import { openStore } from "../../src/host/open.ts";
import type { StoreParts } from "../../src/host/store.ts";
import { scratchDirectory, seededNumbers } from "../device/scratch.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { blocks, expectBytes, refusal } from "./refusal.ts";

const B = 512;

async function expectUsable(host: Host): Promise<void> {
  expect(host.list()).toEqual([]);
  const disk = await host.create("disk", { size: 8 * B });
  await disk.write(0, blocks("x", 8));
  await host.checkpoint();
  expectBytes(await disk.read(0, 8 * B), blocks("x", 8));
  await host.close();
}

/** The store as it is at every operation of its creation, in several fates. */
async function momentsOfCreation(): Promise<MemoryStore[]> {
  const moments: MemoryStore[] = [];
  const store = MemoryStore.create();
  const next = seededNumbers(5);
  const capture = (): void => {
    for (const fate of [0, 0.4, 0.999]) moments.push(store.crash(() => fate));
    for (let i = 0; i < 3; i++) moments.push(store.crash(() => next(1000) / 1000));
    moments.push(store.killed());
  };
  store.onOperation = ({ kind }) => {
    if (kind !== "read") capture();
  };
  const host = await store.open();
  store.onOperation = undefined;
  capture();
  await host.close();
  return moments;
}

describe("a crash at every operation of a creation", () => {
  it("opening again with create makes a store that works", async () => {
    const moments = await momentsOfCreation();
    expect(moments.length).toBeGreaterThan(60);
    for (const store of moments) await expectUsable(await store.open());
  });

  it("opening again without create works, or says ENOENT and writes nothing", async () => {
    const outcomes = new Set<string>();
    for (const store of await momentsOfCreation()) {
      let changes = 0;
      store.onOperation = ({ kind }) => {
        if (kind !== "read") changes++;
      };
      const opened = await store.open({ create: false }).catch((error: unknown) => error);
      if (opened instanceof Host) {
        outcomes.add("works");
        await expectUsable(opened);
      } else {
        outcomes.add(`${String(isBlockspaceError(opened, "ENOENT"))}, ${changes} changes`);
      }
    }
    expect([...outcomes].toSorted()).toEqual(["true, 0 changes", "works"]);
  });

  it("so do crashes in a creation that follows a crash", async () => {
    const next = seededNumbers(6);
    for (let seed = 0; seed < 60; seed++) {
      let store = MemoryStore.create();
      for (let depth = 0; depth < 4; depth++) {
        const at = next(14);
        let seen = 0;
        let crashed: MemoryStore | undefined;
        const current = store;
        current.onOperation = ({ kind }) => {
          if (kind !== "read" && seen++ === at) crashed = current.crash(() => next(1000) / 1000);
        };
        const host = await current.open();
        await host.close();
        current.onOperation = undefined;
        store = crashed ?? current.killed();
      }
      await expectUsable(await store.open());
    }
  });
});

describe("a kill at every operation of a creation, another process, then loss of power", () => {
  const path = "/srv/stores/store";
  const small = { capacity: 64 * 4096, journalSize: 2 ** 16, path };

  /** The disk as a process leaves it that is killed before one operation or the other. */
  async function killedMakers(): Promise<SimulatedDisk[]> {
    const moments: SimulatedDisk[] = [];
    const disk: SimulatedDisk = new SimulatedDisk({
      onOperation: ({ kind }) => {
        if (kind !== "read") moments.push(disk.killed());
      },
    });
    const host = await openSimulatedHost(disk, { ...small, create: true });
    moments.push(disk.killed());
    await host.close();
    return moments;
  }

  it("loses nothing that the other process has acknowledged (I1)", async () => {
    const moments = await killedMakers();
    expect(moments.length).toBeGreaterThan(30);
    for (const disk of moments) {
      const host = await openSimulatedHost(disk, { ...small, create: true });
      const volume = await host.create("disk", { size: 8 * B });
      await volume.write(0, blocks("x", 8));
      await host.flush();
      const after = await openSimulatedHost(
        disk.crash(() => 0),
        small,
      );
      expectBytes(await after.get("disk").read(0, 8 * B), blocks("x", 8));
    }
  });
});

describe("the names of a store that is there", () => {
  const scratch = scratchDirectory();
  afterEach(() => vi.restoreAllMocks());

  /** The directories that are synced meanwhile. */
  async function syncedIn(work: () => Promise<void>): Promise<Set<bigint>> {
    const synced = new Set<bigint>();
    const real = fs.fsync;
    const spy = vi.spyOn(fs, "fsync").mockImplementation((fd, callback) => {
      const stats = fs.fstatSync(fd, { bigint: true });
      if (stats.isDirectory()) synced.add(stats.ino);
      real(fd, callback);
    });
    await work();
    spy.mockRestore();
    return synced;
  }

  it("are synced by whoever opens it to write, and by nobody else", async () => {
    const path = join(scratch(), "store");
    const open = async (readOnly: boolean): Promise<void> =>
      (await Host.open(path, { readOnly })).close();
    await (await Host.open(path, { create: true, capacity: 2 ** 22 })).close();
    const names = await Promise.all(
      [path, scratch()].map(async (place) => (await stat(place, { bigint: true })).ino),
    );
    expect(await syncedIn(() => open(false))).toEqual(new Set(names));
    expect(await syncedIn(() => open(true))).toEqual(new Set());
  });
});

describe("a failure of every change that a creation makes", () => {
  it("is told, gives the lock back, and the next attempt works", async () => {
    let operations = 0;
    const counted = MemoryStore.create();
    counted.onOperation = ({ kind }) => {
      if (kind !== "read") operations++;
    };
    const host = await counted.open();
    const ofCreation = operations;
    await host.close();
    expect(ofCreation).toBeGreaterThan(15);
    for (let k = 1; k <= ofCreation; k++) {
      const store = MemoryStore.create();
      const cause = new Error(`operation ${k} fails`);
      let seen = 0;
      store.onOperation = ({ kind }) => {
        if (kind !== "read" && ++seen === k) throw cause;
      };
      expect(await refusal(() => store.open())).toMatchObject({ code: "EIO", cause });
      store.onOperation = undefined;
      await expectUsable(await store.open());
    }
  });
});

describe("a store whose data device lies elsewhere", () => {
  interface Elsewhere {
    parts: StoreParts;
    tree: SimulatedTree;
  }

  function over(tree: SimulatedTree, environments = new MemoryEnvironments()): Elsewhere {
    const parts: StoreParts = {
      directory: tree.directory("store"),
      openDevice: (mode) => tree.open("device", mode),
      environments: (_, { storeId }) => environments.openFor(storeId),
    };
    return { tree, parts };
  }

  async function open({ parts }: Elsewhere): Promise<Host> {
    const { layout } = MemoryStore.create();
    return new Host(await openStore(parts, { create: true }, async () => layout));
  }

  async function withDevice(onOperation?: OnOperation): Promise<Elsewhere> {
    const tree = new SimulatedTree(onOperation ? { onOperation } : {});
    const size = 4096 + 1024 * B;
    const device = await tree.create("device", { size, layout: "sparse" });
    await device.flush();
    // On real files `ensure` makes the directory durable itself; in memory the one above is synced.
    await tree.directory("store").ensure();
    await tree.sync();
    return over(tree);
  }

  it("is made in spite of a label that a crash has left on the device", async () => {
    const crashed: SimulatedTree[] = [];
    let capture: (() => void) | undefined;
    const elsewhere = await withDevice(({ kind }) => {
      if (kind !== "read") capture?.();
    });
    const next = seededNumbers(8);
    capture = () => {
      crashed.push(
        elsewhere.tree.crash(() => 0),
        elsewhere.tree.crash(() => 0.999),
      );
      crashed.push(elsewhere.tree.crash(() => next(1000) / 1000));
    };
    const host = await open(elsewhere);
    capture = undefined;
    await host.close();
    expect(crashed.length).toBeGreaterThan(30);
    for (const tree of crashed) await expectUsable(await open(over(tree)));
  });

  it("the device of another store is refused (EEXIST) and left as it was", async () => {
    const elsewhere = await withDevice();
    const host = await open(elsewhere);
    const disk = await host.create("disk", { size: B });
    await disk.write(0, blocks("mine"));
    await host.close();
    const other: Elsewhere = {
      tree: elsewhere.tree,
      parts: {
        ...elsewhere.parts,
        directory: elsewhere.tree.directory("other"),
        environments: (_, { storeId }) => new MemoryEnvironments().openFor(storeId),
      },
    };
    const error = await refusal(() => open(other));
    expect(error.code).toBe("EEXIST");
    expect(error.message).toContain("another store");
    const again = await open(elsewhere);
    expectBytes(await again.get("disk").read(0, B), blocks("mine"));
    await again.close();
  });
});

describe("what is not taken for an empty place", () => {
  const scratch = scratchDirectory();
  const SMALL = { create: true, capacity: 2 ** 22, journalSize: 2 ** 16 };

  it("a directory with something else in it: EEXIST, named, and left as it was", async () => {
    await writeFile(join(scratch(), "thesis.txt"), "years of work");
    const error = await refusal(() => Host.open(scratch(), SMALL));
    expect(error).toMatchObject({ code: "EEXIST", path: scratch() });
    expect(error.message).toContain('"thesis.txt"');
    expect(await readdir(scratch())).toEqual(["thesis.txt"]);
    expect(await readFile(join(scratch(), "thesis.txt"), "utf8")).toBe("years of work");
  });

  it("a store that lost its superblock: EEXIST, and its data stays", async () => {
    const path = join(scratch(), "store");
    const host = await Host.open(path, SMALL);
    await host.create("disk", { size: B });
    await host.close();
    await rename(join(path, "superblock"), join(scratch(), "lost"));
    const before = await stat(join(path, "data"));
    const error = await refusal(() => Host.open(path, SMALL));
    expect(error.code).toBe("EEXIST");
    expect(error.message).toContain("superblock");
    expect((await stat(join(path, "data"))).mtimeMs).toBe(before.mtimeMs);
    await rename(join(scratch(), "lost"), join(path, "superblock"));
    const again = await Host.open(path);
    expect(again.get("disk").size).toBe(B);
    await again.close();
  });

  it("a file: EIO", async () => {
    await writeFile(join(scratch(), "file"), "");
    expect(await refusal(() => Host.open(join(scratch(), "file"), SMALL))).toMatchObject({
      code: "EIO",
    });
  });

  it("directories above that are not there are made", async () => {
    const path = join(scratch(), "a", "b", "store");
    await mkdir(join(scratch(), "a"));
    await (await Host.open(path, SMALL)).close();
    expect(await readdir(path)).toContain("superblock");
  });
});
