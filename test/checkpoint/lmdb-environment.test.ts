/**
 * What only the environment on disk promises: it is created whole or not at all, read without a
 * trace, and committed on another thread whose failure is told.
 */
import { execFile } from "node:child_process";
import {
  mkdir,
  mkdtemp,
  open as openFile,
  readdir,
  readFile,
  rm,
  stat,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lmdbEnvironments } from "../../src/checkpoint/lmdb-environment.ts";
import { naiveClosing, put, storeId } from "./naive-closing.ts";

let store: string;
let directory: string;

beforeEach(async () => {
  store = await mkdtemp(join(tmpdir(), "blockspace-test-"));
  directory = join(store, "checkpoint");
});

afterEach(async () => {
  await rm(store, { recursive: true });
});

function at(epoch: number): { epoch: number; lsn: number; reset: boolean } {
  return { epoch, lsn: epoch, reset: false };
}

/** Everything that reading could leave behind: names, sizes, times, contents. */
async function pictureOf(path: string): Promise<unknown[]> {
  const names = (await readdir(path, { recursive: true })).toSorted();
  return Promise.all(
    ["", ...names].map(async (name) => {
      const { mode, size, mtimeMs, ctimeMs, ino } = await stat(join(path, name));
      const content = name.endsWith(".mdb") ? await readFile(join(path, name), "latin1") : "";
      return { name, mode, size, mtimeMs, ctimeMs, ino, content };
    }),
  );
}

describe("opening to write", () => {
  it("creates the environment under its name, and nothing else", async () => {
    const environment = await lmdbEnvironments(directory, { storeId })("a");
    await environment.close();
    expect(await readdir(directory)).toEqual(["a"]);
    expect((await readdir(join(directory, "a"))).toSorted()).toEqual(["data.mdb", "lock.mdb"]);
  });

  it("starts over where a crash has interrupted the creation", async () => {
    await mkdir(join(directory, "b.new"), { recursive: true });
    await writeFile(join(directory, "b.new", "data.mdb"), Buffer.alloc(5000, 1));
    const environment = await lmdbEnvironments(directory, { storeId })("b");
    expect((await environment.commit([put(1, 1, 1)], at(1))).count).toBe(1);
    await environment.close();
    expect(await readdir(directory)).toEqual(["b"]);
  });

  it.each([0, 4096, 8191])(
    "refuses a data file of %d bytes instead of starting over",
    async (size) => {
      const environment = await lmdbEnvironments(directory, { storeId })("a");
      await environment.commit([put(1, 1, 1)], at(1));
      await environment.close();
      const data = await openFile(join(directory, "a", "data.mdb"), "r+");
      await data.truncate(size);
      await data.close();
      for (const readOnly of [false, true]) {
        const opening = lmdbEnvironments(directory, { storeId, readOnly })("a");
        await expect(opening).rejects.toMatchObject({ code: "ECORRUPT" });
      }
    },
  );

  it.each([
    ["the kind of the page", 18],
    ["the magic", 24],
    ["the version", 28],
  ])("refuses a data file with damage to %s", async (_what, offset) => {
    await (await lmdbEnvironments(directory, { storeId })("a")).close();
    const data = await openFile(join(directory, "a", "data.mdb"), "r+");
    await data.write(Uint8Array.of(0x55), 0, 1, offset);
    await data.close();
    for (const readOnly of [false, true]) {
      const opening = lmdbEnvironments(directory, { storeId, readOnly })("a");
      await expect(opening).rejects.toMatchObject({ code: "ECORRUPT" });
    }
  });

  it("refuses a directory without a data file", async () => {
    await mkdir(join(directory, "a"), { recursive: true });
    const opening = lmdbEnvironments(directory, { storeId })("a");
    await expect(opening).rejects.toMatchObject({ code: "ECORRUPT" });
    expect(await readdir(join(directory, "a"))).toEqual([]);
  });
});

describe("opening to read only", () => {
  it("finds what was committed and leaves no trace", async () => {
    const environment = await lmdbEnvironments(directory, { storeId })("a");
    const closing = await environment.commit([put(1, 1, 3), put(2, 5, 9000)], at(4));
    await environment.close();
    const before = await pictureOf(store);
    const reader = await lmdbEnvironments(directory, { storeId, readOnly: true })("a");
    expect(reader.closing()).toEqual(closing);
    expect(naiveClosing(reader, [1, 2])).toMatchObject({ count: 2, digest: closing.digest });
    expect(reader.get(2, 5)).toHaveLength(9004);
    await expect(reader.commit([], at(5))).rejects.toThrow(/^EROFS/);
    expect(reader.closing()).toEqual(closing);
    expect(await pictureOf(store)).toEqual(before);
    await reader.close();
    expect(await pictureOf(store)).toEqual(before);
  });

  it("takes an environment that is not there for an empty one", async () => {
    const reader = await lmdbEnvironments(directory, { storeId, readOnly: true })("b");
    expect(reader.closing()).toBeUndefined();
    expect(reader.get(1, 1)).toBeUndefined();
    expect([...reader.scan(1)]).toEqual([]);
    await expect(reader.commit([], at(1))).rejects.toThrow(/^EROFS/);
    await reader.close();
    expect(await readdir(store)).toEqual([]);
  });
});

describe("committing on a thread", () => {
  it("leaves the event loop free", async () => {
    const environment = await lmdbEnvironments(directory, { storeId })("a");
    await environment.commit([], at(1));
    let ticks = 0;
    let running = true;
    const tick = (): void => {
      ticks++;
      if (running) setImmediate(tick);
    };
    tick();
    const changes = Array.from({ length: 2000 }, (_, id) => put(1, id, 4000));
    await environment.commit(changes, at(2));
    running = false;
    await environment.close();
    // One turn for each of 8 chunks and their answers is what a blocking commit would leave.
    expect(ticks).toBeGreaterThan(100);
  });

  it("keeps the process alive for a commit, and no longer", async () => {
    const source = new URL("../../src/checkpoint/lmdb-environment.ts", import.meta.url).href;
    const program = `
      import { lmdbEnvironments } from ${JSON.stringify(source)};
      const storeId = Uint8Array.of(${storeId.join()});
      const environment = await lmdbEnvironments(process.argv[1], { storeId })("a");
      await environment.commit([], { epoch: 1, lsn: 1, reset: false });
      await environment.commit([], { epoch: 2, lsn: 2, reset: false });`;
    const options = ["--import", "tsx", "--input-type=module", "--eval", program, directory];
    // A process that does not end is killed, which rejects; one that ends too soon exits with 13.
    await promisify(execFile)(process.execPath, options, { timeout: 30_000 });
    const environment = await lmdbEnvironments(directory, { storeId })("a");
    expect(environment.closing()?.epoch).toBe(2);
    await environment.close();
  });

  it("tells when the thread cannot write, and takes no commit after", async () => {
    const environment = await lmdbEnvironments(directory, { storeId })("a");
    await rm(join(directory, "a"), { recursive: true });
    await writeFile(join(directory, "a"), "no directory");
    const failure = { code: "EIO", path: join(directory, "a"), cause: expect.any(Error) as Error };
    await expect(environment.commit([put(1, 1, 1)], at(1))).rejects.toMatchObject(failure);
    await expect(environment.commit([], at(2))).rejects.toMatchObject({ code: "EIO" });
    await environment.close();
  });

  it("believes only what it reads back", async () => {
    const environment = await lmdbEnvironments(directory, { storeId })("a");
    // The thread then creates another environment of that name, which this one does not see.
    await rm(join(directory, "a"), { recursive: true });
    await expect(environment.commit([put(1, 1, 1)], at(1))).rejects.toThrow(
      /^ECORRUPT.*reads back/,
    );
    await environment.close();
  });
});
