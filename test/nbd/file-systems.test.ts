/**
 * Real file systems on served subvolumes: made, filled, snapshotted while they are busy, killed under
 * a writer. nbdfuse and a loop device bring them to the kernel; where those are not to be had, every
 * test here is skipped by name. `BLOCKSPACE_SERVER_KILLS` sets how often the server is killed.
 */
import { once } from "node:events";
import { cpSync, mkdirSync, readFileSync } from "node:fs";
import { cp, open, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { blockspace, makeStore, scratch } from "../cli/blockspace.ts";
import { cannotMount, note, tool, tryTool } from "./external-tools.ts";
import { lendFile } from "./lent-file.ts";
import { type ServedProcess, serveStore } from "./served-process.ts";

const at = scratch();
const KILLS = Number(process.env["BLOCKSPACE_SERVER_KILLS"] ?? 2);
const source = fileURLToPath(new URL("../../src", import.meta.url));
const SIZE = 400 * 2 ** 20;

interface Kind {
  make: string[];
  check: string[];
  /** Options for mounting a clone beside its source. */
  clone: string[];
}

const kinds: Record<string, Kind> = {
  xfs: { make: ["-q", "-f"], check: ["xfs_repair", "-n"], clone: ["--options", "nouuid"] },
  ext4: { make: ["-q", "-F"], check: ["e2fsck", "-fn"], clone: [] },
  btrfs: { make: ["-q", "-f"], check: ["btrfs", "check"], clone: [] },
};

const mounted = new Set<string>();

afterEach(async () => {
  for (const path of mounted) {
    await tryTool("umount", ["-l", path]);
    await tryTool("fusermount3", ["-u", "-z", path]);
  }
  mounted.clear();
});

/** Lends a subvolume as a file, for tools that make and check file systems. */
async function asFile<T>(
  { uri }: ServedProcess,
  name: string,
  work: (file: string) => Promise<T>,
): Promise<T> {
  const directory = at(`file-${name}`);
  mounted.add(directory);
  const result = await lendFile(uri(name), directory, work);
  mounted.delete(directory);
  return result;
}

async function mount(
  { store }: ServedProcess,
  name: string,
  ...options: string[]
): Promise<string> {
  const directory = at(`mnt-${name}`);
  mkdirSync(directory, { recursive: true });
  await blockspace("mount", store, name, directory, ...options);
  mounted.add(directory);
  return directory;
}

async function umount(directory: string): Promise<void> {
  await blockspace("umount", directory);
  mounted.delete(directory);
}

/** A served store whose `disk` has a file system. */
async function servedFileSystem(kind: string): Promise<ServedProcess> {
  const store = await makeStore(at("store"), (host) => host.create("disk", { size: SIZE }));
  const served = await serveStore(store);
  await asFile(served, "disk", (file) => tool(`mkfs.${kind}`, ...kinds[kind]!.make, file));
  return served;
}

async function check(served: ServedProcess, name: string, kind: string): Promise<void> {
  const [command, ...args] = kinds[kind]!.check;
  await asFile(served, name, (file) => tool(command!, ...args, file));
}

/** Every file of the source tree is the same below another directory. */
function expectSameTree(copy: string, files: readonly string[]): void {
  for (const file of files) {
    if (readFileSync(join(copy, file)).equals(readFileSync(join(source, file)))) continue;
    throw new Error(`${file} differs`);
  }
}

async function filesOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1));
}

describe.each(Object.keys(kinds))("%s", (kind) => {
  const reason = cannotMount(kind);

  it.skipIf(reason)(
    `is snapshotted while it is busy, and the clone is clean and whole${note(reason)}`,
    async () => {
      const served = await servedFileSystem(kind);
      const directory = await mount(served, "disk");
      await cp(source, join(directory, "synced"), { recursive: true });
      await tool("sync", "-f", directory);
      let busy = true;
      const writer = (async () => {
        for (let i = 0; busy; i++) {
          await cp(source, join(directory, `busy-${i % 5}`), { recursive: true, force: true });
        }
      })();
      await setTimeout(150);
      await blockspace("snapshot", served.store, "disk", "disk@busy");
      await blockspace("clone", served.store, "disk@busy", "lab");
      const lab = await mount(served, "lab", ...kinds[kind]!.clone);
      expectSameTree(join(lab, "synced"), await filesOf(source));
      await writeFile(join(lab, "new"), "only here");
      busy = false;
      await writer;
      await umount(lab);
      await umount(directory);
      await check(served, "lab", kind);
      await check(served, "disk", kind);
      expect(await served.stop()).toBe(0);
    },
  );
});

describe("clones", () => {
  const reason = cannotMount("ext4");

  it.skipIf(reason)(
    `a hundred of one image are served, and three of them mounted at once${note(reason)}`,
    async () => {
      const store = await makeStore(at("store"), (host) => host.create("disk", { size: SIZE }));
      const preparing = await serveStore(store);
      await asFile(preparing, "disk", (file) => tool("mkfs.ext4", "-q", "-F", "-d", source, file));
      await preparing.stop();
      await makeClones(store, 100);
      const served = await serveStore(store);
      const listed = JSON.parse(await tool("nbdinfo", "--json", "--list", served.uri(""))) as {
        exports: unknown[];
      };
      expect(listed.exports).toHaveLength(102);
      const directories = await Promise.all([7, 42, 99].map((i) => mount(served, `job-${i}`)));
      for (const [i, directory] of directories.entries()) {
        cpSync(source, join(directory, `own-${i}`), { recursive: true });
      }
      for (const [i, directory] of directories.entries()) {
        expect((await readdir(directory)).filter((name) => name.startsWith("own"))).toEqual([
          `own-${i}`,
        ]);
        expectSameTree(join(directory, `own-${i}`), await filesOf(source));
        expectSameTree(directory, await filesOf(source));
        await umount(directory);
      }
      for (const i of [7, 42, 99, 1]) await check(served, `job-${i}`, "ext4");
    },
  );
});

describe("a server that is killed under a writing XFS", () => {
  const reason = cannotMount("xfs");

  it.skipIf(reason)(
    `loses nothing that was synced, ${KILLS} times${note(reason)}`,
    async () => {
      let served = await servedFileSystem("xfs");
      const synced = new Map<string, string>();
      for (let round = 0; round < KILLS; round++) {
        const directory = await mount(served, "disk");
        const before = synced.size;
        const writing = writeUntilItFails(directory, round, synced);
        while (synced.size < before + 2) await setTimeout(5);
        await setTimeout((round * 137) % 400);
        const { child } = served.running;
        const closed = once(child, "close");
        child.kill("SIGKILL");
        await closed;
        await writing;
        await umount(directory);
        served = await serveStore(served.store);
        const again = await mount(served, "disk");
        for (const [name, text] of synced) {
          if ((await readFile(join(again, name), "utf8")) !== text)
            throw new Error(`${name} is not as it was`);
        }
        await umount(again);
        await check(served, "disk", "xfs");
      }
      expect(synced.size).toBeGreaterThan(KILLS);
    },
    600_000,
  );
});

/** Writes and syncs files, and remembers those that were; ends when the disk is gone. */
async function writeUntilItFails(
  directory: string,
  round: number,
  synced: Map<string, string>,
): Promise<void> {
  try {
    for (let i = 0; ; i++) {
      const name = `file-${round}-${i % 40}`;
      const text = `${round} ${i} `.repeat(200 + ((i * 97) % 3000));
      synced.delete(name);
      const file = await open(join(directory, name), "w");
      try {
        await file.write(text);
        await file.sync();
      } finally {
        await file.close();
      }
      const parent = await open(directory);
      try {
        await parent.sync();
      } finally {
        await parent.close();
      }
      synced.set(name, text);
    }
  } catch {
    // The server was killed; what has been remembered is what counts.
  }
}

async function makeClones(store: string, count: number): Promise<void> {
  const { Host } = await import("../../src/index.ts");
  const host = await Host.open(store);
  await host.snapshot("disk", "golden");
  for (let i = 1; i <= count; i++) await host.clone("golden", `job-${i}`);
  await host.close();
}
