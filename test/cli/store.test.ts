/** The commands about the store as a whole: init, info, compact. */
import { mkdir, readdir, stat, truncate, writeFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { GiB, KiB, MiB } from "../../src/index.ts";
import {
  blockspace,
  blockspaceJson,
  failure,
  inspect,
  makeStore,
  run,
  scratch,
} from "./blockspace.ts";

const at = scratch();

describe("init", () => {
  it("makes a store with the defaults", async () => {
    expect(await blockspace("init", at("s"))).toBe(
      `made a store of 64 GiB in ${at("s")}, in blocks of 4 KiB\n`,
    );
    const figures = await inspect(at("s"), (host) => host.statistics());
    expect(figures).toMatchObject({ capacity: 64 * GiB, blockSize: 4096, subvolumes: 0 });
  });

  it("takes capacity, block size and journal size", async () => {
    const sizes = ["--capacity", "1GiB", "--block-size", "16KiB", "--journal-size", "1M"];
    const made = await blockspaceJson<Record<string, unknown>>("init", at("s"), ...sizes);
    const uuid = await inspect(at("s"), (host) => host.uuid);
    expect(made).toEqual({ path: at("s"), uuid, capacity: GiB, blockSize: 16 * KiB });
    const journal = await stat(`${at("s")}/journal/00000001`);
    expect(journal.size).toBe(MiB / 8);
  });

  // The size is not stored: it was an option of `init` alone, and the next command took its own.
  it("and every command takes the journal size that it opens the store with", async () => {
    const size = ["--journal-size", "1M"];
    await blockspace("init", at("s"), "-q", ...size);
    await run(["import", at("s"), "-", "disk", "-q", ...size], { input: Buffer.alloc(MiB, "x") });
    const files = await readdir(at("s/journal"));
    const sizes = await Promise.all(files.map((name) => stat(at(`s/journal/${name}`))));
    expect(sizes.map((file) => file.size)).toEqual(files.map(() => MiB / 8));
    expect(files.length).toBeGreaterThan(1);
  });

  it("refuses a journal that no opening could search, and makes nothing", async () => {
    const { code, says } = await failure("init", at("s"), "--journal-size", "16GiB");
    expect(says).toMatch(/^blockspace: journalSize is 17179869184 bytes; allowed .*\n$/);
    expect(code).toBe(2);
    expect(await readdir(at("."))).toEqual([]);
  });

  it("says nothing when it is to be quiet", async () => {
    expect(await blockspace("init", at("s"), "-q", "--journal-size", "1M")).toBe("");
  });

  it("puts the data elsewhere, and every command finds it there again", async () => {
    await writeFile(at("data.img"), "");
    await truncate(at("data.img"), 64 * MiB);
    const elsewhere = ["--device", at("data.img")];
    const { capacity } = await blockspaceJson<{ capacity: number }>("init", at("s"), ...elsewhere);
    expect(capacity).toBe(64 * MiB - 4096);
    await blockspace(...elsewhere, "create", at("s"), "disk", "--size", "1M");
    const info = await blockspaceJson<{ subvolumes: number }>("info", at("s"), ...elsewhere);
    expect(info.subvolumes).toBe(1);
    expect(await failure("list", at("s"))).toEqual({
      code: 1,
      says:
        `blockspace: ENOENT: ${at("s")} has no data file; ` +
        "a store that was made with the option device is opened with it\n",
    });
  });

  it("leaves a store alone that is there, and anything that is none", async () => {
    await makeStore(at("s"), (host) => host.create("disk", { size: 1 }));
    expect(await failure("init", at("s"))).toEqual({
      code: 1,
      says: `blockspace: EEXIST: there is a store in ${at("s")} already\n`,
    });
    expect(await inspect(at("s"), (host) => host.list().length)).toBe(1);
    await mkdir(at("photos"));
    await writeFile(at("photos/cat.jpg"), "meow");
    const { code, says } = await failure("init", at("photos"));
    expect([code, says]).toEqual([1, expect.stringMatching(/^blockspace: EEXIST: .*cat\.jpg/)]);
  });

  it("refuses what no store can have", async () => {
    const { code, says } = await failure("init", at("s"), "--block-size", "5000");
    expect([code, says]).toEqual([2, expect.stringMatching(/^blockspace: blockSize is 5000/)]);
  });
});

describe("info", () => {
  it("tells every figure as JSON", async () => {
    const disk = Buffer.alloc(3 * 4096, "x");
    await makeStore(at("s"), async (host) => {
      await (await host.create("disk", { size: MiB })).write(0, disk);
      await host.snapshot("disk", "snap");
    });
    const expected = await inspect(at("s"), (host) => ({ ...host.statistics(), uuid: host.uuid }));
    const info = await blockspaceJson<Record<string, number>>("info", at("s"));
    expect(info).toEqual({
      path: at("s"),
      uuid: expected.uuid,
      formatVersion: 3,
      blockSize: 4096,
      capacity: 256 * MiB,
      free: expected.free,
      reserved: expected.reserved,
      staged: 0,
      allocated: 3 * 4096,
      busy: expected.busy,
      subvolumes: 2,
      deadNodes: 0,
      journalBytes: expected.journalBytes,
      lastLsn: 3,
      checkpointLsn: 3,
      recovery: {
        checkpointLsn: 3,
        lastLsn: 3,
        commits: 0,
        records: 0,
        bytes: 0,
        discardedBytes: 0,
        milliseconds: expect.any(Number),
      },
    });
    const five = ["free", "reserved", "staged", "allocated", "busy"];
    expect(five.reduce((sum, name) => sum + info[name]!, 0)).toBe(info["capacity"]);
  });

  it("shows names and values in columns, in human units", async () => {
    await makeStore(at("s"));
    const lines = (await blockspace("info", at("s"))).split("\n");
    expect(lines).toContain(`path            ${at("s")}`);
    expect(lines).toContain("capacity        256 MiB");
    expect(lines).toContain("allocated       0 B (0.0 %)");
    expect(lines.find((line) => line.startsWith("recovery"))).toMatch(
      /^recovery {8}0 commits, 0 records, 0 B of journal in \d+ ms$/,
    );
  });

  it("does not colour what is no terminal, whatever CI says", async () => {
    await makeStore(at("s"));
    expect(await blockspace("list", at("s"))).not.toContain("\u001b");
    const failed = await run(["list", at("none")], { env: { CI: "true" } });
    expect(failed.stderr).not.toContain("\u001b");
  });
});

describe("grow", () => {
  it("gives a store more space, which the file system below is not asked for yet", async () => {
    await blockspace("init", at("s"), "--capacity", "64MiB", "--journal-size", "1M");
    expect(await blockspace("grow", at("s"), "2TiB")).toBe(
      "the store has 2 TiB now, of which 2.0 TiB are free\n",
    );
    const told = await blockspaceJson("grow", at("s"), "2TiB");
    expect(told).toEqual({ capacity: 2 * 2 ** 40, free: 2 * 2 ** 40 - 64 * 4096 });
    expect(await blockspaceJson("info", at("s"))).toMatchObject({ capacity: 2 * 2 ** 40 });
    const { size, blocks } = await stat(at("s/data"));
    expect(size).toBe(2 * 2 ** 40 + 4096);
    expect(blocks * 512).toBeLessThan(MiB);
    expect(await blockspace("check", at("s"))).toContain("clean (0 subvolumes");
  });

  it("makes a file that was named as the device longer as well", async () => {
    await writeFile(at("data.img"), "");
    await truncate(at("data.img"), 64 * MiB);
    const elsewhere = ["--device", at("data.img")];
    await blockspace("init", at("s"), ...elsewhere);
    await blockspace(...elsewhere, "grow", at("s"), "1GiB");
    expect((await stat(at("data.img"))).size).toBe(GiB + 4096);
    const info = await blockspaceJson("info", at("s"), ...elsewhere);
    expect(info).toMatchObject({ capacity: GiB });
  });

  it("refuses less than there is, and says what is allowed", async () => {
    await blockspace("init", at("s"), "--capacity", "64MiB", "--journal-size", "1M");
    const { code, says } = await failure("grow", at("s"), "32MiB");
    expect(says).toMatch(
      /^blockspace: EINVAL: capacity is 33554432 bytes; allowed are 67108864, which /,
    );
    expect(code).toBe(1);
  });
});

describe("compact", () => {
  it("moves live blocks together", async () => {
    await makeStore(at("s"), async (host) => {
      const disk = await host.create("disk", { size: 16 * MiB });
      await disk.write(0, Buffer.alloc(8 * MiB, "x"));
      await disk.discard(4096, 8 * MiB - 8192);
    });
    const report = await blockspaceJson<Record<string, unknown>>("compact", at("s"));
    expect(report).toEqual({ segments: 2, bytesMoved: 8192, problems: [] });
    const bytes = await inspect(at("s"), (host) => host.get("disk").read(8 * MiB - 4096, 8192));
    expect(bytes.equals(Buffer.concat([Buffer.alloc(4096, "x"), Buffer.alloc(4096)]))).toBe(true);
    expect(await blockspace("compact", at("s"))).toMatch(/^emptied \d segments, moved .*\n$/);
  });
});
