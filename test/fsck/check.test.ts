/** A check of stores that are as they should be, and of what a crash may leave: nothing is found. */
import { describe, expect, it } from "vitest";
import { examine } from "../../src/fsck/check.ts";
import { randomFrom } from "../../tools/damage/random.ts";
import { FsckStore } from "./support/fsck-store.ts";
import { sampleStore, work } from "./support/sample-store.ts";

async function findingsOf(store: FsckStore): Promise<string[]> {
  const { report } = await examine(store.access, { data: true });
  expect(report.failure).toBeUndefined();
  return report.findings.map(
    ({ id, message, where }) => `${id} ${message} ${JSON.stringify(where)}`,
  );
}

describe("a sound store", () => {
  it("new and empty", async () => {
    const store = new FsckStore();
    await (await store.open()).close();
    expect(await findingsOf(store)).toEqual([]);
  });

  it.each(Array.from({ length: 20 }, (_, seed) => seed))("after work, seed %i", async (seed) => {
    expect(await findingsOf(await sampleStore(seed))).toEqual([]);
  });

  it("goes through every phase in order", async () => {
    const { report } = await examine((await sampleStore(1)).access, { data: true });
    expect(report.phases.map(({ phase }) => phase)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(report.exitCode).toBe(0);
  });

  // Check called it damage (X019), and a repair showed the clone what its source had written; row
  // 24 of the recovery tests found it.
  it("with a clone that maps as unwritten what its source has written since", async () => {
    const B = 512;
    const store = new FsckStore();
    const host = await store.open();
    const disk = await host.create("disk", { size: 8 * B });
    await disk.preallocate(0, 2 * B);
    const cookie = await disk.reserve(2, B);
    const iomap = await disk.allocate(cookie, 0, 2 * B);
    await disk.submit(iomap, Buffer.alloc(2 * B, "written"));
    await host.clone("disk", "clone");
    await disk.commit(cookie, 0, 2 * B, "unwritten");
    cookie.put();
    await host.checkpoint();
    expect(await findingsOf(store.copy())).toEqual([]);
    await disk.discard(0, 2 * B);
    await host.flush();
    expect(await findingsOf(store.copy())).toEqual([]);
    expect(await host.get("clone").read(0, 2 * B)).toEqual(Buffer.alloc(2 * B));
    await host.close();
  });

  it("I2: after a loss of power at any operation nothing is found", async () => {
    for (let seed = 0; seed < 40; seed++) {
      const random = randomFrom(1000 + seed);
      const store = await sampleStore(seed);
      const host = await store.open();
      const left: FsckStore[] = [];
      const snap = (): void => {
        const { a, b } = store.images;
        left.push(
          new FsckStore(store.layout, store.directory.crash(random), {
            a: a?.clone(),
            b: b?.clone(),
          }),
        );
      };
      for (let i = 0; i < 6; i++) {
        const working = work(host, random, 3);
        snap();
        await working;
        snap();
        const checkpoint = host.checkpoint();
        snap();
        await checkpoint;
        snap();
      }
      await host.close();
      for (const crashed of left)
        expect({ seed, found: await findingsOf(crashed) }).toEqual({ seed, found: [] });
    }
  });
});
