/**
 * Blocks that the journal carried long ago, came free, and are somebody else's since.
 *
 * A store whose checkpoints are both lost is replayed from its creation. Replay kept every block
 * that any frame had carried, and when one of them was used again by a frame without data, its old
 * bytes were taken for the new ones: read without an error, and written home over what stood there
 * (promise I6). The check passed over such blocks, and a repair made it last. An independent reader
 * of FORMAT.md found it.
 */
import { describe, expect, it } from "vitest";
import { examine } from "../../src/fsck/check.ts";
import { repairStore } from "../../src/fsck/repair.ts";
import { MiB } from "../../src/base/units.ts";
import type { Subvolume } from "../../src/host/subvolume.ts";
import { FsckStore, smallLayout } from "./support/fsck-store.ts";

const B = 512;
const FIRST = 200;
const SECOND = 120;
const BLOCKS = 256;

/** Everything in the journal since creation, and no checkpoint; 200 blocks carried, then freed. */
async function storeWithoutCheckpoints(use: (disk: Subvolume) => Promise<void>) {
  const store = new FsckStore({ ...smallLayout, journalSize: 8 * MiB });
  const host = await store.open({ journalSize: 8 * MiB });
  const disk = await host.create("disk", { size: BLOCKS * B });
  for (let i = 0; i < FIRST; i++) await disk.write(i * B, Buffer.alloc(B, `old ${i} `));
  await host.flush();
  await disk.discard(0, BLOCKS * B);
  for (let i = 0; i < 3; i++) await host.checkpoint();
  await use(disk);
  await host.flush();
  const left = store.copy();
  await host.close();
  left.images.a = undefined;
  left.images.b = undefined;
  return left;
}

/** By way of a cookie: the data goes to its place and is in no frame. */
async function writeDirectly(disk: Subvolume): Promise<void> {
  const cookie = await disk.reserve(SECOND, B);
  for (let at = 0; at < SECOND * B;) {
    const iomap = await disk.allocate(cookie, at, SECOND * B - at);
    await disk.submit(iomap, fresh.subarray(at, at + iomap.length));
    at += iomap.length;
  }
  await disk.commit(cookie, 0, SECOND * B, "cow");
  cookie.put();
}

const fresh = Buffer.concat(Array.from({ length: SECOND }, (_, i) => Buffer.alloc(B, `new ${i} `)));

describe("blocks that were carried, freed, and used again without data in the journal", () => {
  it("I6: read as what was written last, at once and after what was pending went home", async () => {
    const store = await storeWithoutCheckpoints(writeDirectly);
    for (let i = 0; i < 2; i++) {
      const host = await store.open({ journalSize: 8 * MiB });
      expect(host.recovery.commits > 0).toBe(i === 0);
      expect((await host.get("disk").read(0, SECOND * B)).equals(fresh)).toBe(true);
      await host.close();
    }
  });

  it("I6: read as zeroes where they were preallocated", async () => {
    const store = await storeWithoutCheckpoints((disk) => disk.preallocate(0, SECOND * B));
    const host = await store.open({ journalSize: 8 * MiB });
    expect(host.statistics().pendingBytes).toBe(0);
    expect((await host.get("disk").read(0, SECOND * B)).equals(Buffer.alloc(SECOND * B))).toBe(
      true,
    );
    await host.close();
  });

  it("I6: are read by a check, and stay as they are in a repair", async () => {
    const store = await storeWithoutCheckpoints(writeDirectly);
    const { report } = await examine(store.access, { data: true });
    expect(report.data?.bytes).toBe(SECOND * B);
    await repairStore(store.access, undefined);
    expect((await examine(store.access, { data: true })).report.findings).toEqual([]);
    const host = await store.open({ journalSize: 8 * MiB });
    expect((await host.get("disk").read(0, SECOND * B)).equals(fresh)).toBe(true);
    await host.close();
  });
});
