/**
 * The options of `Host.open`: what they do, and each that cannot be is refused before anything is
 * made.
 */
import { readdir, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Host } from "../../src/host/host.ts";
import type { OpenHostOptions } from "../../src/host/options.ts";
import { scratchDirectory } from "../device/scratch.ts";
import { refusal } from "./refusal.ts";

const TO_8_GIB = "allowed are 65536 to 8589934592";
const SMALL = { capacity: 2 ** 22, journalSize: 2 ** 16 };
const any = (value: unknown): never => value as never;

describe("options that cannot be", () => {
  const scratch = scratchDirectory();

  it.each<[string, unknown, string]>([
    ["null", null, "null"],
    ["text", "create", '"create"'],
    ["an option that does not exist", { creat: true }, '"creat"'],
    ["create as text", { create: "yes" }, '"yes"'],
    ["readOnly as a number", { readOnly: 1 }, "1"],
    ["create and readOnly", { create: true, readOnly: true }, "exclude"],
    ["a negative capacity", { create: true, capacity: -1 }, "-1"],
    ["a fractional capacity", { create: true, capacity: 1.5e6 + 0.5 }, "1500000.5"],
    ["a capacity of NaN", { create: true, capacity: NaN }, "NaN"],
    ["a capacity beyond 2^53", { create: true, capacity: 2 ** 53 }, String(2 ** 53)],
    ["a capacity as text", { create: true, capacity: "1GiB" }, '"1GiB"'],
    [
      "a capacity of a few blocks",
      { create: true, capacity: 63 * 4096 },
      "is 258048 bytes; allowed are 262144",
    ],
    ["more blocks than have numbers", { create: true, capacity: 2 ** 52 }, String(2 ** 52)],
    ["blocks of no power of two", { create: true, blockSize: 1000 }, "1000"],
    ["blocks that are too small", { create: true, blockSize: 256 }, "512 to 65536"],
    ["blocks that are too large", { create: true, blockSize: 131_072 }, "512 to 65536"],
    ["blocks of 0 bytes", { create: true, blockSize: 0 }, "0"],
    ["a tiny journal", { create: true, journalSize: 1000 }, "65536 and more"],
    // It was made, and could never be opened again; one of 64 GiB read 8 GiB each time.
    ["a journal that no opening could search", { create: true, journalSize: 2 ** 38 }, TO_8_GIB],
    ["a journal of one byte too many", { create: true, journalSize: 2 ** 33 + 1 }, TO_8_GIB],
    ["a tiny cache", { create: true, cacheSize: 1000 }, "65536 and more"],
    ["hardly any memory", { create: true, maxDirty: 1 }, "65536 and more"],
    ["a journal size as text", { create: true, journalSize: "64M" }, '"64M"'],
    ["a device that is no path", { create: true, device: 5 }, "5"],
  ])("%s: EINVAL, and nothing is made", async (_name, options, says) => {
    const error = await refusal(() => Host.open(join(scratch(), "store"), any(options)));
    expect(error.code).toBe("EINVAL");
    expect(error.message).toContain(says);
    expect(await readdir(scratch())).toEqual([]);
  });

  it.each([5, "", null, undefined, ["/tmp"]])("a path of %j: EINVAL", async (path) => {
    const error = await refusal(() => Host.open(any(path), { create: true }));
    expect(error.code).toBe("EINVAL");
    expect(error.message).toContain("path");
  });

  it("no store and no create: ENOENT with the path, and nothing is made", async () => {
    const path = join(scratch(), "store");
    const error = await refusal(() => Host.open(path));
    expect(error).toMatchObject({ code: "ENOENT", path });
    expect(error.message).toContain(path);
    expect(await readdir(scratch())).toEqual([]);
  });

  it("a device that is not there or too small is refused, nothing is made", async () => {
    const path = join(scratch(), "store");
    const device = join(scratch(), "device");
    const missing = await refusal(() => Host.open(path, { ...SMALL, create: true, device }));
    expect(missing).toMatchObject({ code: "ENOENT", path: device });
    await writeFile(device, "");
    await truncate(device, 2 ** 20);
    const small = await refusal(() => Host.open(path, { ...SMALL, create: true, device }));
    expect(small.code).toBe("ENOSPC");
    expect(small.message).toContain(String(2 ** 20));
    expect(await readdir(scratch())).toEqual(["device"]);
  });
});

describe("an existing store", () => {
  const scratch = scratchDirectory();

  it.each<[OpenHostOptions, string]>([
    [{ capacity: 2 ** 23 }, String(2 ** 22)],
    [{ blockSize: 512 }, "4096"],
    [{ blockSize: 3 }, "4096"],
    [{ blockSize: 8192, create: true }, "4096"],
  ])("opened with %j: EINVAL, and says what it has", async (options, says) => {
    await (await Host.open(scratch(), { ...SMALL, create: true })).close();
    const error = await refusal(() => Host.open(scratch(), options));
    expect(error.code).toBe("EINVAL");
    expect(error.message).toContain(says);
  });

  it("opened with what it was made with, with create, and with other sizes in memory", async () => {
    await (await Host.open(scratch(), { ...SMALL, create: true })).close();
    for (const options of [
      {},
      { create: true },
      { capacity: 2 ** 21 },
      { create: true, ...SMALL, blockSize: 4096 },
      { journalSize: 2 ** 20, cacheSize: 2 ** 17, maxDirty: 2 ** 16 },
      { readOnly: true },
    ]) {
      const host = await Host.open(scratch(), options);
      expect(host.statistics()).toMatchObject({ capacity: 2 ** 22, blockSize: 4096 });
      await host.close();
    }
  });

  it("create alone makes one with the defaults, and takes hardly any space", async () => {
    const host = await Host.open(join(scratch(), "store"), { create: true });
    expect(host.statistics()).toMatchObject({ capacity: 64 * 2 ** 30, blockSize: 4096 });
    expect(host.uuid).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(host.path).toBe(join(scratch(), "store"));
    await host.close();
    const { size, blocks } = await stat(join(scratch(), "store", "data"));
    expect(size).toBeGreaterThan(64 * 2 ** 30);
    expect(blocks * 512).toBeLessThan(2 ** 20);
  });

  it("a journal that is too large for it: EINVAL, and it opens without", async () => {
    await (await Host.open(scratch(), { ...SMALL, create: true })).close();
    const error = await refusal(() => Host.open(scratch(), { journalSize: 2 ** 34 }));
    expect(error.code).toBe("EINVAL");
    expect(error.message).toContain(TO_8_GIB);
    await (await Host.open(scratch(), { journalSize: 2 ** 33 })).close();
  });

  it.each([512, 1024, 65_536])("blocks of %i bytes", async (blockSize) => {
    const host = await Host.open(scratch(), { create: true, capacity: 2 ** 24, blockSize });
    const disk = await host.create("disk", { size: 2 ** 20 + 1 });
    await disk.write(12_345, Buffer.from("text"));
    await host.close();
    const again = await Host.open(scratch());
    expect(again.statistics().blockSize).toBe(blockSize);
    expect((await again.get("disk").read(12_345, 4)).toString()).toBe("text");
    expect(again.statistics().allocated).toBe(blockSize);
    await again.close();
  });
});
