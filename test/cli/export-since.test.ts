/** `export --since`: an image that holds a snapshot is brought to what differs from it. */
import { existsSync } from "node:fs";
import { readFile, stat, writeFile } from "node:fs/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Host, KiB, MiB } from "../../src/index.ts";
import { runs } from "../support/property-runs.ts";
import {
  blockspace,
  blockspaceJson,
  failure,
  inspect,
  makeStore,
  scratch,
  start,
} from "./blockspace.ts";

const at = scratch();

/** A disk of 8 MiB that differs on tuesday from what it was on monday. */
async function twoDays(host: Host): Promise<void> {
  const disk = await host.create("disk", { size: 8 * MiB });
  await disk.write(0, Buffer.alloc(4 * MiB, "m"));
  await host.snapshot("disk", "disk@mon");
  await disk.write(100, Buffer.from("tuesday"));
  await disk.write(7 * MiB, Buffer.alloc(8 * KiB, "t"));
  await disk.discard(MiB, 2 * MiB);
  await host.snapshot("disk", "disk@tue");
}

function bytesOf(name: string): Promise<Buffer> {
  return inspect(at("s"), (host) => host.get(name).read(0, host.get(name).size));
}

describe("export --since", () => {
  it("writes what differs, and gives back what was discarded", async () => {
    await makeStore(at("s"), twoDays);
    await blockspace("export", at("s"), "disk@mon", at("image"));
    const before = await stat(at("image"));
    const args = ["export", at("s"), "disk@tue", at("image"), "--since", "disk@mon"];
    const report = await blockspaceJson<object>(...args);
    expect(report).toMatchObject({ name: "disk@tue", size: 8 * MiB, bytesWritten: 12 * KiB });
    expect((await readFile(at("image"))).equals(await bytesOf("disk@tue"))).toBe(true);
    const after = await stat(at("image"));
    expect(after.ino).toBe(before.ino);
    expect((before.blocks - after.blocks) * 512).toBeGreaterThan(MiB);
  });

  it("says how much that was", async () => {
    await makeStore(at("s"), twoDays);
    await blockspace("export", at("s"), "disk@mon", at("image"));
    const told = await blockspace("export", at("s"), "disk", at("image"), "--since", "disk@mon");
    expect(told).toMatch(/^exported disk: 8 MiB, 12 KiB of it data, in \d+\.\d s\n$/);
  });

  it("follows any changes, sizes too", { timeout: 120_000 }, async () => {
    const change = fc.record({
      what: fc.constantFrom("write" as const, "zeroes" as const, "discard" as const),
      offset: fc.nat(200 * KiB),
      length: fc.integer({ min: 1, max: 60 * KiB }),
      byte: fc.integer({ min: 1, max: 255 }),
    });
    const size = fc.integer({ min: 1, max: 256 * KiB });
    const day = fc.record({ size, changes: fc.array(change, { maxLength: 6 }) });
    let store = 0;
    const follows = async (days: readonly Day[]): Promise<void> => {
      const path = at(`s${store++}`);
      const image = `${path}.img`;
      const expected = await makeDays(path, days);
      await blockspace("export", path, "0", image);
      for (let i = 1; i < days.length; i++) {
        await blockspace("export", path, String(i), image, "--since", String(i - 1), "--quiet");
        expect((await readFile(image)).equals(expected[i]!)).toBe(true);
      }
    };
    const property = fc.asyncProperty(fc.array(day, { minLength: 2, maxLength: 4 }), follows);
    await fc.assert(property, runs(6));
  });

  it("is completed by the same once more when it was interrupted", async () => {
    await makeStore(at("s"), async (host) => {
      const disk = await host.create("disk", { size: 96 * MiB });
      await disk.write(0, Buffer.alloc(32 * MiB, "m"));
      await host.snapshot("disk", "disk@mon");
      await disk.resize(128 * MiB);
      for (let i = 0; i < 128; i++) await disk.write(i * MiB, Buffer.alloc(MiB, "t"));
      await disk.discard(0, 5 * MiB);
    });
    await blockspace("export", at("s"), "disk@mon", at("image"));
    const args = ["export", at("s"), "disk", at("image"), "--since", "disk@mon"];
    const running = start([...args, "--verbose"]);
    await running.says("exporting to");
    running.child.kill("SIGTERM");
    const { code, stderr } = await running.ends();
    expect(stderr).toContain("holds a part of the update; the same once more completes it");
    expect(code).toBe(143);
    expect(existsSync(at("image"))).toBe(true);
    await blockspace(...args);
    expect((await readFile(at("image"))).equals(await bytesOf("disk"))).toBe(true);
  });

  it.each([
    [
      "no such file",
      ["disk@tue", "nowhere", "--since", "disk@mon"],
      /^ENOENT: there is no .*nowhere/,
    ],
    [
      "another size",
      ["disk@tue", "short", "--since", "disk@mon"],
      /^EINVAL: .* 5 bytes; allowed are 8388608$/,
    ],
    ["no snapshot", ["disk@tue", "image", "--since", "disk"], /^EINVAL: "disk" is no snapshot/],
    ["an unknown one", ["disk@tue", "image", "--since", "sun"], /^ENOENT: .*"sun"/],
    [
      "the store's own data",
      ["disk@tue", "s/data", "--since", "disk@mon"],
      /^EINVAL: .* the store/,
    ],
  ])("refuses %s, and changes nothing", async (_what, [name, file, ...rest], message) => {
    await makeStore(at("s"), twoDays);
    await writeFile(at("short"), "short");
    await blockspace("export", at("s"), "disk@mon", at("image"));
    const { code, says } = await failure("export", at("s"), name!, at(file!), ...rest);
    expect(says).toMatch(/^blockspace: /);
    expect(says.slice("blockspace: ".length).trimEnd()).toMatch(message);
    expect(code).toBe(1);
    expect((await readFile(at("image"))).equals(await bytesOf("disk@mon"))).toBe(true);
    expect((await readFile(at("short"))).toString()).toBe("short");
  });
});

interface Day {
  size: number;
  changes: { what: "write" | "zeroes" | "discard"; offset: number; length: number; byte: number }[];
}

/** A snapshot for each day, named by its number; returns what each holds. */
async function makeDays(path: string, days: readonly Day[]): Promise<Buffer[]> {
  const held: Buffer[] = [];
  await makeStore(path, async (host) => {
    const disk = await host.create("disk", { size: days[0]!.size });
    for (const [i, { size, changes }] of days.entries()) {
      await disk.resize(size);
      for (const { what, offset, length, byte } of changes) {
        const count = Math.min(length, size - offset);
        if (count <= 0) continue;
        if (what === "write") await disk.write(offset, Buffer.alloc(count, byte));
        else if (what === "discard") await disk.discard(offset, count);
        else await disk.write(offset, Buffer.alloc(count));
      }
      const snapshot = await host.snapshot("disk", String(i));
      held.push(await snapshot.read(0, size));
    }
  });
  return held;
}
