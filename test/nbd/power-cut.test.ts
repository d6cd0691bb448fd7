/**
 * A file system over a store that loses power: ext4 on a subvolume of a store in memory, which is
 * cut off in the middle of the load, several times, each with its own choice of what of the
 * unflushed writes is left. What comes back must mount, be clean for its checker, and hold every
 * file that had been synced before the cut. `BLOCKSPACE_POWER_CUTS` sets how many.
 */
import { mkdtemp, mkdir, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { NbdServer } from "../../src/nbd/index.ts";
import { seededNumbers } from "../device/scratch.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { cannotMount, note, tool, tryTool } from "./external-tools.ts";
import { lendFile } from "./lent-file.ts";

const CUTS = Number(process.env["BLOCKSPACE_POWER_CUTS"] ?? 3);
const MiB = 2 ** 20;
const reason = cannotMount("ext4");
/** Large enough for a journal of the file system's own. */
const layout = {
  blockSize: 4096,
  segmentBlocks: 256,
  capacityBlocks: 2 ** 15,
  nodeSize: 4072,
  journalAlignment: 4096,
  journalSize: 4 * MiB,
};

let scratch = "";
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "blockspace-nbd-"));
});
afterEach(async () => {
  await tryTool("umount", ["-l", join(scratch, "mnt")]);
  await tryTool("fusermount3", ["-u", "-z", join(scratch, "fuse")]);
  await rm(scratch, { recursive: true });
});

/** Opens a store, serves its `disk`, and mounts that while `work` runs. */
async function withMounted(
  store: MemoryStore,
  work: (directory: string) => Promise<void>,
  before: (file: string) => Promise<unknown> = () => Promise.resolve(),
): Promise<void> {
  const host = await store.open({ journalSize: 4 * MiB, cacheSize: 4 * MiB, maxDirty: 4 * MiB });
  if (host.list().length === 0) await host.create("disk", { size: 64 * MiB });
  const server = new NbdServer(host);
  const path = join(scratch, "nbd.sock");
  await server.listen({ path });
  const directory = join(scratch, "mnt");
  await mkdir(directory, { recursive: true });
  await lendFile(`nbd+unix:///disk?socket=${path}`, join(scratch, "fuse"), async (file) => {
    await before(file);
    await tool("mount", "-o", "loop", file, directory);
    await work(directory);
    await tool("umount", directory);
    await tool("e2fsck", "-fn", file);
  });
  await server.close();
  await host.close();
}

/** Numbers from 0 to 1, the same for the same seed. */
function random(seed: number): () => number {
  const next = seededNumbers(seed);
  return () => next(2 ** 30) / 2 ** 30;
}

/** Writes a file and returns when it is synced. */
async function writeSynced(path: string, text: string): Promise<void> {
  const file = await open(path, "w");
  await file.write(text);
  await file.sync();
  await file.close();
}

describe("ext4 over a store that loses power", () => {
  it.skipIf(reason)(
    `is clean and whole after ${CUTS} cuts${note(reason)}`,
    { timeout: 600_000 },
    async () => {
      const store = MemoryStore.create(layout);
      const left: { seed: number; store: MemoryStore; synced: Map<string, string> }[] = [];
      await withMounted(
        store,
        async (directory) => {
          const synced = new Map<string, string>();
          for (let i = 0; left.length < CUTS; i++) {
            // Some of it is never synced by us, so that there is always something under way.
            const loose = writeFile(join(directory, `loose-${i % 7}`), `${i} `.repeat(30_000));
            const name = `synced-${i}`;
            const text = `${i} `.repeat(100 + ((i * 7919) % 9000));
            await writeSynced(join(directory, name), text);
            synced.set(name, text);
            const seed = 1000 + i;
            if (i % 4 === 3)
              left.push({ seed, store: store.crash(random(seed)), synced: new Map(synced) });
            await loose;
          }
        },
        (file) => tool("mkfs.ext4", "-q", "-F", file),
      );
      for (const { seed, store: cut, synced } of left) {
        await withMounted(cut, async (directory) => {
          for (const [name, text] of synced) {
            const found = await readFile(join(directory, name), "utf8").catch(String);
            expect({ seed, name, same: found === text }).toEqual({ seed, name, same: true });
          }
        });
      }
    },
  );
});
