/** A device on a simulated disk: the suite of promises, and that a large one costs nothing. */
import { describe, expect, it } from "vitest";
import { GiB, MiB } from "../../src/base/units.ts";
import { SimulatedDisk } from "../../src/testing/disk.ts";
import type { Operation } from "../../src/testing/operation.ts";
import { SimulatedDevice } from "../../src/testing/simulated-device.ts";
import { describeDevice, describeExtension, type Medium } from "../device/device-suite.ts";
import { pattern } from "../device/scratch.ts";

let disk = new SimulatedDisk();
const simulated: Medium = {
  make: async (size) => {
    disk = new SimulatedDisk();
    return new SimulatedDevice(disk, disk.createFile("/file", size));
  },
  reopen: async (mode) => new SimulatedDevice(disk, disk.file("/file"), mode),
};
describeDevice("simulated", simulated);
describeExtension("simulated", simulated);

describe("a simulated device", () => {
  it("tells the hook of one operation for each call that is allowed", async () => {
    const log: Operation["kind"][] = [];
    const counted = new SimulatedDisk({ onOperation: ({ kind }) => void log.push(kind) });
    const device = new SimulatedDevice(counted, counted.createFile("/file", 8192));
    await device.write([pattern(10), pattern(10)], 0);
    await device.write([pattern(10)], 8182);
    await device.flush();
    await device.read(new Uint8Array(3), 0);
    await device.discard(0, 4096);
    await expect(device.read(new Uint8Array(1), 8192)).rejects.toMatchObject({ code: "ERANGE" });
    expect(log).toEqual(["create", "write", "write", "flush", "read", "discard"]);
  });

  it("takes memory for what is written only, and gives it back after a discard", async () => {
    const sparse = new SimulatedDisk();
    const device = new SimulatedDevice(sparse, sparse.createFile("/file", 64 * GiB));
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
