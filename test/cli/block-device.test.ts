/** Exports to block devices, and imports from them, where we can have a loop device to try it. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { messageOf } from "../../src/base/errors.ts";
import { KiB, MiB } from "../../src/index.ts";
import { blockspace, blockspaceJson, failure, inspect, makeStore, scratch } from "./blockspace.ts";

const at = scratch();
let held: number | undefined;

/** A loop device over a file, which goes away when we let go of it. */
function attach(path: string): string {
  const answer = execFileSync("losetup", ["--find", "--show", path], { stdio: "pipe" });
  const device = answer.toString().trim();
  held = openSync(device, "r");
  execFileSync("losetup", ["--detach", device], { stdio: "pipe" });
  return device;
}

function detach(): void {
  if (held !== undefined) closeSync(held);
  held = undefined;
}

function whyNone(): string | undefined {
  const directory = mkdtempSync(join(tmpdir(), "blockspace-loop-"));
  try {
    writeFileSync(join(directory, "image"), "");
    truncateSync(join(directory, "image"), 64 * KiB);
    attach(join(directory, "image"));
    detach();
    return undefined;
  } catch (error) {
    return messageOf(error).trim();
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const reason = whyNone();
const note = reason === undefined ? "" : ` (skipped, no loop device to be had here: ${reason})`;

describe.skipIf(reason !== undefined)(`a block device${note}`, () => {
  afterEach(detach);

  it("gets every byte of an export, zeroes too, and can be imported", async () => {
    await makeStore(at("s"), async (host) => {
      const disk = await host.create("disk", { size: 2 * MiB });
      await disk.write(MiB, Buffer.alloc(8192, "x"));
    });
    await writeFile(at("image"), Buffer.alloc(3 * MiB, "?"));
    const device = attach(at("image"));
    const refused = await failure("export", at("s"), "disk", device);
    expect([refused.code, refused.says]).toEqual([1, expect.stringContaining("EEXIST")]);
    await blockspace("export", at("s"), "disk", device, "--force", "--quiet");
    const expected = Buffer.alloc(3 * MiB, "?").fill(0, 0, 2 * MiB);
    expected.fill("x", MiB, MiB + 8192);
    expect(expected.equals(await readFile(device))).toBe(true);

    const imported = await blockspaceJson<object>("import", at("s"), device, "again");
    expect(imported).toMatchObject({ size: 3 * MiB, bytesWritten: MiB + 8192 });
    const bytes = await inspect(at("s"), (host) => host.get("again").read(0, 3 * MiB));
    expect(expected.equals(bytes)).toBe(true);
  });

  it("is brought from one snapshot to another", async () => {
    await makeStore(at("s"), async (host) => {
      const disk = await host.create("disk", { size: 2 * MiB });
      await disk.write(MiB, Buffer.alloc(MiB, "m"));
      await host.snapshot("disk", "disk@mon");
      await disk.write(512, Buffer.from("tuesday"));
      await disk.discard(MiB, MiB / 2);
    });
    await writeFile(at("image"), Buffer.alloc(3 * MiB, "?"));
    const device = attach(at("image"));
    await blockspace("export", at("s"), "disk@mon", device, "--force", "--quiet");
    await blockspace("export", at("s"), "disk", device, "--since", "disk@mon", "--quiet");
    const expected = await inspect(at("s"), (host) => host.get("disk").read(0, 2 * MiB));
    const found = await readFile(device);
    expect(found.subarray(0, 2 * MiB).equals(expected)).toBe(true);
    expect(found.subarray(2 * MiB).equals(Buffer.alloc(MiB, "?"))).toBe(true);
  });

  it("that is too small is left as it is", async () => {
    await makeStore(at("s"), (host) => host.create("disk", { size: 2 * MiB }));
    await writeFile(at("image"), Buffer.alloc(MiB, "?"));
    const device = attach(at("image"));
    expect(await failure("export", at("s"), "disk", device, "--force")).toEqual({
      code: 1,
      says: `blockspace: ENOSPC: ${device} has 1048576 bytes; the subvolume has 2097152\n`,
    });
    expect(Buffer.alloc(MiB, "?").equals(await readFile(device))).toBe(true);
  });
});
