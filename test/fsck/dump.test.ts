/**
 * A dump says everything that the metadata says, once; a store restored from it over the same data
 * is equal. A dump that somebody has tampered with is refused with a reason, never half believed.
 */
import { describe, expect, it } from "vitest";
import { isBlockspaceError } from "../../src/base/errors.ts";
import { examine } from "../../src/fsck/check.ts";
import type { DumpLine } from "../../src/fsck/dump.ts";
import { readDump } from "../../src/fsck/restore.ts";
import { dumpStore, restoreStore } from "../../src/fsck/transfer.ts";
import { below, pick, randomFrom } from "../../tools/damage/random.ts";
import { pictureOf } from "./support/contents.ts";
import { FsckStore } from "./support/fsck-store.ts";
import { sampleStore } from "./support/sample-store.ts";

/** A store that was closed, so that its data is in its place. */
async function closedStore(seed: number): Promise<FsckStore> {
  const store = await sampleStore(seed);
  await (await store.open()).close();
  return store;
}

async function* each(lines: Iterable<string>): AsyncGenerator<string> {
  yield* lines;
}

function texts(lines: Iterable<DumpLine>): string[] {
  return Array.from(lines, (line) => JSON.stringify(line));
}

describe("dump and restore", () => {
  it.each([1, 2, 3, 4, 5, 6])("make an equal store over the same data, seed %i", async (seed) => {
    const store = await closedStore(seed);
    const lines = texts(await dumpStore(store.access));
    const twin = new FsckStore(store.layout);
    await twin.write("data", await store.read("data"));
    await restoreStore(twin.access, await readDump(each(lines)));
    const { report } = await examine(twin.access, { data: true });
    expect(report.findings).toEqual([]);
    expect(await pictureOf(twin)).toEqual(await pictureOf(store));
    expect(texts(await dumpStore(twin.access))).toEqual(lines);
    const host = await twin.open();
    await host.create("goes on", { size: 512 });
    await host.close();
  });

  it("print a shared node once", async () => {
    const lines = [...(await dumpStore((await closedStore(1)).access))];
    const nodes = lines
      .filter(({ type }) => type === "node")
      .map((line) => "id" in line && line.id);
    expect(new Set(nodes).size).toBe(nodes.length);
    expect(lines.at(-1)).toEqual({ type: "end", lines: lines.length - 1 });
  });

  it("a skeleton has no names, no checksums and no uuid, and is a dump all the same", async () => {
    const store = await closedStore(2);
    const whole = texts(await dumpStore(store.access));
    const skeleton = texts(await dumpStore(store.access, { skeleton: true }));
    expect(whole.join("")).toContain("disk");
    expect(skeleton.join("")).not.toContain("disk");
    expect(skeleton).toHaveLength(whole.length);
    const twin = new FsckStore(store.layout);
    await restoreStore(twin.access, await readDump(each(skeleton)));
    expect((await examine(twin.access)).report.findings).toEqual([]);
  });

  it("a store that needs a repair is not dumped, but for a skeleton", async () => {
    const store = await closedStore(3);
    const bytes = await store.read("superblock");
    bytes[200]! ^= 1;
    await store.write("superblock", bytes);
    await expect(dumpStore(store.access)).rejects.toThrow(
      "needs a repair before it can be dumped: S001",
    );
    expect(texts(await dumpStore(store.access, { skeleton: true })).length).toBeGreaterThan(3);
  });

  it("a store is not restored over another one, nor over other data", async () => {
    const [one, other] = [await closedStore(1), await closedStore(2)];
    const restored = await readDump(each(texts(await dumpStore(one.access))));
    await expect(restoreStore(one.access, restored)).rejects.toThrow("EEXIST");
    const twin = new FsckStore(one.layout);
    await twin.write("data", await other.read("data"));
    await expect(restoreStore(twin.access, restored)).rejects.toThrow(
      "not the data of the dumped store",
    );
  });

  it("P3: a dump with anything changed is refused with a reason, or makes a sound store", async () => {
    const store = await closedStore(4);
    const lines = texts(await dumpStore(store.access));
    const random = randomFrom(11);
    const values = ["-1", "1e99", "null", "[]", "9007199254740993", '"x"', "4294967296", "{}", "0"];
    const counts = { refused: 0, sound: 0 };
    for (let round = 0; round < 1500; round++) {
      const copy = [...lines];
      const at = below(random, copy.length);
      const line = copy[at]!;
      const verb = below(random, 4);
      if (verb === 0) copy.splice(at, 1);
      else if (verb === 1) copy.splice(at, 0, pick(random, lines));
      else if (verb === 2) copy[at] = line.slice(0, below(random, line.length));
      else {
        const numbers = [...line.matchAll(/\d+/g)];
        const found = pick(random, numbers);
        copy[at] =
          line.slice(0, found.index) +
          pick(random, values) +
          line.slice(found.index + found[0].length);
      }
      const twin = new FsckStore(store.layout);
      try {
        await restoreStore(twin.access, await readDump(each(copy)));
        expect((await examine(twin.access)).report.exitCode).toBe(0);
        counts.sound++;
      } catch (error) {
        if (!isBlockspaceError(error))
          throw new Error(`round ${round}: ${String(error)}`, { cause: error });
        counts.refused++;
      }
    }
    expect(counts.refused).toBeGreaterThan(1000);
  });
});
