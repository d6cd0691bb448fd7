/**
 * Promise I8 and read-only opening, on real files: who may have a store open at the same time, and
 * that a reader leaves it as it was.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { check } from "../../src/fsck/index.ts";
import { Host } from "../../src/host/host.ts";
import { scratchDirectory } from "../device/scratch.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { blocks, expectBytes, picture, refusal } from "./refusal.ts";

const B = 4096;
const SMALL = { capacity: 2 ** 22, journalSize: 2 ** 16, cacheSize: 2 ** 20, maxDirty: 2 ** 20 };
const children: ChildProcess[] = [];

afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** Opens the store in another process; returns what that says, and the process. */
async function elsewhere(
  path: string,
  mode: string,
): Promise<{ said: string; child: ChildProcess }> {
  const opener = join(import.meta.dirname, "store-opener.ts");
  const child = spawn(process.execPath, ["--import", "tsx", opener, path, mode], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  children.push(child);
  const [said] = await once(child.stdout, "data");
  return { said: String(said).trim(), child };
}

describe("I8: one writer", () => {
  const scratch = scratchDirectory();

  it("a second host in the same process is refused at once: ELOCKED", async () => {
    const host = await Host.open(scratch(), { create: true, ...SMALL });
    for (const options of [{}, { create: true }, { readOnly: true }]) {
      const error = await refusal(() => Host.open(scratch(), options));
      expect(error.code).toBe("ELOCKED");
      expect(error.path).toContain(scratch());
    }
    await host.create("disk", { size: B });
    await host.close();
    await (await Host.open(scratch())).close();
  });

  // The store's locks lie in the store: a copy of it has its own, and led to the same data.
  it("a copy of the store with the same data device is refused: ELOCKED", async () => {
    const [one, other, device] = ["one", "other", "device"].map((name) => join(scratch(), name));
    await writeFile(device!, "");
    await truncate(device!, 2 ** 23);
    const made = await Host.open(one!, { create: true, device: device!, journalSize: 2 ** 16 });
    await made.close();
    await cp(one!, other!, { recursive: true });
    const host = await Host.open(one!, { device: device! });
    for (const readOnly of [false, true]) {
      const error = await refusal(() => Host.open(other!, { device: device!, readOnly }));
      expect(error).toMatchObject({ code: "ELOCKED", path: device });
    }
    expect((await check(other!, { device: device! })).failure?.code).toBe("ELOCKED");
    await host.close();
    await (await Host.open(other!, { device: device! })).close();
  });

  it("so is one in another process, and a killed one leaves no lock behind", async () => {
    const host = await Host.open(scratch(), { create: true, ...SMALL });
    expect((await elsewhere(scratch(), "write")).said).toBe("ELOCKED");
    expect((await elsewhere(scratch(), "read")).said).toBe("ELOCKED");
    await host.close();
    const { said, child } = await elsewhere(scratch(), "write");
    expect(said).toBe("open");
    expect(await refusal(() => Host.open(scratch()))).toMatchObject({ code: "ELOCKED" });
    expect(await refusal(() => Host.open(scratch(), { readOnly: true }))).toMatchObject({
      code: "ELOCKED",
    });
    child.kill("SIGKILL");
    await once(child, "exit");
    await (await Host.open(scratch())).close();
  });

  it("who removes the lock file does not get in either", async () => {
    const host = await Host.open(scratch(), { create: true, ...SMALL });
    await rm(join(scratch(), "lock"));
    expect(await refusal(() => Host.open(scratch()))).toMatchObject({ code: "ELOCKED" });
    await host.close();
    await (await Host.open(scratch())).close();
  });

  it("an open that fails gives the lock back", async () => {
    await (await Host.open(scratch(), { create: true, ...SMALL })).close();
    expect(await refusal(() => Host.open(scratch(), { blockSize: 512 }))).toMatchObject({
      code: "EINVAL",
    });
    await (await Host.open(scratch())).close();
  });

  it("so does a close whose checkpoint fails", async () => {
    const store = MemoryStore.create();
    const host = await store.open();
    await host.create("disk", { size: B });
    store.onCommit = () => {
      throw new Error("no");
    };
    expect(await refusal(() => host.close())).toMatchObject({ code: "EIO" });
    store.onCommit = undefined;
    const again = await store.open();
    expect(again.get("disk").size).toBe(B);
    await again.close();
  });
});

/** Every file under a directory, with all of its bytes and times that a write would change. */
async function everyFile(path: string): Promise<Map<string, unknown>> {
  const files = new Map<string, unknown>();
  for (const name of (await readdir(path, { recursive: true })).toSorted()) {
    const { mtimeMs, size, ino, mode } = await stat(join(path, name));
    const isFile = (await stat(join(path, name))).isFile();
    const bytes = isFile ? (await readFile(join(path, name))).toString("base64") : "";
    files.set(name, { mtimeMs, size, ino, mode, bytes });
  }
  return files;
}

describe("read-only opening", () => {
  const scratch = scratchDirectory();

  /** A store as a kill leaves it: some data only in the journal, some at its place. */
  async function killedStore(path: string): Promise<unknown> {
    const host = await Host.open(`${path}-alive`, { create: true, ...SMALL });
    const disk = await host.create("disk", { size: 64 * B });
    await disk.write(0, blocks("home", 20, B));
    await host.snapshot("disk", "snap");
    await host.checkpoint();
    await disk.write(3 * B + 7, Buffer.from("journal only"));
    await disk.discard(10 * B, B);
    await host.delete("snap");
    await host.flush();
    const seen = await picture(host);
    await cp(`${path}-alive`, path, { recursive: true });
    await host.close();
    await rm(`${path}-alive`, { recursive: true });
    return seen;
  }

  it("sees the replayed state and writes nothing to the store", async () => {
    const seen = await killedStore(scratch());
    const before = await everyFile(scratch());
    const reader = await Host.open(scratch(), { readOnly: true });
    const { lastLsn, ...rest } = (await picture(reader)) as { lastLsn: number };
    expect(rest).toMatchObject({ subvolumes: (seen as { subvolumes: unknown }).subvolumes });
    expect(lastLsn).toBeGreaterThan(0);
    await reader.flush();
    await reader.close();
    expect(await everyFile(scratch())).toEqual(before);
  });

  it("sees data that is only in the journal, and dead maps that nobody took apart", async () => {
    const store = MemoryStore.create();
    const host = await store.open();
    const disk = await host.create("disk", { size: 64 * 512 });
    await disk.write(0, blocks("x", 8));
    await host.checkpoint();
    await disk.write(512, blocks("journal"));
    await host.flush();
    const after = store.killed();
    let writes = 0;
    after.onOperation = ({ kind }) => {
      if (kind !== "read") writes++;
    };
    after.onCommit = () => void writes++;
    const reader = await after.open({ readOnly: true });
    expectBytes(await reader.get("disk").read(512, 512), blocks("journal"));
    expect(reader.recovery).toMatchObject({ commits: 1, records: 1 });
    expect(reader.statistics().pendingBytes).toBe(512);
    await reader.close();
    expect(writes).toBe(0);
    await host.close();
  });

  it("refuses every change with EROFS", async () => {
    await killedStore(scratch());
    const host = await Host.open(scratch(), { readOnly: true });
    const disk = host.get("disk");
    const before = await picture(host);
    for (const call of [
      () => disk.write(0, blocks("x")),
      () => disk.discard(0, B),
      () => disk.writeZeroes(0, B),
      () => disk.preallocate(0, B),
      () => disk.resize(B),
      () => disk.reserve(1, B),
      () => host.create("new", { size: B }),
      () => host.snapshot("disk", "new"),
      () => host.clone("disk", "new"),
      () => host.rename("disk", "new"),
      () => host.delete("disk"),
      () => host.transact((tx) => tx.write(disk, 0, blocks("x"))),
      () => host.checkpoint(),
      () => host.compact(),
    ]) {
      expect(await refusal(call)).toMatchObject({ code: "EROFS" });
    }
    expect(await picture(host)).toEqual(before);
    await host.close();
  });

  it("several readers may have it open at once, a writer with them may not", async () => {
    await killedStore(scratch());
    const one = await Host.open(scratch(), { readOnly: true });
    const two = await Host.open(scratch(), { readOnly: true });
    expect((await elsewhere(scratch(), "read")).said).toBe("open");
    expect((await elsewhere(scratch(), "write")).said).toBe("ELOCKED");
    expect(await refusal(() => Host.open(scratch()))).toMatchObject({ code: "ELOCKED" });
    expect(await picture(one)).toEqual(await picture(two));
    await one.close();
    expect(await refusal(() => Host.open(scratch()))).toMatchObject({ code: "ELOCKED" });
    await two.close();
  });

  it("of what is not there is ENOENT, and makes nothing", async () => {
    const path = join(scratch(), "none");
    const error = await refusal(() => Host.open(path, { readOnly: true }));
    expect(error).toMatchObject({ code: "ENOENT", path });
    expect(await readdir(scratch())).toEqual([]);
  });
});
