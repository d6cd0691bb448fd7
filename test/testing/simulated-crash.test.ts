/** What a loss of power and a kill leave on a simulated disk, through its face of devices. */
import { describe, expect, it } from "vitest";
import { MiB } from "../../src/base/units.ts";
import type { Device } from "../../src/device/device.ts";
import { SimulatedTree } from "../support/simulated-tree.ts";
import { seededNumbers } from "../device/scratch.ts";

const nothing = (): number => 0;
const everything = (): number => 0.999;

/** Random numbers from a list, in order; throws when more are asked for than it has. */
function scripted(...numbers: number[]): () => number {
  return () => {
    const number = numbers.shift();
    if (number === undefined) throw new Error("no more numbers were expected to be asked for");
    return number;
  };
}

/** A tree with one durable file of 64 KiB, all of it `fill`. */
async function durableFile(fill = 1): Promise<{ tree: SimulatedTree; device: Device }> {
  const tree = new SimulatedTree();
  const device = await tree.create("file", { size: 65_536, layout: "sparse" });
  await device.write([new Uint8Array(65_536).fill(fill)], 0);
  await device.flush();
  await tree.sync();
  return { tree, device };
}

const write = (device: Device, fill: number, offset: number, length: number): Promise<void> =>
  device.write([new Uint8Array(length).fill(fill)], offset);

async function bytesOf(tree: SimulatedTree, name = "file"): Promise<Uint8Array> {
  const device = await tree.open(name, "read");
  const bytes = new Uint8Array(device.size);
  await device.read(bytes, 0);
  return bytes;
}

/** The first byte of each 512-byte sector from `first` on. */
async function sectors(tree: SimulatedTree, first: number, count: number): Promise<number[]> {
  const bytes = await bytesOf(tree);
  return Array.from({ length: count }, (_, i) => {
    const sector = bytes.subarray((first + i) * 512, (first + i + 1) * 512);
    expect(new Set(sector).size, `sector ${first + i} is torn within`).toBe(1);
    return sector[0]!;
  });
}

describe("the bytes of a file after loss of power", () => {
  it("are the flushed ones when all else is lost, and all of them when all is kept", async () => {
    const { tree, device } = await durableFile();
    await write(device, 2, 0, 8192);
    await write(device, 3, 4096, 1024);
    await device.discard(16_384, 16_384);
    expect(await sectors(tree.crash(nothing), 0, 128)).toEqual(Array(128).fill(1));
    const all = [...Array(8).fill(2), 3, 3, ...Array(6).fill(2), ...Array(16).fill(1)];
    all.push(...Array(32).fill(0), ...Array(64).fill(1));
    expect(await sectors(tree.crash(everything), 0, 128)).toEqual(all);
    await device.flush();
    expect(await sectors(tree.crash(nothing), 0, 128)).toEqual(all);
  });

  it("may be those of any subset of the writes, one decision for each", async () => {
    const { tree, device } = await durableFile();
    for (const fill of [2, 3, 4]) await write(device, fill, 512 * fill, 1024);
    const seen = new Set<string>();
    for (let subset = 0; subset < 8; subset++) {
      const fates = [1, 2, 4].map((bit) => (subset & bit ? 0.999 : 0));
      seen.add((await sectors(tree.crash(scripted(...fates)), 2, 4)).join(""));
    }
    expect([...seen].toSorted()).toEqual([
      "1111",
      "1144",
      "1331",
      "1344",
      "2211",
      "2244",
      "2331",
      "2344",
    ]);
  });

  it("may hold an older unflushed write whose successor was lost", async () => {
    const { tree, device } = await durableFile();
    await write(device, 2, 0, 512);
    await write(device, 3, 0, 512);
    expect(await sectors(tree.crash(scripted(0.999, 0)), 0, 2)).toEqual([2, 1]);
    expect(await sectors(tree.crash(scripted(0, 0.999)), 0, 2)).toEqual([3, 1]);
  });

  it("may be torn between sectors, but not within one, whatever the pages", async () => {
    const { tree, device } = await durableFile();
    await write(device, 2, 3584, 2048);
    const torn = 0.5;
    const crashed = tree.crash(scripted(torn, 0.9, 0, 0, 0.9));
    expect(await sectors(crashed, 6, 6)).toEqual([1, 2, 1, 1, 2, 1]);
  });

  it("may be torn in a discard", async () => {
    const { tree, device } = await durableFile();
    await device.discard(1024, 2048);
    const crashed = tree.crash(scripted(0.5, 0.9, 0, 0.9, 0));
    expect(await sectors(crashed, 1, 6)).toEqual([1, 0, 1, 0, 1, 1]);
  });

  it("do not include a write that the flush was called without waiting for", async () => {
    const { tree, device } = await durableFile();
    await write(device, 2, 0, 512);
    const late = write(device, 3, 512, 512);
    await Promise.all([late, device.flush()]);
    expect(await sectors(tree, 0, 3)).toEqual([2, 3, 1]);
    expect(await sectors(tree.crash(nothing), 0, 3)).toEqual([2, 1, 1]);
    await device.flush();
    expect(await sectors(tree.crash(nothing), 0, 3)).toEqual([2, 3, 1]);
  });

  it("are not changed by what the old tree goes on to do, nor the other way round", async () => {
    const { tree, device } = await durableFile();
    await write(device, 2, 0, 512);
    const crashed = tree.crash(everything);
    await write(device, 3, 0, 512);
    await device.flush();
    await write(await crashed.open("file", "write"), 4, 512, 512);
    expect(await sectors(crashed, 0, 3)).toEqual([2, 4, 1]);
    expect(await sectors(tree, 0, 3)).toEqual([3, 1, 1]);
  });

  it("are durable in the new tree, which can lose power as well", async () => {
    const { tree, device } = await durableFile();
    await write(device, 2, 0, 512);
    const once = tree.crash(everything);
    await write(await once.open("file", "write"), 3, 512, 512);
    expect(await sectors(once.crash(nothing), 0, 3)).toEqual([2, 1, 1]);
    expect(await sectors(once.crash(everything), 0, 3)).toEqual([2, 3, 1]);
  });

  it("are always old or new, sector by sector, in random crashes", async () => {
    const next = seededNumbers(3);
    const random = (): number => next(2 ** 30) / 2 ** 30;
    for (let round = 0; round < 50; round++) {
      const { tree, device } = await durableFile();
      const allowed = Array.from({ length: 128 }, () => new Set([1]));
      for (let i = 0; i < 12; i++) {
        const [first, count] = [next(120), 1 + next(8)];
        await write(device, i + 2, first * 512, count * 512);
        for (let s = first; s < first + count; s++) allowed[s]!.add(i + 2);
        if (next(6) > 0) continue;
        await device.flush();
        for (let s = 0; s < 128; s++) allowed[s] = new Set([[...allowed[s]!].at(-1)!]);
      }
      const found = await sectors(tree.crash(random), 0, 128);
      for (let s = 0; s < 128; s++) expect(allowed[s]).toContain(found[s]);
    }
  });
});

describe("a name after loss of power", () => {
  const options = { size: 4096, layout: "sparse" } as const;

  it("is lost unless its directory was synced, also when the file was flushed", async () => {
    const tree = new SimulatedTree();
    const device = await tree.create("file", options);
    await write(device, 7, 0, 4096);
    await device.flush();
    expect(await tree.crash(nothing).list()).toEqual([]);
    expect(await bytesOf(tree.crash(everything))).toEqual(new Uint8Array(4096).fill(7));
    await tree.sync();
    expect(await bytesOf(tree.crash(nothing))).toEqual(new Uint8Array(4096).fill(7));
  });

  it("may lead to an empty file when the file was not flushed", async () => {
    const tree = new SimulatedTree();
    await tree.create("file", { size: MiB, layout: "preallocated" });
    await tree.sync();
    expect((await bytesOf(tree.crash(nothing))).length).toBe(0);
    expect((await bytesOf(tree.crash(everything))).length).toBe(MiB);
  });

  it("comes back with all the earlier changes of its directory, or not at all", async () => {
    const tree = new SimulatedTree();
    const empty = { size: 0, layout: "sparse" } as const;
    for (const name of ["a", "b"]) await tree.create(name, empty);
    await tree.sync();
    await tree.create("c", empty);
    await tree.remove("a");
    await tree.rename("c", "b");
    const names = async (...numbers: number[]): Promise<string> =>
      (await tree.crash(scripted(...numbers)).list()).join("");
    expect(await names(0)).toBe("ab");
    expect(await names(0.999, 0)).toBe("abc");
    expect(await names(0.999, 0.999, 0)).toBe("bc");
    expect(await names(0.999, 0.999, 0.999)).toBe("b");
  });

  it("leads to the old file or to the new one after a rename over it", async () => {
    const { tree } = await durableFile(1);
    const fresh = await tree.create("fresh", { size: 65_536, layout: "sparse" });
    await write(fresh, 2, 0, 65_536);
    await fresh.flush();
    await tree.rename("fresh", "file");
    expect((await bytesOf(tree.crash(nothing)))[0]).toBe(1);
    expect((await bytesOf(tree.crash(everything)))[0]).toBe(2);
  });

  it("of a directory is durable once it was ensured, and what is in it only once that was synced", async () => {
    const tree = new SimulatedTree();
    const inner = tree.directory("outer").directory("inner");
    const listInner = (crashed: SimulatedTree): Promise<string[]> =>
      crashed.directory("outer").directory("inner").list();
    await inner.ensure();
    await inner.create("file", options);
    expect(await listInner(tree.crash(nothing))).toEqual([]);
    await inner.sync();
    expect(await listInner(tree.crash(nothing))).toEqual(["file"]);
  });
});

describe("a tree after the process was killed", () => {
  it("has everything, but no more of it durable than before", async () => {
    const { tree, device } = await durableFile();
    await write(device, 2, 0, 512);
    await device.discard(4096, 4096);
    await tree.create("other", { size: 1, layout: "sparse" });
    const killed = tree.killed();
    expect(await killed.list()).toEqual(["file", "other"]);
    expect(await sectors(killed, 0, 10)).toEqual([2, 1, 1, 1, 1, 1, 1, 1, 0, 0]);
    expect(await killed.crash(nothing).list()).toEqual(["file"]);
    expect(await sectors(killed.crash(nothing), 0, 2)).toEqual([1, 1]);
    expect(await sectors(killed.crash(everything), 0, 2)).toEqual([2, 1]);
    await (await killed.open("file", "read")).flush();
    expect(await sectors(killed.crash(nothing), 0, 2)).toEqual([2, 1]);
    expect(await sectors(tree.crash(nothing), 0, 2)).toEqual([1, 1]);
  });

  it("is not changed by what the old tree goes on to do, nor the other way round", async () => {
    const { tree, device } = await durableFile();
    await write(device, 2, 0, 512);
    const killed = tree.killed();
    await write(device, 3, 0, 512);
    await write(await killed.open("file", "write"), 4, 512, 512);
    await killed.remove("file");
    expect(await sectors(tree, 0, 2)).toEqual([3, 1]);
  });

  it("keeps a file one file under the names that it had and has", async () => {
    const { tree } = await durableFile();
    await tree.rename("file", "renamed");
    const killed = tree.killed();
    await write(await killed.open("renamed", "write"), 5, 0, 512);
    const crashed = killed.crash(scripted(0, 0.999));
    expect(await sectors(crashed, 0, 2)).toEqual([5, 1]);
  });
});

it("neither a crash nor a kill takes locks along, and the old tree keeps its own", async () => {
  const tree = new SimulatedTree();
  await tree.lock("lock", "exclusive");
  for (const after of [tree.crash(everything), tree.killed()]) {
    await (await after.lock("lock", "exclusive")).release();
  }
  await expect(tree.lock("lock", "shared")).rejects.toMatchObject({ code: "ELOCKED" });
});
