/**
 * File systems over a store that loses power: each on a subvolume of a store on a simulated disk,
 * which is cut off in the middle of the load, several times, each with its own choice of what of
 * the unflushed writes is left. What comes back must mount, be clean for its checker, and hold
 * every file that had been synced before the cut. `BLOCKSPACE_POWER_CUTS` sets how many.
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
/** Each as small as its maker takes it, with a journal of its own. */
const kinds: Record<string, { size: number; make: string[]; check: string[] }> = {
  ext4: { size: 64 * MiB, make: ["-q", "-F"], check: ["e2fsck", "-fn"] },
  xfs: { size: 300 * MiB, make: ["-q", "-f"], check: ["xfs_repair", "-n"] },
  btrfs: { size: 128 * MiB, make: ["-q", "-f"], check: ["btrfs", "check"] },
};
const layout = {
  blockSize: 4096,
  segmentBlocks: 256,
  capacityBlocks: 2 ** 17,
  nodeSize: 4072,
  journalAlignment: 4096,
  journalSize: 4 * MiB,
};

/** What a loss of power has left, and what must be in it. */
interface Cut {
  seed: number;
  store: MemoryStore;
  synced: Map<string, string>;
}

let scratch = "";
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "blockspace-nbd-"));
});
afterEach(async () => {
  await tryTool("umount", ["-l", join(scratch, "mnt")]);
  await tryTool("fusermount3", ["-u", "-z", join(scratch, "fuse")]);
  await rm(scratch, { recursive: true });
});

/** Opens a store, serves its `disk`, mounts that while `work` runs, and has it checked. */
async function withMounted(
  store: MemoryStore,
  kind: string,
  work: (directory: string) => Promise<void>,
): Promise<void> {
  const { size, make, check } = kinds[kind]!;
  const [checker, ...checking] = check as [string];
  const host = await store.open({ journalSize: 4 * MiB, cacheSize: 4 * MiB, maxDirty: 4 * MiB });
  const isNew = host.list().length === 0;
  if (isNew) await host.create("disk", { size });
  const server = new NbdServer(host);
  const path = join(scratch, "nbd.sock");
  await server.listen({ path });
  const directory = join(scratch, "mnt");
  await mkdir(directory, { recursive: true });
  await lendFile(`nbd+unix:///disk?socket=${path}`, join(scratch, "fuse"), async (file) => {
    if (isNew) await tool(`mkfs.${kind}`, ...make, file);
    await tool("mount", "-o", "loop", file, directory);
    try {
      await work(directory);
    } finally {
      await tool("umount", directory);
    }
    await tool(checker, ...checking, file);
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

/** Writes files, cuts the power every few of them, and returns what each cut has left. */
async function cutUnderLoad(store: MemoryStore, directory: string): Promise<Cut[]> {
  const cuts: Cut[] = [];
  const synced = new Map<string, string>();
  for (let i = 0; cuts.length < CUTS; i++) {
    // Some of it is never synced by us, so that there is always something under way.
    const loose = writeFile(join(directory, `loose-${i % 7}`), `${i} `.repeat(30_000));
    const name = `synced-${i}`;
    const text = `${i} `.repeat(100 + ((i * 7919) % 9000));
    await writeSynced(join(directory, name), text);
    synced.set(name, text);
    const seed = 1000 + i;
    if (i % 4 === 3) {
      cuts.push({ seed, store: store.crash(random(seed)), synced: new Map(synced) });
    }
    await loose;
  }
  return cuts;
}

describe.each(Object.keys(kinds))("%s over a store that loses power", (kind) => {
  const reason = cannotMount(kind);

  it.skipIf(reason)(
    `is clean and whole after ${CUTS} cuts${note(reason)}`,
    { timeout: 600_000 },
    async () => {
      const store = MemoryStore.create(layout);
      let cuts: Cut[] = [];
      await withMounted(store, kind, async (directory) => {
        cuts = await cutUnderLoad(store, directory);
      });
      for (const { seed, store: left, synced } of cuts) {
        await withMounted(left, kind, async (directory) => {
          for (const [name, text] of synced) {
            const found = await readFile(join(directory, name), "utf8").catch(String);
            expect({ seed, name, same: found === text }).toEqual({ seed, name, same: true });
          }
        });
      }
    },
  );
});
