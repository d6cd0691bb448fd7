/**
 * `check`, `repair`, `dump` and `restore` as processes: their exit codes one by one, their output
 * for people and for programs, and that a store in use is left alone.
 */
import { once } from "node:events";
import { cp, mkdir, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { Host } from "../../src/index.ts";
import type { CheckReport } from "../../src/fsck/check.ts";
import { crc32c } from "../../src/base/checksum.ts";
import { repair, type RepairReport } from "../../src/fsck/repair.ts";
import { makeStore, run, scratch, start } from "./blockspace.ts";
import { flip, sampleStore } from "./sample-store.ts";

const path = scratch();

const store = (): Promise<string> => sampleStore(path("store"));

/** Resolves when a process has a file open. */
async function untilOpened(pid: number, file: string): Promise<void> {
  const fds = `/proc/${pid}/fd`;
  for (;;) {
    const links = (await readdir(fds)).map((fd) => readlink(join(fds, fd)).catch(() => ""));
    if ((await Promise.all(links)).includes(file)) return;
    await setTimeout(50);
  }
}

describe("check", () => {
  it("0: a clean store, with its phases", async () => {
    const { code, stdout } = await run(["check", await store(), "--data"]);
    expect(code).toBe(0);
    expect(stdout.split("\n").filter((line) => line.startsWith("phase "))).toHaveLength(8);
    expect(stdout).toContain("clean (2 subvolumes at commit 3), 64 KiB of data read");
  });

  it("names the store as `info` does", async () => {
    const place = await store();
    const [info, report] = [
      await run(["info", place, "--json"]),
      await run(["check", place, "--json"]),
    ];
    const { uuid } = JSON.parse(info.stdout) as { uuid: string };
    expect(JSON.parse(report.stdout)).toMatchObject({ uuid });
  });

  it("2: nothing worse than leaks", async () => {
    const place = await store();
    await writeFile(join(place, "superblock.new"), "");
    const { code, stdout } = await run(["check", place]);
    expect({ code, found: stdout.includes("I004 leak") }).toEqual({ code: 2, found: true });
  });

  it("4: damage, as one document and as lines", async () => {
    const place = await store();
    await flip(join(place, "data"), 10);
    const document = await run(["check", place, "--json"]);
    const report = JSON.parse(document.stdout) as CheckReport;
    expect(document.code).toBe(4);
    expect(report.findings).toMatchObject([
      { id: "S006", severity: "damage", where: { file: "data", offset: 0 }, promise: "I6" },
    ]);
    const { stdout } = await run(["check", place, "--json-lines"]);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { type: string });
    expect(lines.filter(({ type }) => type === "phase")).toHaveLength(7);
    expect(lines.filter(({ type }) => type === "finding")).toMatchObject([{ id: "S006" }]);
    expect(lines.at(-1)).toMatchObject({ type: "end", exitCode: 4 });
    const progress = lines.filter(({ type }) => type === "progress");
    expect(new Set(progress.map((line) => (line as unknown as { phase: number }).phase)).size).toBe(
      7,
    );
  });

  it("8: a store that somebody writes to, and one that is not there", async () => {
    const place = await store();
    const host = await Host.open(place);
    const busy = await run(["check", place]);
    await host.close();
    expect({ code: busy.code, says: busy.stderr }).toMatchObject({ code: 8 });
    expect(busy.stderr).toContain("ELOCKED");
    const missing = await run(["check", path("nowhere")]);
    expect(missing.code).toBe(8);
    expect(missing.stderr).toContain("ENOENT: there is no store in");
  });

  it("8: a store of a later version, and a file that cannot be read", async () => {
    const place = await store();
    const file = join(place, "superblock");
    const bytes = await readFile(file);
    for (const slot of [0, 4096]) {
      bytes.writeUInt32LE(4, slot + 8);
      bytes.writeUInt32LE(0, slot + 12);
      bytes.writeUInt32LE(crc32c(bytes.subarray(slot, slot + 4096)), slot + 12);
    }
    await writeFile(file, bytes);
    for (const command of [["check"], ["repair", "--in-place"]]) {
      const later = await run([...command, place]);
      expect({ code: later.code, says: later.stderr }).toMatchObject({ code: 8 });
      expect(later.stderr).toContain("ENOTSUP");
    }
    await rm(file);
    await mkdir(file);
    const odd = await run(["check", place]);
    expect({ code: odd.code, says: odd.stderr }).toMatchObject({ code: 8 });
    expect(odd.stderr).toContain("EIO");
  });

  it.each([
    ["check"],
    ["check", "s", "--fast"],
    ["repair", "s"],
    ["repair", "s", "--to", "t", "--in-place"],
    ["repair", "s", "--undo", "--in-place"],
    ["repair", "s", "--in-place", "--only", "x"],
    ["check", "s", "--json", "--json-lines"],
    ["check", "s", "--data-rate", "0"],
    ["check", ""],
    ["--device", "d", "check"],
    ["--device", "d", "repair", "s"],
    ["repair", "s", "--to", ""],
    // It was 2, "nothing worse than leaks": the value of the option was taken for the command.
    ["--device", "d", "check", "s", "--fast"],
  ])("16: %s %s %s %s %s", async (...args) => {
    expect((await run(args)).code).toBe(16);
  });

  it("32: cancelled, by who reads its lines as they come", async () => {
    const started = start(["check", await store(), "--data", "--data-rate", "4k", "--json-lines"]);
    started.child.stdin.end();
    started.child.stdout.once("data", () => started.child.kill("SIGINT"));
    const { code, stdout } = await started.ends();
    expect(code! & 32).toBe(32);
    expect(stdout.startsWith('{"type":"progress","phase":0')).toBe(true);
  });

  it("ends quietly when who read its lines has left", async () => {
    const started = start(["check", await store(), "--data", "--data-rate", "4k", "--json-lines"]);
    started.child.stdin.end();
    started.child.stdout.once("data", () => started.child.stdout.destroy());
    const [code, signal] = (await once(started.child, "close")) as [number | null, string | null];
    expect({ code, signal, says: started.stderr }).toEqual({
      code: 141,
      signal: null,
      says: "",
    });
  });

  it("32: what was found until then is printed for programs", async () => {
    // More than is read at once.
    const place = await makeStore(path("store"), async (host) => {
      await (await host.create("disk", { size: 2 ** 22 })).write(0, Buffer.alloc(2 ** 22, "data"));
    });
    for (const format of ["--json", "--json-lines"]) {
      const started = start(["check", place, "--data", "--data-rate", "1", format]);
      const ended = started.ends();
      started.child.stdin.end();
      await untilOpened(started.child.pid!, join(place, "data"));
      started.child.kill("SIGINT");
      const { code, stdout } = await ended;
      expect(code! & 32).toBe(32);
      const report = JSON.parse(format === "--json" ? stdout : stdout.trim().split("\n").at(-1)!);
      expect(report).toMatchObject({ failure: { code: "ECANCELED" } });
    }
  });

  it("is what a store that does not open advises", async () => {
    const place = await store();
    for (const slot of [0, 4096]) await flip(join(place, "superblock"), slot + 100);
    for (const command of ["list", "journal", "dump", "serve"]) {
      const { code, stderr } = await run([command, place]);
      const advice = `blockspace: "blockspace check ${place}" says what is wrong`;
      expect({ command, code }).toEqual({ command, code: 1 });
      expect(stderr).toContain(advice);
    }
  });

  it("writes nothing", async () => {
    const place = await store();
    const before = await Promise.all((await readdir(place)).map(async (name) => name));
    await run(["check", place, "--data"]);
    expect(await readdir(place)).toEqual(before);
  });
});

describe("repair", () => {
  it("1: into a new store, which is sound; the old one is as it was", async () => {
    const place = await store();
    await flip(join(place, "superblock"), 100);
    const before = await readFile(join(place, "superblock"));
    const { code, stdout } = await run(["repair", place, "--to", path("new")]);
    expect({ code, stdout }).toMatchObject({ code: 1 });
    expect(stdout).toContain("1 findings corrected, 0 left");
    expect(await readFile(join(place, "superblock"))).toEqual(before);
    expect((await run(["check", path("new"), "--data"])).code).toBe(0);
  });

  it("1: in place, and undone", async () => {
    const place = await store();
    await flip(join(place, "superblock"), 100);
    await cp(place, path("copy"), { recursive: true });
    const { stdout, code } = await run(["repair", place, "--in-place", "--json"]);
    expect(code).toBe(1);
    expect(JSON.parse(stdout) as RepairReport).toMatchObject({ corrected: 1, uncorrected: 0 });
    expect((await run(["check", place])).code).toBe(0);
    expect((await run(["repair", place, "--undo"])).code).toBe(0);
    const [now, then] = [join(place, "superblock"), join(path("copy"), "superblock")];
    expect(await readFile(now)).toEqual(await readFile(then));
  });

  it("8: an undoing that cannot be, told to programs as well", async () => {
    const { code, stdout } = await run(["repair", await store(), "--undo", "--json"]);
    expect(code).toBe(8);
    expect(JSON.parse(stdout)).toMatchObject({ failure: { code: "ENOENT" } });
  });

  // The path of the device was taken for the command, and 1 says that all is corrected.
  it("8: the same of a store whose data lies elsewhere", async () => {
    const { code } = await run(["--device", path("data"), "repair", path("nowhere"), "--undo"]);
    expect(code).toBe(8);
  });

  it("0: nothing to do", async () => {
    const place = await store();
    // A new store that nobody made is not to be looked for.
    for (const how of [["--in-place"], ["--to", path("new")]]) {
      const { code, stdout } = await run(["repair", place, ...how]);
      expect(code).toBe(0);
      expect(stdout).toMatch(/\nnothing was written: there is nothing to repair\n$/);
    }
  });

  it("1: leaks, when only they are wanted", async () => {
    const place = await store();
    await writeFile(join(place, "superblock.new"), "");
    expect((await run(["repair", place, "--in-place", "--only", "leaks"])).code).toBe(1);
    expect((await run(["check", place])).code).toBe(0);
  });

  it("5: what can be corrected is, and a block that is lost is not", async () => {
    const place = await makeStore(path("store"), async (host) => {
      const disk = await host.create("disk", { size: 2 ** 20 });
      // Too much for the journal, from which it could be brought back.
      await disk.write(0, Buffer.alloc(2 ** 18, "data"));
    });
    await flip(join(place, "superblock"), 100);
    await flip(join(place, "data"), 4096 + 100);
    const { code, stdout } = await run(["repair", place, "--in-place", "--data"]);
    expect({ code, stdout }).toMatchObject({ code: 5 });
    expect(stdout).toContain("unreadable: ");
  });

  it("32: cancelled before a byte was written", async () => {
    const place = await store();
    await flip(join(place, "superblock"), 100);
    const before = await readdir(place);
    const signal = AbortSignal.abort();
    for (const options of [{ inPlace: true }, { to: path("new") }]) {
      expect(await repair(place, { ...options, signal })).toMatchObject({
        exitCode: 32,
        failure: { code: "ECANCELED" },
      });
    }
    expect(await readdir(place)).toEqual(before);
  });

  it("4: nothing that can be done, or only leaks wanted", async () => {
    const place = await store();
    await flip(join(place, "data"), 10);
    expect((await run(["repair", place, "--in-place", "--only", "leaks"])).code).toBe(4);
    for (const slot of [0, 4096]) await flip(join(place, "superblock"), slot + 100);
    expect((await run(["repair", place, "--in-place"])).code).toBe(4);
  });

  it("8: a target that is not empty", async () => {
    const place = await store();
    await flip(join(place, "superblock"), 100);
    const { code, stderr } = await run(["repair", place, "--to", place]);
    expect({ code: code! & 8, told: stderr.includes("EEXIST") }).toEqual({ code: 8, told: true });
  });
});

describe("dump and restore", () => {
  it("make an equal store beside the data file", async () => {
    const place = await store();
    const { code, stdout } = await run(["dump", place]);
    expect(code).toBe(0);
    await mkdir(path("restored"));
    await cp(join(place, "data"), join(path("restored"), "data"));
    expect((await run(["restore", path("restored")], { input: stdout })).code).toBe(0);
    expect((await run(["check", path("restored"), "--data"])).code).toBe(0);
    expect((await run(["dump", path("restored")])).stdout).toBe(stdout);
  });

  it("1: a dump that makes no sense, and one that is not there", async () => {
    const nonsense = await run(["restore", path("new")], { input: "nonsense\n" });
    expect({ code: nonsense.code, says: nonsense.stderr }).toMatchObject({ code: 1 });
    expect(nonsense.stderr).toContain("line 1 of the dump makes no sense");
    const missing = await run(["restore", path("new"), path("nowhere")]);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain("ENOENT");
  });
});
