/** The file medium: the suite of promises, and how it deals with what the system does to it. */
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { readFile, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as extensions from "fs-native-extensions";
import { afterEach, describe, expect, it, vi } from "vitest";
import { MiB } from "../../src/base/units.ts";
import { FileDevice } from "../../src/device/file-device.ts";
import { describeDevice, describeExtension, type Medium } from "./device-suite.ts";
import { pattern, scratchDirectory } from "./scratch.ts";

vi.mock("fs-native-extensions", { spy: true });

const scratch = scratchDirectory();
const path = (): string => join(scratch(), "file");
const sparse = (size: number): Promise<FileDevice> =>
  FileDevice.create(path(), { size, layout: "sparse" });
const opened: FileDevice[] = [];
function keep(device: FileDevice): FileDevice {
  opened.push(device);
  return device;
}
afterEach(async () => {
  vi.restoreAllMocks();
  vi.mocked(extensions.trim).mockReset();
  for (const device of opened.splice(0)) await device.close();
});

const sparseFile: Medium = {
  make: (size) => sparse(size),
  reopen: (mode) => FileDevice.open(path(), mode),
};
describeDevice("sparse file", sparseFile);
describeExtension("sparse file", sparseFile);
describeDevice("preallocated file", {
  make: (size) => FileDevice.create(path(), { size, layout: "preallocated" }),
  reopen: (mode) => FileDevice.open(path(), mode),
});

describe("a read at once", () => {
  const canRead = process.platform === "linux" && ["x64", "arm64"].includes(process.arch);

  it.skipIf(!canRead)("gives what is cached, and never anything else", async () => {
    const whole = pattern(300_000);
    await writeFile(path(), whole);
    const device = keep(await FileDevice.open(path(), "read"));
    for (const length of [1, 512, 4096, 16 * 1024, 16 * 1024 + 1, 200_000]) {
      for (const offset of [0, 1, 4095, 300_000 - length]) {
        const target = new Uint8Array(length);
        expect(device.readNow(target, offset), `${length} bytes at ${offset}`).toBe(true);
        expect(Buffer.compare(target, whole.subarray(offset, offset + length))).toBe(0);
      }
    }
  });

  it("leaves to others what is too much, and what is not there any more", async () => {
    await writeFile(path(), pattern(300_000));
    const device = keep(await FileDevice.open(path(), "read"));
    expect(device.readNow(new Uint8Array(290_000), 0)).toBe(false);
    await truncate(path(), 5000);
    expect(device.readNow(new Uint8Array(4096), 4096)).toBe(false);
    await expect(device.read(new Uint8Array(4096), 4096)).rejects.toThrow(/^EIO/);
  });

  it("is refused beyond the end, and after the end", async () => {
    const device = await sparse(8192);
    expect(() => device.readNow(new Uint8Array(2), 8191)).toThrow(/^ERANGE/);
    await device.close();
    expect(() => device.readNow(new Uint8Array(2), 0)).toThrow(/^EIO/);
  });
});

describe("a durable write at once", () => {
  it("is to be had once the descriptor for it is open, and is there for every reader", async () => {
    const device = keep(await sparse(20_000));
    const chunks = [pattern(5000), new Uint8Array(0), pattern(3000)];
    expect(device.writeThroughNow(chunks, 100)).toBe(false);
    await device.writeThrough([pattern(10)], 0);
    expect(device.writeThroughNow(chunks, 100)).toBe(true);
    const whole = (await readFile(path())).subarray(100, 8100);
    expect(Buffer.compare(whole, Buffer.concat(chunks))).toBe(0);
  });

  it("asks for the rest of what the system cuts short", async () => {
    const device = keep(await sparse(20_000));
    await device.writeThrough([pattern(10)], 0);
    const real = fs.writevSync;
    const writev = vi.spyOn(fs, "writevSync").mockImplementation((fd, views, position) => {
      const [first] = views as Uint8Array[];
      return real(fd, [first!.subarray(0, 999)], position);
    });
    const chunks = [pattern(5000), pattern(3000)];
    expect(device.writeThroughNow(chunks, 100)).toBe(true);
    expect(writev.mock.calls.length).toBeGreaterThan(8);
    const whole = (await readFile(path())).subarray(100, 8100);
    expect(Buffer.compare(whole, Buffer.concat(chunks))).toBe(0);
  });

  it("is refused beyond the end, and after the end; what the system says is the cause", async () => {
    const device = await sparse(8192);
    await device.writeThrough([pattern(10)], 0);
    expect(() => device.writeThroughNow([pattern(2)], 8191)).toThrow(/^ERANGE/);
    const full = Object.assign(new Error("no space"), { code: "ENOSPC" });
    vi.spyOn(fs, "writevSync").mockImplementationOnce(() => {
      throw full;
    });
    expect(() => device.writeThroughNow([pattern(2)], 0)).toThrow(
      expect.objectContaining({ code: "EIO", cause: full, offset: 0, length: 2 }),
    );
    await device.close();
    expect(() => device.writeThroughNow([pattern(2)], 0)).toThrow(/^EIO/);
  });
});

describe("transfers that the system cuts short", () => {
  it("asks for the rest of a read", async () => {
    await writeFile(path(), pattern(10_000));
    const device = keep(await FileDevice.open(path(), "read"));
    const real = fs.read as (...all: unknown[]) => void;
    const read = vi.spyOn(fs, "read").mockImplementation((...all: unknown[]) => {
      real(all[0], all[1], all[2], Math.min(all[3] as number, 999), all[4], all[5]);
    });
    const target = new Uint8Array(9000);
    await device.read(target, 500);
    expect(target).toEqual(pattern(10_000).subarray(500, 9500));
    expect(read).toHaveBeenCalledTimes(Math.ceil(9000 / 999));
  });

  it("hands over the rest of a write, across the borders of chunks", async () => {
    const device = keep(await sparse(10_000));
    const realv = fs.writev as (...all: unknown[]) => void;
    const writev = vi.spyOn(fs, "writev").mockImplementation((...all: unknown[]) => {
      const bytes = Buffer.concat(all[1] as Uint8Array[]).subarray(0, 777);
      realv(all[0], [bytes], all[2], all[3]);
    });
    const real = fs.write as (...all: unknown[]) => void;
    const write = vi.spyOn(fs, "write").mockImplementation((...all: unknown[]) => {
      real(all[0], all[1], all[2], Math.min(all[3] as number, 10), all[4], all[5]);
    });
    const data = pattern(3000);
    const cuts = [0, 1, 700, 776, 778, 1554, 3000];
    const chunks = cuts.slice(1).map((end, i) => data.subarray(cuts[i], end));
    await device.write(chunks, 1000);
    expect((await readFile(path())).subarray(1000, 4000)).toEqual(Buffer.from(data));
    expect(writev).toHaveBeenCalledTimes(2);
    expect(write).toHaveBeenCalledTimes(Math.ceil((3000 - 1554) / 10));
  });

  it("hands over at most 1024 chunks at a time", async () => {
    const device = keep(await sparse(10_000));
    const writev = vi.spyOn(fs, "writev");
    await device.write(Array<Uint8Array>(2500).fill(pattern(4)), 0);
    expect(writev.mock.calls.map(([, chunks]) => chunks.length)).toEqual([1024, 1024, 452]);
  });

  it("fails when the system takes nothing, rather than ask forever", async () => {
    const device = keep(await sparse(10_000));
    vi.spyOn(fs, "write").mockImplementation((...all: unknown[]) =>
      (all.at(-1) as (error: null, count: number) => void)(null, 0),
    );
    await expect(device.write([pattern(10)], 5)).rejects.toMatchObject({ code: "EIO", offset: 5 });
  });

  it("fails to read what was cut off the file since it was opened", async () => {
    const device = keep(await sparse(10_000));
    await truncate(path(), 6000);
    const read = device.read(new Uint8Array(1000), 5500);
    await expect(read).rejects.toMatchObject({ code: "EIO", path: path(), offset: 5500 });
  });
});

describe("a write that is durable by itself", () => {
  it("goes through a descriptor with O_DSYNC, which is closed with the device", async () => {
    const device = await sparse(10_000);
    const open = vi.spyOn(fs, "open");
    const close = vi.spyOn(fs, "close");
    const flush = vi.spyOn(fs, "fdatasync");
    for (const offset of [0, 5000]) await device.writeThrough([pattern(100, offset)], offset);
    expect(open.mock.calls.map(([, flags]) => Number(flags) & fs.constants.O_DSYNC)).toEqual([
      fs.constants.O_DSYNC,
    ]);
    await device.close();
    expect(flush).not.toHaveBeenCalled();
    expect(close).toHaveBeenCalledTimes(2);
    expect((await readFile(path())).subarray(5000, 5100)).toEqual(Buffer.from(pattern(100, 5000)));
  });

  it("is written and flushed where the file is not to be found under its name any more", async () => {
    const device = keep(await sparse(10_000));
    await rename(path(), `${path()}-elsewhere`);
    await writeFile(path(), "another");
    const flush = vi.spyOn(fs, "fdatasync");
    await device.writeThrough([pattern(100)], 0);
    expect(flush).toHaveBeenCalledTimes(1);
    expect(await readFile(path(), "utf8")).toBe("another");
    await rm(path());
    await device.writeThrough([pattern(100)], 200);
    expect(flush).toHaveBeenCalledTimes(2);
  });

  it("fails with the place and the cause", async () => {
    const device = keep(await sparse(10_000));
    const failure = Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
    vi.spyOn(fs, "write").mockImplementation((...all: unknown[]) =>
      (all.at(-1) as (error: Error) => void)(failure),
    );
    const place = { code: "EIO", path: path(), offset: 512, length: 8, cause: failure };
    await expect(device.writeThrough([new Uint8Array(8)], 512)).rejects.toMatchObject(place);
  });
});

describe("errors of the system", () => {
  const failure = Object.assign(new Error("EIO: i/o error"), { code: "EIO" });

  it("become EIO with the place and the cause", async () => {
    const device = keep(await sparse(10_000));
    const failing = ((...all: unknown[]) =>
      (all.at(-1) as (error: Error) => void)(failure)) as never;
    for (const call of ["read", "write", "writev", "fdatasync"] as const) {
      vi.spyOn(fs, call).mockImplementation(failing);
    }
    vi.mocked(extensions.trim).mockRejectedValue(failure);
    const place = { code: "EIO", path: path(), offset: 512, length: 8, cause: failure };
    await expect(device.read(new Uint8Array(8), 512)).rejects.toMatchObject(place);
    await expect(device.write([new Uint8Array(8)], 512)).rejects.toMatchObject(place);
    const two = [new Uint8Array(4), new Uint8Array(4)];
    await expect(device.write(two, 512)).rejects.toMatchObject(place);
    await expect(device.discard(512, 8)).rejects.toMatchObject(place);
    await expect(device.flush()).rejects.toMatchObject({
      code: "EIO",
      path: path(),
      cause: failure,
    });
  });

  it("do not keep a device from closing", async () => {
    const device = await sparse(10_000);
    vi.spyOn(fs, "fdatasync").mockImplementationOnce((_fd, callback) => callback(failure));
    const flush = device.flush();
    const close = device.close();
    await expect(flush).rejects.toMatchObject({ code: "EIO" });
    await close;
  });

  it("keep ENOENT at opening, and are EIO for all else that is no file", async () => {
    await expect(FileDevice.open(path(), "read")).rejects.toMatchObject({
      code: "ENOENT",
      path: path(),
      cause: { code: "ENOENT" },
    });
    await expect(FileDevice.open(scratch(), "read")).rejects.toMatchObject({ code: "EIO" });
    execFileSync("mkfifo", [path()]);
    await expect(FileDevice.open(path(), "read")).rejects.toMatchObject({ code: "EIO" });
    const below = join(path(), "below");
    const creation = FileDevice.create(below, { size: 1, layout: "sparse" });
    await expect(creation).rejects.toMatchObject({ code: "EIO", cause: { code: "ENOTDIR" } });
  });
});

it("does not close its descriptor under a call that is not over", async () => {
  const device = await sparse(10_000);
  let finish = (): void => undefined;
  vi.spyOn(fs, "fdatasync").mockImplementationOnce((_fd, callback) => {
    finish = () => callback(null);
  });
  const closed = vi.spyOn(fs, "close");
  const flush = device.flush();
  const close = device.close();
  await stat(path());
  expect(closed).not.toHaveBeenCalled();
  finish();
  await Promise.all([flush, close]);
  expect(closed).toHaveBeenCalledTimes(1);
});

describe("discard of a file", () => {
  it("frees the space and leaves zeroes", async () => {
    const device = keep(await sparse(4 * MiB));
    await device.write([pattern(4 * MiB)], 0);
    await device.flush();
    const before = (await stat(path())).blocks * 512;
    await device.discard(MiB, 2 * MiB);
    const after = await stat(path());
    expect(before - after.blocks * 512).toBeGreaterThanOrEqual(2 * MiB - 8192);
    expect(after.size).toBe(4 * MiB);
    const read = new Uint8Array(2 * MiB);
    await device.read(read, MiB);
    expect(read.every((byte) => byte === 0)).toBe(true);
  });

  it.each(["EOPNOTSUPP", "ENOTSUP"])("does nothing where the medium says %s", async (code) => {
    const device = keep(await sparse(8192));
    await device.write([pattern(8192)], 0);
    const refusal = Object.assign(new Error("operation not supported"), { code });
    const trim = vi.mocked(extensions.trim).mockRejectedValueOnce(refusal);
    await device.discard(0, 8192);
    expect(trim).toHaveBeenCalled();
    const read = new Uint8Array(8192);
    await device.read(read, 0);
    expect(Buffer.compare(read, pattern(8192))).toBe(0);
  });
});
