/** Imports, and exports of what was imported: holes, zeroes, streams, refusals. */
import { spawnSync } from "node:child_process";
import { open, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { GiB, KiB, MiB } from "../../src/index.ts";
import {
  blockspace,
  blockspaceJson,
  entry,
  failure,
  inspect,
  makeStore,
  run,
  start as startCommand,
  scratch,
} from "./blockspace.ts";

const at = scratch();

interface Report {
  name: string;
  size: number;
  bytesWritten: number;
  milliseconds: number;
}

interface Entry {
  start: number;
  length: number;
  data: boolean;
}

/** A file of `size` bytes with a MiB of data at each of some places. */
async function sparseImage(path: string, size: number, places: readonly number[]): Promise<void> {
  const file = await open(path, "w");
  await file.truncate(size);
  for (const [i, place] of places.entries())
    await file.write(Buffer.alloc(MiB, i + 1), 0, MiB, place);
  await file.close();
}

async function allocated(path: string): Promise<number> {
  return (await stat(path)).blocks * 512;
}

describe("import and export", () => {
  it("keep the holes of a sparse image", async () => {
    const places = Array.from({ length: 8 }, (_, i) => i * 2.5 * GiB);
    await sparseImage(at("image"), 20 * GiB, places);
    await makeStore(at("s"));
    const imported = await blockspaceJson<Report>("import", at("s"), at("image"), "disk");
    const report = { name: "disk", size: 20 * GiB, bytesWritten: 8 * MiB };
    expect(imported).toEqual({ ...report, milliseconds: expect.any(Number) });
    const entries = await blockspaceJson<Entry[]>("map", at("s"), "disk");
    const data = entries.filter((found) => found.data);
    expect(data.map(({ start }) => start)).toEqual(places);
    expect(data.every(({ length }) => length === MiB)).toBe(true);

    const exported = await blockspaceJson<Report>("export", at("s"), "disk", at("copy"));
    expect(exported).toEqual({ ...report, milliseconds: expect.any(Number) });
    expect((await stat(at("copy"))).size).toBe(20 * GiB);
    expect(await allocated(at("copy"))).toBeLessThan(9 * MiB);
    expect(await allocated(at("copy"))).toBeGreaterThanOrEqual(8 * MiB);
    const file = await open(at("copy"));
    for (const [i, place] of places.entries()) {
      const bytes = Buffer.alloc(MiB + 1);
      await file.read(bytes, 0, bytes.length, place);
      expect(bytes.equals(Buffer.concat([Buffer.alloc(MiB, i + 1), Buffer.alloc(1)]))).toBe(true);
    }
    await file.close();
  });

  it("write no blocks of zeroes, and bring every byte back", async () => {
    const image = Buffer.alloc(3 * MiB + 777);
    image.fill("a", 4096, 8192);
    image.fill("b", 2 * MiB - 1, 2 * MiB + 1);
    image.fill("c", image.length - 1);
    await writeFile(at("image"), image);
    await makeStore(at("s"));
    const { bytesWritten } = await blockspaceJson<Report>("import", at("s"), at("image"), "disk");
    expect(bytesWritten).toBe(4096 + 2 * 4096 + 777);
    await blockspace("export", at("s"), "disk", at("copy"));
    expect(image.equals(await readFile(at("copy")))).toBe(true);
    const { bytes } = await run(["export", at("s"), "disk", "-"]);
    expect(image.equals(bytes)).toBe(true);
  });

  it.each([512, 65536])("work with blocks of %i bytes", async (blockSize) => {
    const image = Buffer.alloc(MiB + 70_000, "x");
    image.fill(0, 70_000, 500_000);
    await writeFile(at("image"), image);
    await blockspace("init", at("s"), "--block-size", String(blockSize), "-q");
    await blockspace("-q", "import", at("s"), at("image"), "disk");
    const { bytes } = await run(["export", at("s"), "disk", "-"]);
    expect(image.equals(bytes)).toBe(true);
  });

  it("report in one line, and not at all when quiet", async () => {
    await writeFile(at("image"), Buffer.alloc(8192, "x"));
    await makeStore(at("s"));
    expect(await blockspace("import", at("s"), at("image"), "disk")).toMatch(
      /^imported disk: 8 KiB, 8 KiB of it data, in \d+\.\d s\n$/,
    );
    expect(await blockspace("export", at("s"), "disk", at("copy"))).toMatch(
      /^exported disk: 8 KiB, 8 KiB of it data, in \d+\.\d s\n$/,
    );
    expect(await blockspace("import", at("s"), at("image"), "again", "--quiet")).toBe("");
    expect(await blockspace("export", at("s"), "disk", at("copy"), "-f", "-q")).toBe("");
  });
});

describe("import of a stream", () => {
  it.each([1, 4096, MiB, 5 * MiB + 3])("takes %i bytes, exactly", async (length) => {
    const input = Buffer.alloc(length, "x");
    await makeStore(at("s"));
    const { code } = await run(["import", at("s"), "-", "disk"], { input });
    expect(code).toBe(0);
    await inspect(at("s"), async (host) => {
      const disk = host.get("disk");
      expect(disk.size).toBe(length);
      expect(input.equals(await disk.read(0, length))).toBe(true);
      expect(host.list()).toHaveLength(1);
    });
  });

  it("takes a file for standard input, from where it stands", async () => {
    await makeStore(at("s"));
    await writeFile(at("image"), Buffer.concat([Buffer.alloc(100, "-"), Buffer.alloc(MiB, "x")]));
    const words = [process.execPath, ...entry, "-q", "import", at("s"), "-", "disk"];
    const line = words.map((word) => `'${word}'`).join(" ");
    const skip = "dd bs=100 count=1 of=/dev/null status=none";
    const { status, stderr } = spawnSync("sh", ["-c", `{ ${skip}; ${line}; } < '${at("image")}'`]);
    expect([status, stderr.toString()]).toEqual([0, ""]);
    const bytes = await inspect(at("s"), (host) => host.get("disk").read(0, MiB));
    expect(Buffer.alloc(MiB, "x").equals(bytes)).toBe(true);
  });

  it("leaves out its zeroes", async () => {
    const input = Buffer.alloc(4 * MiB);
    input[3 * MiB] = 1;
    await makeStore(at("s"));
    const { stdout } = await run(["import", at("s"), "-", "disk", "--json"], { input });
    expect(JSON.parse(stdout)).toMatchObject({ size: 4 * MiB, bytesWritten: 4096 });
  });

  it("refuses an empty one", async () => {
    await makeStore(at("s"));
    const { code, stderr } = await run(["import", at("s"), "-", "disk"], { input: "" });
    expect(stderr).toBe("blockspace: EINVAL: the image is empty; a subvolume has 1 byte or more\n");
    expect(code).toBe(1);
    expect(await inspect(at("s"), (host) => host.list())).toEqual([]);
  });
});

describe("import refuses", () => {
  it("a name that is taken, before it does anything", async () => {
    await makeStore(at("s"), (host) => host.create("disk", { size: 1 }));
    expect(await failure("import", at("s"), at("nowhere"), "disk")).toEqual({
      code: 1,
      says: 'blockspace: EEXIST: there is a subvolume "disk" already\n',
    });
    const { code, says } = await failure("import", at("s"), at("nowhere"), "");
    expect(says).toContain('the name is ""');
    expect(code).toBe(2);
  });

  it("a file that is not there, empty, or a directory", async () => {
    await makeStore(at("s"));
    await writeFile(at("empty"), "");
    const attempts = [
      [at("nowhere"), /^blockspace: ENOENT: .*nowhere/],
      [at("empty"), /^blockspace: EINVAL: the image is empty/],
      [at("."), /^blockspace: EIO: .* is neither a file nor a block device\n$/],
    ] as const;
    for (const [path, message] of attempts) {
      const { code, says } = await failure("import", at("s"), path, "disk");
      expect(says).toMatch(message);
      expect(code).toBe(1);
    }
    expect(await inspect(at("s"), (host) => host.list())).toEqual([]);
  });

  it("more data than the store has room for, and leaves nothing of it behind", async () => {
    const store = ["init", at("s"), "--capacity", "2MiB", "--journal-size", "1M", "-q"];
    await blockspace(...store);
    await writeFile(at("image"), Buffer.alloc(3 * MiB, "x"));
    const { code, says } = await failure("import", at("s"), at("image"), "disk");
    expect(says).toMatch(/^blockspace: ENOSPC: .*\n$/);
    expect(code).toBe(1);
    expect(await inspect(at("s"), (host) => host.list())).toEqual([]);
    await writeFile(at("small"), Buffer.alloc(MiB, "y"));
    await blockspace("import", at("s"), at("small"), "disk");
  });
});

describe("export refuses", () => {
  it("a file that is there, unless it is told to", async () => {
    await makeStore(at("s"), (host) => host.create("disk", { size: 16 * KiB }));
    await writeFile(at("copy"), "dear diary");
    expect(await failure("export", at("s"), "disk", at("copy"))).toEqual({
      code: 1,
      says: `blockspace: EEXIST: ${at("copy")} is there already; --force overwrites it\n`,
    });
    expect(await readFile(at("copy"), "utf8")).toBe("dear diary");
    await blockspace("export", at("s"), "disk", at("copy"), "--force");
    expect(Buffer.alloc(16 * KiB).equals(await readFile(at("copy")))).toBe(true);
  });

  it("the store's own files", async () => {
    await makeStore(at("s"), (host) => host.create("disk", { size: 16 * KiB }));
    const { code, says } = await failure("export", at("s"), "disk", `${at("s")}/data`, "-f");
    expect([code, says]).toEqual([1, expect.stringMatching(/EINVAL: .* belongs to the store\n$/)]);
    expect(await inspect(at("s"), (host) => host.list())).toHaveLength(1);
  });

  // A data file outside of the store was known only to who opened the store with it: through the
  // server, an export went over the data that it read.
  it("the data of the store, wherever it lies", async () => {
    const [data, store] = [at("data"), at("s")];
    await writeFile(data, Buffer.alloc(2 ** 24));
    await blockspace("init", store, "--device", data, "-q");
    await blockspace("create", store, "disk", "--size", "1M", "--device", data);
    const server = startCommand(["serve", store, "--device", data]);
    await server.says("nbd.sock");
    const { code, says } = await failure("export", store, "disk", data, "-f");
    expect([code, says]).toEqual([
      1,
      expect.stringMatching(/EINVAL: .* holds the data of the sto/),
    ]);
  });

  it("a directory, and a place that is none", async () => {
    await makeStore(at("s"), (host) => host.create("disk", { size: 16 * KiB }));
    const attempts = [
      [at("."), "--force", /^blockspace: EINVAL: .* is neither a file nor a block device\n$/],
      [at("no/where"), "--force", /^blockspace: ENOENT: .*no/],
    ] as const;
    for (const [path, option, message] of attempts) {
      const { code, says } = await failure("export", at("s"), "disk", path, option);
      expect(says).toMatch(message);
      expect(code).toBe(1);
    }
  });

  it("damaged data, and leaves no file", async () => {
    await makeStore(at("s"), async (host) => {
      await (await host.create("disk", { size: MiB })).write(0, Buffer.alloc(8192, "x"));
    });
    const data = await open(`${at("s")}/data`, "r+");
    const [mapped] = await blockspaceJson<{ offset: number }[]>("map", at("s"), "disk");
    await data.write("?", mapped!.offset + 5000);
    await data.close();
    const { code, says } = await failure("export", at("s"), "disk", at("copy"));
    expect(says).toMatch(/^blockspace: EBADSUM: the block at 4096 of subvolume "disk"/);
    expect(code).toBe(1);
    await expect(stat(at("copy"))).rejects.toThrow("ENOENT");
    // Nor behind a symbolic link, of which only the link went.
    await writeFile(at("elsewhere"), "dear diary");
    await symlink(at("elsewhere"), at("link"));
    expect((await failure("export", at("s"), "disk", at("link"), "--force")).code).toBe(1);
    await expect(stat(at("elsewhere"))).rejects.toThrow("ENOENT");
  });
});
