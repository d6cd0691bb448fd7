/** A host on real files with real LMDB: what it writes is there again, and space goes back. */
import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { cp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Host } from "../../src/host/host.ts";
import { pattern, scratchDirectory } from "../device/scratch.ts";
import { expectBytes, expectConserved, picture, refusal } from "./refusal.ts";

const MiB = 2 ** 20;
const OPTIONS = { capacity: 64 * MiB, journalSize: MiB, cacheSize: MiB, maxDirty: MiB };

/** Bytes that a file takes on the disk. */
async function occupied(path: string): Promise<number> {
  return (await stat(path)).blocks * 512;
}

describe("a store on disk", () => {
  const scratch = scratchDirectory();

  it("holds after close and reopen what it held before", async () => {
    const host = await Host.open(scratch(), { ...OPTIONS, create: true });
    const disk = await host.create("disk", { size: 3 * MiB + 5 });
    const data = pattern(3 * MiB + 5);
    for (let at = 0; at < data.length; at += 100_003) {
      await disk.write(at, data.subarray(at, at + 100_003));
    }
    const snapshot = await host.snapshot("disk", "snap");
    await disk.discard(MiB, MiB);
    await disk.write(5, Buffer.from("new"));
    const clone = await host.clone("snap", "clone");
    await clone.write(2 * MiB, Buffer.from("clone"));
    await host.flush();
    expectBytes(await snapshot.read(0, data.length), data);
    const before = await picture(host);
    await host.close();
    expect((await readdir(scratch())).toSorted()).toEqual([
      "checkpoint",
      "data",
      "journal",
      "lock",
      "superblock",
    ]);
    const again = await Host.open(scratch());
    expect(again.recovery).toMatchObject({ commits: 0, discardedBytes: 0 });
    expect(await picture(again)).toEqual(before);
    expectConserved(again);
    await again.close();
  });

  it("holds what was flushed when the process is gone without a close", async () => {
    const alive = join(scratch(), "alive");
    const host = await Host.open(alive, { ...OPTIONS, create: true });
    const disk = await host.create("disk", { size: MiB });
    await disk.write(0, pattern(300_000, 1));
    await host.checkpoint();
    await disk.write(1000, pattern(50_000, 2));
    await disk.write(700_001, Buffer.from("small"));
    await disk.flush();
    const before = await picture(host);
    await cp(alive, join(scratch(), "copy"), { recursive: true });
    const copy = await Host.open(join(scratch(), "copy"));
    expect(copy.recovery.commits).toBe(2);
    expect(await picture(copy)).toEqual(before);
    await copy.get("disk").write(0, Buffer.from("goes on"));
    await copy.close();
    await host.close();
  });

  it("many small and large writes at once arrive", async () => {
    const host = await Host.open(scratch(), { ...OPTIONS, create: true });
    const disk = await host.create("disk", { size: 8 * MiB });
    const model = Buffer.alloc(8 * MiB);
    const waits: Promise<void>[] = [];
    for (let i = 0; i < 400; i++) {
      const data = pattern(i % 20 === 0 ? 200_000 : 3000, i + 1);
      const at = (i * 7_919_777) % (model.length - data.length);
      waits.push(disk.write(at, data));
      model.set(data, at);
    }
    expectBytes(await disk.read(0, model.length), model);
    await Promise.all(waits);
    await host.flush();
    await host.close();
    const again = await Host.open(scratch());
    expectBytes(await again.get("disk").read(0, model.length), model);
    await again.close();
  });

  it("a host that is disposed of is closed", async () => {
    let kept: Host;
    {
      await using host = await Host.open(scratch(), { ...OPTIONS, create: true });
      await host.create("disk", { size: 1 });
      kept = host;
    }
    expect(await refusal(() => kept.get("disk"))).toMatchObject({ code: "ECLOSED" });
    await (await Host.open(scratch())).close();
  });

  it("discarded space goes back to the file system after checkpoints", async () => {
    const data = join(scratch(), "data");
    const host = await Host.open(scratch(), { ...OPTIONS, create: true });
    const disk = await host.create("disk", { size: 32 * MiB });
    for (let at = 0; at < 16 * MiB; at += MiB) await disk.write(at, pattern(MiB, at));
    await host.checkpoint();
    const full = await occupied(data);
    expect(full).toBeGreaterThanOrEqual(16 * MiB);
    await disk.discard(2 * MiB, 12 * MiB);
    await host.checkpoint();
    await host.checkpoint();
    expect(host.statistics().busy).toBe(0);
    expect(await occupied(data)).toBeLessThanOrEqual(full - 11 * MiB);
    expectBytes(await disk.read(MiB, MiB), pattern(MiB, MiB));
    expectBytes(await disk.read(15 * MiB, MiB), pattern(MiB, 15 * MiB));
    await host.delete("disk");
    await host.close();
    const again = await Host.open(scratch());
    await again.checkpoint();
    await again.checkpoint();
    expect(await occupied(data)).toBeLessThan(MiB);
    await again.close();
  });

  it("scattered discards go back when their segments are empty", async () => {
    const data = join(scratch(), "data");
    const host = await Host.open(scratch(), { ...OPTIONS, create: true });
    const disk = await host.create("disk", { size: 32 * MiB });
    for (let at = 0; at < 8 * MiB; at += MiB) await disk.write(at, pattern(MiB, at));
    await host.checkpoint();
    const full = await occupied(data);
    for (let at = 0; at < 8 * MiB; at += 8192) await disk.discard(at, 4096);
    await host.checkpoint();
    await host.checkpoint();
    for (let at = 4096; at < 8 * MiB; at += 8192) await disk.discard(at, 4096);
    await host.checkpoint();
    await host.checkpoint();
    expect(host.statistics()).toMatchObject({ allocated: 0, busy: 0 });
    expect(await occupied(data)).toBeLessThan(full / 8);
    await host.close();
  });

  it("compact moves live blocks, snapshots included, and gives segments back", async () => {
    const data = join(scratch(), "data");
    const host = await Host.open(scratch(), { ...OPTIONS, create: true });
    const disk = await host.create("disk", { size: 32 * MiB });
    for (let at = 0; at < 16 * MiB; at += MiB) await disk.write(at, pattern(MiB, at));
    for (let at = 0; at < 16 * MiB; at += 65_536) await disk.discard(at, 49_152);
    await host.snapshot("disk", "snap");
    await host.checkpoint();
    await host.checkpoint();
    const { subvolumes } = (await picture(host)) as { subvolumes: { bytes: string }[] };
    const before = await occupied(data);
    const report = await host.compact();
    expect(report.bytesMoved).toBeGreaterThan(MiB);
    expect(report.problems).toEqual([]);
    const after = (await picture(host)) as { subvolumes: { bytes: string }[] };
    expect(after.subvolumes.map(({ bytes }) => bytes)).toEqual(
      subvolumes.map(({ bytes }) => bytes),
    );
    expectConserved(host);
    expect(await occupied(data)).toBeLessThanOrEqual(before);
    await host.close();
    const again = await Host.open(scratch());
    const reopened = (await picture(again)) as { subvolumes: { bytes: string }[] };
    expect(reopened.subvolumes.map(({ bytes }) => bytes)).toEqual(
      subvolumes.map(({ bytes }) => bytes),
    );
    await again.close();
  });
});

describe("a data device elsewhere", () => {
  const scratch = scratchDirectory();

  async function expectRoundTrip(device: string): Promise<void> {
    const path = join(scratch(), "store");
    const host = await Host.open(path, { create: true, device, journalSize: MiB });
    const disk = await host.create("disk", { size: 4 * MiB });
    await disk.write(777, pattern(2 * MiB));
    await host.snapshot("disk", "snap");
    await disk.discard(0, MiB);
    await host.checkpoint();
    await host.checkpoint();
    const before = await picture(host);
    await host.close();
    expect(await readdir(path)).not.toContain("data");
    const forgotten = await refusal(() => Host.open(path));
    expect(forgotten.code).toBe("ENOENT");
    expect(forgotten.message).toContain("device");
    const again = await Host.open(path, { device });
    expect(await picture(again)).toEqual(before);
    await again.close();
  }

  it("a file: all of it is the capacity, and it is named at every opening", async () => {
    const device = join(scratch(), "device");
    await writeFile(device, "");
    await truncate(device, 32 * MiB);
    await expectRoundTrip(device);
    const host = await Host.open(join(scratch(), "store"), { device, readOnly: true });
    expect(host.statistics().capacity).toBe(32 * MiB - 4096);
    await host.close();
  });

  it("another file of the same size is refused: ECORRUPT", async () => {
    const device = join(scratch(), "device");
    for (const path of [device, `${device}2`]) {
      await writeFile(path, "");
      await truncate(path, 32 * MiB);
    }
    await expectRoundTrip(device);
    const path = join(scratch(), "store");
    expect(await refusal(() => Host.open(path, { device: `${device}2` }))).toMatchObject({
      code: "ECORRUPT",
    });
    const other = join(scratch(), "other");
    const taken = await refusal(() => Host.open(other, { create: true, device }));
    expect(taken.code).toBe("EEXIST");
    await rm(other, { recursive: true, force: true });
  });

  // Somebody's file system lost its first block to a label.
  it.each([0, 1080, 4086, 65_600, 131_071])("one with something at %i is refused", async (at) => {
    const device = join(scratch(), "device");
    const held = Buffer.alloc(MiB);
    held[at] = 1;
    await writeFile(device, held);
    const path = join(scratch(), "store");
    const error = await refusal(() => Host.open(path, { create: true, device }));
    expect(error.code).toBe("EEXIST");
    expect(error.message).toContain("128 KiB");
    expect(Buffer.compare(await readFile(device), held)).toBe(0);
    await truncate(device, 0);
    await truncate(device, MiB);
    await (await Host.open(path, { create: true, device, journalSize: 2 ** 16 })).close();
  });

  const loop = freeLoopDevice();
  it.skipIf(loop === undefined)("a block device (loop; skipped where there is none)", async () => {
    const image = join(scratch(), "image");
    await writeFile(image, "");
    await truncate(image, 32 * MiB);
    const device = execFileSync("losetup", ["--find", "--show", image]).toString().trim();
    // Detached at once while it is held open: it goes away with us, however this test ends.
    const held = openSync(device, "r");
    execFileSync("losetup", ["--detach", device]);
    try {
      await expectRoundTrip(device);
    } finally {
      closeSync(held);
    }
  });
});

/** A loop device that could be set up, where the system lets us. */
function freeLoopDevice(): string | undefined {
  try {
    return execFileSync("losetup", ["--find"], { stdio: "pipe" }).toString().trim();
  } catch {
    return undefined;
  }
}
