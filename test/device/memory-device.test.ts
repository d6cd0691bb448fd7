/** The memory medium: the suite of promises, its counters, and that a large one costs nothing. */
import { describe, expect, it } from "vitest";
import { GiB, MiB } from "../../src/base/units.ts";
import { MemoryDevice } from "../../src/device/memory-device.ts";
import { MemoryFile } from "../../src/device/memory-file.ts";
import { describeDevice } from "./device-suite.ts";
import { pattern } from "./scratch.ts";

let file = new MemoryFile(0);
describeDevice("memory", {
  make: async (size) => new MemoryDevice((file = new MemoryFile(size)), "memory:/file"),
  reopen: async (mode) => new MemoryDevice(file, "memory:/file", mode),
});

describe("a device in memory", () => {
  it("counts the calls that succeeded", async () => {
    const device = new MemoryDevice(new MemoryFile(8192), "memory:/file");
    await device.write([pattern(10), pattern(10)], 0);
    await device.write([pattern(10)], 8182);
    await device.flush();
    await device.read(new Uint8Array(3), 0);
    await device.read(new Uint8Array(3), 8);
    await device.read(new Uint8Array(3), 80);
    await device.discard(0, 4096);
    await expect(device.read(new Uint8Array(1), 8192)).rejects.toMatchObject({ code: "ERANGE" });
    const { reads, writes, flushes, discards } = device;
    expect({ reads, writes, flushes, discards }).toEqual({
      reads: 3,
      writes: 2,
      flushes: 1,
      discards: 1,
    });
  });

  it("takes memory for what is written only, and gives it back after a discard", async () => {
    const device = new MemoryDevice(new MemoryFile(64 * GiB), "memory:/file");
    expect(device.occupiedBytes).toBe(0);
    const page = pattern(4096);
    for (let i = 0; i < 1000; i++) await device.write([page], i * 64 * MiB);
    expect(device.occupiedBytes).toBe(1000 * 4096);
    await device.flush();
    expect(device.occupiedBytes).toBe(1000 * 4096);
    await device.discard(32 * GiB, 32 * GiB);
    expect(device.occupiedBytes).toBe(512 * 4096);
    await device.flush();
    expect(device.occupiedBytes).toBe(512 * 4096);
    await device.discard(2048, 32 * GiB);
    expect(device.occupiedBytes).toBe(4096);
    const read = new Uint8Array(4096);
    await device.read(read, 0);
    expect(read.subarray(0, 2048)).toEqual(page.subarray(0, 2048));
    expect(read.subarray(2048)).toEqual(new Uint8Array(2048));
  });
});
