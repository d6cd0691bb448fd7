/** The commands that read and write bytes, and output that nobody wants to the end. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { GiB, MiB } from "../../src/index.ts";
import { entry, failure, inspect, makeStore, run, scratch, start } from "./blockspace.ts";

const at = scratch();

describe("read and write", () => {
  it("carry any bytes at any offset", async () => {
    await makeStore(at("s"), (host) => host.create("disk", { size: 8 * MiB }));
    const input = Buffer.from(Array.from({ length: 2 * MiB + 5 }, (_, i) => i % 251));
    const wrote = await run(["write", at("s"), "disk", "4095"], { input });
    expect(wrote).toMatchObject({ code: 0, stdout: "", stderr: "" });
    const { code, bytes } = await run(["read", at("s"), "disk", "4095", String(input.length)]);
    expect(code).toBe(0);
    expect(input.equals(bytes)).toBe(true);
    const around = await run(["read", at("s"), "disk", "4090", "8"]);
    expect([...around.bytes]).toEqual([0, 0, 0, 0, 0, 0, 1, 2]);
  });

  it("take human sizes, and nothing at all", async () => {
    await makeStore(at("s"), (host) => host.create("disk", { size: 2 * MiB }));
    await run(["write", at("s"), "disk", "1MiB"], { input: "hello" });
    const { stdout } = await run(["read", at("s"), "disk", "1M", "5"]);
    expect(stdout).toBe("hello");
    expect(await run(["read", at("s"), "disk", "2MiB", "0"])).toMatchObject({
      code: 0,
      stdout: "",
    });
    expect(await run(["write", at("s"), "disk", "0"], { input: "" })).toMatchObject({ code: 0 });
  });

  it("put a small write into one commit", async () => {
    await makeStore(at("s"), (host) => host.create("disk", { size: 2 * MiB }));
    await run(["write", at("s"), "disk", "100"], { input: Buffer.alloc(100_000, "x") });
    expect(await inspect(at("s"), (host) => host.statistics().lastLsn)).toBe(2);
  });

  it("refuse what lies beyond the subvolume, and a snapshot", async () => {
    await makeStore(at("s"), async (host) => {
      await host.create("disk", { size: 4096 });
      await host.snapshot("disk", "snap");
    });
    const beyond = /^blockspace: ERANGE: .* end beyond subvolume "disk" of 4096 bytes\n$/;
    const reading = await failure("read", at("s"), "disk", "4000", "97");
    expect([reading.code, reading.says]).toEqual([1, expect.stringMatching(beyond)]);
    const writing = await run(["write", at("s"), "disk", "4000"], { input: Buffer.alloc(97) });
    expect([writing.code, writing.stderr]).toEqual([1, expect.stringMatching(beyond)]);
    const never = start(["write", at("s"), "disk", "4097"]);
    expect(await never.ends()).toMatchObject({ code: 1, stderr: expect.stringMatching(beyond) });
    const snapshot = await run(["write", at("s"), "snap", "0"], { input: "x" });
    expect(snapshot.stderr).toBe('blockspace: EROFS: subvolume "snap" is a snapshot\n');
    expect(snapshot.code).toBe(1);
  });
});

describe("output that nobody reads to the end", () => {
  it.each([
    ["read", ["read", "disk", "0", "1GiB"]],
    ["export", ["export", "disk", "-"]],
    ["map", ["map", "disk"]],
    ["map --json", ["map", "disk", "--json"]],
    ["journal", ["journal"]],
    ["help", ["--help"]],
  ])("ends %s quietly", async (_what, [command, ...args]) => {
    await makeStore(at("s"), async (host) => {
      const disk = await host.create("disk", { size: GiB });
      for (let i = 0; i < 4000; i++) await disk.write(i * 8192, Buffer.alloc(1, "x"));
    });
    const line = [...entry, command!, ...(command === "--help" ? [] : [at("s")]), ...args];
    const quoted = [process.execPath, ...line].map((word) => `'${word}'`).join(" ");
    const script = `{ ${quoted}; echo "code $?" >&2; } | head -c 100`;
    const { stdout, stderr } = spawnSync("sh", ["-c", script], { encoding: "buffer" });
    expect(stdout).toHaveLength(100);
    expect(stderr.toString()).toMatch(command === "--help" ? /^code (?:0|141)\n$/ : "code 141\n");
  });
});

describe.skipIf(!existsSync("/dev/full"))("output that cannot be written", () => {
  it.each([
    ["bytes", ["read", "disk", "0", "10"]],
    ["lines", ["list"]],
  ])("is an error for %s", async (_what, [command, ...args]) => {
    await makeStore(at("s"), (host) => host.create("disk", { size: 4096 }));
    const line = [process.execPath, ...entry, command!, at("s"), ...args];
    const script = `${line.map((word) => `'${word}'`).join(" ")} > /dev/full`;
    const { status, stderr } = spawnSync("sh", ["-c", script], { encoding: "utf8" });
    expect(stderr).toMatch(/^blockspace: ENOSPC: .*\n$/);
    expect(status).toBe(1);
  });
});
