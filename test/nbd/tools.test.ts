/**
 * The tools that users have, against `blockspace serve` as a process: libnbd's and qemu's. A tool
 * that is not installed has its test skipped by name.
 */
import { randomBytes } from "node:crypto";
import { open, readFile, stat } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { inspect, scratch } from "../cli/blockspace.ts";
import { missing, note, tool, tryTool } from "./external-tools.ts";
import { serveNewStore } from "./served-process.ts";

const at = scratch();
const libnbd = missing("nbdinfo", "nbdcopy");
const qemu = missing("qemu-img", "qemu-io");
const MiB = 2 ** 20;

/** A sparse image of 64 MiB with some data in it. */
async function image(path: string): Promise<string> {
  const file = await open(path, "w");
  await file.truncate(64 * MiB);
  for (const offset of [0, 5 * MiB + 4096, 40 * MiB]) {
    await file.write(randomBytes(3 * MiB), 0, 3 * MiB, offset);
  }
  await file.write(randomBytes(100), 0, 100, 64 * MiB - 100);
  await file.close();
  return path;
}

describe("libnbd", () => {
  it.skipIf(libnbd)(`nbdinfo lists exports and shows what they can do${note(libnbd)}`, async () => {
    const served = await serveNewStore(at("store"), (host) => host.snapshot("disk", "disk@1"));
    const listed = JSON.parse(await tool("nbdinfo", "--json", "--list", served.uri(""))) as {
      exports: Record<string, unknown>[];
    };
    expect(listed.exports.map((entry) => entry["export-name"])).toEqual(["disk", "disk@1"]);
    expect(listed.exports[0]).toMatchObject({
      "export-size": 64 * MiB,
      is_read_only: false,
      can_cache: true,
      can_df: true,
      can_fast_zero: true,
      can_flush: true,
      can_fua: true,
      can_multi_conn: true,
      can_trim: true,
      can_zero: true,
      contexts: [
        "base:allocation",
        "qemu:allocation-depth",
        "x-blockspace:sharing",
        "qemu:dirty-bitmap:disk@1",
      ],
    });
    expect(listed.exports[1]).toMatchObject({ is_read_only: true });
    expect(await served.stop()).toBe(0);
  });

  it.skipIf(libnbd)(`nbdcopy copies in and out, over many connections${note(libnbd)}`, async () => {
    const served = await serveNewStore(at("store"));
    const source = await image(at("in.img"));
    await tool("nbdcopy", "--flush", source, served.uri("disk"));
    await tool("nbdcopy", "--connections=4", "--requests=64", served.uri("disk"), at("out.img"));
    expect((await readFile(at("out.img"))).equals(await readFile(source))).toBe(true);
    expect((await stat(at("out.img"))).blocks * 512).toBeLessThan(12 * MiB);
    await served.stop();
    await inspect(served.store, async (host) => {
      const bytes = await host.get("disk").read(0, 64 * MiB);
      expect(bytes.equals(await readFile(source))).toBe(true);
    });
  });

  it.skipIf(libnbd)(
    `nbdinfo --map shows holes, sharing, and what changed${note(libnbd)}`,
    async () => {
      const served = await serveNewStore(at("store"), async (host) => {
        const disk = host.get("disk");
        await disk.write(MiB, Buffer.alloc(MiB, 1));
        await host.snapshot("disk", "disk@1");
        await disk.write(MiB, Buffer.alloc(4096, 2));
      });
      const map = async (context: string): Promise<[number, number, number][]> => {
        const text = await tool("nbdinfo", `--map=${context}`, "--json", served.uri("disk"));
        const entries = JSON.parse(text) as { offset: number; length: number; type: number }[];
        return entries.map(({ offset, length, type }) => [offset, length, type]);
      };
      const [from, to] = [MiB + 4096, 2 * MiB];
      expect(await map("base:allocation")).toEqual([
        [0, MiB, 3],
        [MiB, MiB, 0],
        [to, 62 * MiB, 3],
      ]);
      expect(await map("qemu:allocation-depth")).toEqual([
        [0, MiB, 0],
        [MiB, 4096, 1],
        [from, to - from, 2],
        [to, 62 * MiB, 0],
      ]);
      expect(await map("qemu:dirty-bitmap:disk@1")).toEqual([
        [0, MiB, 0],
        [MiB, 4096, 1],
        [from, 64 * MiB - from, 0],
      ]);
    },
  );
});

describe("qemu", () => {
  it.skipIf(qemu)(`qemu-img converts, compares and maps${note(qemu)}`, async () => {
    const served = await serveNewStore(at("store"));
    const source = await image(at("in.img"));
    const raw = ["-f", "raw", "-O", "raw"];
    await tool("qemu-img", "convert", "-n", ...raw, source, served.uri("disk"));
    await tool("qemu-img", "compare", "-f", "raw", "-F", "raw", source, served.uri("disk"));
    await tool("qemu-img", "convert", ...raw, served.uri("disk"), at("out.img"));
    await tool("qemu-img", "compare", "-f", "raw", "-F", "raw", source, at("out.img"));
    const map = JSON.parse(
      await tool("qemu-img", "map", "--output=json", "-f", "raw", served.uri("disk")),
    ) as { start: number; length: number; data: boolean }[];
    const data = map.filter((entry) => entry.data).reduce((sum, { length }) => sum + length, 0);
    expect(data).toBeGreaterThanOrEqual(9 * MiB);
    expect(data).toBeLessThan(10 * MiB);
    // A difference of one bit is seen, so the comparisons above mean something.
    await tool("qemu-io", "-f", "raw", "-c", "write -P 1 30M 1", served.uri("disk"));
    const args = ["compare", "-f", "raw", "-F", "raw", source, served.uri("disk")];
    expect((await tryTool("qemu-img", args)).code).toBe(1);
  });

  it.skipIf(qemu)(`qemu-io writes patterns and verifies them${note(qemu)}`, async () => {
    const served = await serveNewStore(at("store"));
    const commands = [
      "write -P 0xab 512 1000",
      "write -P 7 1M 3M",
      "write -f -P 9 123456 77",
      "write -z 2M 64k",
      "write -z -u 3M 64k",
      "discard 3584k 64k",
      "aio_write -P 1 8M 1M",
      "aio_write -P 2 9M 1M",
      "aio_flush",
      "flush",
      "read -P 0xab 512 1000",
      "read -P 7 1M 1M",
      "read -P 0 2M 64k",
      "read -P 7 2112k 960k",
      "read -P 0 3M 64k",
      "read -P 9 123456 77",
      "read -P 1 8M 1M",
      "read -P 2 9M 1M",
    ];
    const args = commands.flatMap((command) => ["-c", command]);
    const said = await tool("qemu-io", "-f", "raw", ...args, served.uri("disk"));
    expect(said).not.toMatch(/fail|error/i);
    expect(await served.stop()).toBe(0);
  });
});
