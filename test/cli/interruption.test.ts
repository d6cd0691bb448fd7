/** Runs that are ended early: by signals, by SIGKILL, and what is left of them. */
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { setTimeout } from "node:timers/promises";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Interruption } from "../../src/cli/interruption.ts";
import { MiB } from "../../src/index.ts";
import {
  blockspace,
  blockspaceJson,
  inspect,
  makeStore,
  run,
  scratch,
  start,
} from "./blockspace.ts";
import type { Running } from "./blockspace.ts";

const at = scratch();

/** An import that has taken `size` bytes and waits for more. */
async function importHalf(size: number, ...options: string[]): Promise<Running> {
  const running = start(["import", at("s"), "-", "disk", "--verbose", ...options]);
  await running.says("importing into .import-");
  for (let i = 0; i < size / MiB; i++) await running.takes(Buffer.alloc(MiB, 1 + (i % 255)));
  return running;
}

describe("an import that is interrupted", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const)("by %s leaves nothing and ends with %i", async (signal, code) => {
    await makeStore(at("s"), (host) => host.create("other", { size: 1 }));
    const running = await importHalf(3 * MiB);
    running.child.kill(signal);
    const ended = await running.ends();
    expect(ended.stderr).toMatch(new RegExp(`\nblockspace: interrupted by ${signal}\n$`));
    expect(ended).toMatchObject({ code, signal: null, stdout: "" });
    await inspect(at("s"), (host) => {
      expect(host.list().map(({ name }) => name)).toEqual(["other"]);
      expect(host.statistics().allocated).toBe(0);
      expect(host.recovery.commits).toBe(0);
    });
  });

  it("together with whoever feeds it takes no end for the whole", async () => {
    await makeStore(at("s"));
    const running = await importHalf(MiB);
    running.child.kill("SIGINT");
    running.child.stdin.end();
    expect((await running.ends()).code).toBe(130);
    expect(await inspect(at("s"), (host) => host.list())).toEqual([]);
  });

  // As by npx, which the terminal tells as well as us.
  it("by a signal that comes twice at once leaves nothing either", async () => {
    await makeStore(at("s"));
    const running = await importHalf(3 * MiB);
    for (let i = 0; i < 2; i++) {
      running.child.kill("SIGINT");
      await setTimeout(20);
    }
    expect(await running.ends()).toMatchObject({ code: 130, signal: null });
    expect(await inspect(at("s"), (host) => host.list())).toEqual([]);
  });

  it("while it reads a file leaves nothing either", async () => {
    await makeStore(at("s"));
    await writeFile(at("image"), Buffer.alloc(128 * MiB, "x"));
    const running = start(["import", at("s"), at("image"), "disk", "--verbose"]);
    await running.says("importing into .import-");
    running.child.kill("SIGINT");
    expect((await running.ends()).code).toBe(130);
    expect(await inspect(at("s"), (host) => host.list())).toEqual([]);
  });

  it("by SIGKILL leaves something that list shows and the next import deletes", async () => {
    await makeStore(at("s"));
    const running = await importHalf(MiB);
    running.child.kill("SIGKILL");
    expect(await running.ends()).toMatchObject({ code: null, signal: "SIGKILL" });

    const [left] = await blockspaceJson<{ name: string }[]>("list", at("s"));
    expect(left?.name).toMatch(/^\.import-[0-9a-f]{16}$/);
    expect(await blockspace("list", at("s"))).toContain("unfinished import");
    const { recovery } = await blockspaceJson<{ recovery: { commits: number } }>("info", at("s"));
    expect(recovery.commits).toBeGreaterThan(0);

    await writeFile(at("image"), "the second attempt");
    const again = await run(["import", at("s"), at("image"), "disk"]);
    expect(again).toMatchObject({
      code: 0,
      stderr: `blockspace: deleted ${left!.name}, left unfinished\n`,
    });
    const listed = await blockspaceJson<{ name: string }[]>("list", at("s"));
    expect(listed.map(({ name }) => name)).toEqual(["disk"]);
  });
});

describe("other runs that are interrupted", () => {
  it("an export leaves no file", async () => {
    await makeStore(at("s"), async (host) => {
      const disk = await host.create("disk", { size: 128 * MiB });
      for (let i = 0; i < 128; i++) await disk.write(i * MiB, Buffer.alloc(MiB, 1));
    });
    await mkdir(at("out"));
    const running = start(["export", at("s"), "disk", at("out/copy"), "--verbose"]);
    await running.says("exporting to");
    running.child.kill("SIGTERM");
    expect((await running.ends()).code).toBe(143);
    await expect(stat(at("out/copy"))).rejects.toThrow("ENOENT");
  });

  it("a write keeps the commits it has made", async () => {
    await makeStore(at("s"), (host) => host.create("disk", { size: 8 * MiB }));
    const running = start(["write", at("s"), "disk", "0", "--verbose"]);
    await running.says("replayed");
    await running.takes(Buffer.alloc(2 * MiB, "x"));
    await running.takes(Buffer.alloc(MiB, "y"));
    running.child.kill("SIGINT");
    expect((await running.ends()).code).toBe(130);
    const bytes = await inspect(at("s"), (host) => host.get("disk").read(0, 2 * MiB));
    expect(bytes.equals(Buffer.alloc(2 * MiB, "x"))).toBe(true);
  });

  it("a restore that waits for its dump makes nothing", async () => {
    const running = start(["restore", at("s")]);
    // More than the pipe holds: it is being read.
    await running.takes(Buffer.alloc(256 * 1024, " "));
    running.child.kill("SIGINT");
    const { code, stderr } = await running.ends();
    expect({ code, stderr }).toEqual({ code: 130, stderr: "blockspace: interrupted by SIGINT\n" });
    await expect(stat(at("s"))).rejects.toThrow("ENOENT");
  });

  it("an export to a pipe that is full ends at once", async () => {
    await makeStore(at("s"), (host) => host.create("disk", { size: 64 * MiB }));
    const running = start(["export", at("s"), "disk", "-", "--verbose"]);
    running.child.stdout.pause();
    await running.says("replayed");
    running.child.kill("SIGINT");
    expect((await running.ends()).code).toBe(130);
  });
});

describe("a second signal", () => {
  it("ends the process, if it is not the first one over again", () => {
    const interruption = new Interruption();
    const killed = vi.spyOn(process, "kill").mockReturnValue(true);
    const clock = vi.spyOn(performance, "now");
    onTestFinished(() => void vi.restoreAllMocks());
    const before = process.listenerCount("SIGHUP");
    interruption.listen();
    onTestFinished(() => interruption.ignore());
    for (const [nowMs, kills] of [
      [1000, 0],
      [1499, 0],
      [1500, 1],
    ] as const) {
      clock.mockReturnValue(nowMs);
      process.emit("SIGHUP", "SIGHUP");
      expect({ nowMs, kills: killed.mock.calls.length }).toEqual({ nowMs, kills });
    }
    expect(killed).toHaveBeenCalledWith(process.pid, "SIGHUP");
    expect(interruption.exitCode).toBe(129);
    expect(process.listenerCount("SIGHUP")).toBe(before);
  });
});

describe("a store that somebody else has open", () => {
  const locked = /^blockspace: ELOCKED: .* is locked by another holder\n$/;

  it("is refused to everybody while it is written", async () => {
    await makeStore(at("s"), (host) => host.create("other", { size: 1 }));
    const writer = await importHalf(MiB);
    for (const args of [["info"], ["journal"], ["delete", "other"], ["compact"]]) {
      const [command, ...rest] = args;
      const { code, stderr } = await run([command!, at("s"), ...rest]);
      expect(stderr).toMatch(locked);
      expect(code).toBe(1);
    }
    const { stderr } = await run(["init", at("s")]);
    expect(stderr).toMatch(/^blockspace: EEXIST/);
    writer.child.stdin.end();
    expect((await writer.ends()).code).toBe(0);
    expect(await inspect(at("s"), (host) => host.get("other").size)).toBe(1);
  });

  it("can be read beside other readers, but not written", async () => {
    await makeStore(at("s"), async (host) => {
      await (await host.create("disk", { size: 64 * MiB })).write(0, Buffer.alloc(4096, "x"));
    });
    const reader = start(["export", at("s"), "disk", "-", "--verbose"]);
    reader.child.stdout.pause();
    await reader.says("replayed");
    for (const args of [["info"], ["list"], ["map", "disk"], ["journal"]]) {
      const [command, ...rest] = args;
      await blockspace(command!, at("s"), ...rest);
    }
    await blockspace("diff", at("s"), "disk", "disk");
    await blockspace("export", at("s"), "disk", at("copy"));
    expect((await readFile(at("copy"))).length).toBe(64 * MiB);
    const { code, stderr } = await run(["delete", at("s"), "disk"]);
    expect(stderr).toMatch(locked);
    expect(code).toBe(1);
    expect((await reader.ends()).bytes).toHaveLength(64 * MiB);
  });
});
