/** `fsck.blockspace`, as fsck(8) calls it: its options, its exit codes, what it says. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Host } from "../../src/index.ts";
import { entryOf, scratch } from "./blockspace.ts";
import { flip, sampleStore } from "./sample-store.ts";

const path = scratch();
const store = (): Promise<string> => sampleStore(path("store"));

/** The other command, as node takes it. */
const FSCK: readonly string[] = entryOf("fsck-main");

/** Runs the other command. */
async function fsck(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, [...FSCK, ...args], {
    stdio: ["ignore", "pipe", "pipe", "pipe"],
  });
  const texts = { out: "", err: "" };
  child.stdout!.on("data", (piece: Buffer) => (texts.out += piece.toString()));
  child.stderr!.on("data", (piece: Buffer) => (texts.err += piece.toString()));
  child.stdio[3]!.on("data", (piece: Buffer) => (texts.out += piece.toString()));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, ...texts };
}

describe("fsck.blockspace", () => {
  it("finds the data of a store where it is told", async () => {
    const [damaged, data] = [path("store"), path("data.img")];
    await writeFile(data, Buffer.alloc(2 ** 24));
    const host = await Host.open(damaged, { create: true, device: data });
    await host.create("disk", { size: 2 ** 20 });
    await host.close();
    expect((await fsck(damaged)).code).toBe(4);
    expect((await fsck("--device", data, damaged)).code).toBe(0);
    await flip(join(damaged, "superblock"), 40);
    expect((await fsck("-y", "--device", data, damaged)).code).toBe(1);
    expect((await fsck(damaged, "--device", data)).code).toBe(0);
  });

  it("says how it is called, and which version it is", async () => {
    expect((await fsck("")).code).toBe(16);
    expect(await fsck("--help")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^usage: fsck.blockspace/) as string,
    });
    expect(await fsck("-V")).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^fsck.blockspace \d+\.\d/) as string,
    });
  });

  it("checks with -n, tells how far it is with -C, repairs with -y and -a", async () => {
    const place = await store();
    expect((await fsck("-f", place)).code).toBe(0);
    await flip(join(place, "data"), 10);
    expect((await fsck("-n", place)).code).toBe(4);
    const preened = await fsck("-p", "-C", "3", place);
    expect(preened.code).toBe(1);
    expect(preened.out).toMatch(/^0 0 1\n/);
    await flip(join(place, "superblock"), 5000);
    expect((await fsck("-y", place)).code).toBe(1);
    expect((await fsck("-n", place)).code).toBe(0);
  });

  // It said how many findings are left, and not what there is to do about them.
  it("4: with -a, what cannot be had without a loss, and how it can", async () => {
    const place = path("killed");
    const host = await Host.open(await store());
    for (let i = 0; i < 3; i++) {
      await host.get("disk").write(i * 4096, Buffer.alloc(4096, "more"));
      await host.flush();
    }
    await cp(host.path, place, { recursive: true });
    await host.close();
    const newest = (await readdir(join(place, "journal"))).toSorted().at(-1)!;
    await flip(join(place, "journal", newest), 4096 + 100);
    const preened = await fsck("-a", place);
    expect(preened).toMatchObject({
      code: 4,
      out: expect.stringContaining("nothing was written") as string,
      err: expect.stringMatching(/^fsck.blockspace: .* run it with -y\n$/) as string,
    });
    expect((await fsck("-y", place)).code).toBe(1);
  });

  // It ended with 1 then, which says that all is corrected.
  it("tells by its exit code what it has found, also when nobody reads it", async () => {
    const place = await store();
    await flip(join(place, "data"), 10);
    const child = spawn(process.execPath, [...FSCK, "-n", place], { stdio: "pipe" });
    child.stdout.destroy();
    const [code] = (await once(child, "close")) as [number | null];
    expect(code).toBe(4);
  });

  it("8: a store in use, and one that is not there", async () => {
    const place = await store();
    const host = await Host.open(place);
    expect((await fsck("-y", place)).code).toBe(8);
    await host.close();
    expect((await fsck("-a", path("nowhere"))).code).toBe(8);
  });

  it("4: nothing is left to begin with", async () => {
    const place = await store();
    const image = (name: string): string => join(place, "checkpoint", name);
    await rm(image("a"), { recursive: true });
    await rm(image("b"), { recursive: true });
    for (const name of await readdir(join(place, "journal")))
      await rm(join(place, "journal", name));
    expect((await fsck("-a", place)).code).toBe(4);
    expect((await fsck("-y", place)).code).toBe(4);
  });

  it.each([[[]], [["-n", "-y", "s"]], [["-x", "s"]], [["-C", "x", "s"]], [["s", "t"]]])(
    "16: %j",
    async (args) => {
      const { code, err } = await fsck(...args);
      expect({ code, usage: err.includes("usage: fsck.blockspace") }).toEqual({
        code: 16,
        usage: true,
      });
    },
  );
});
