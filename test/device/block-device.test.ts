/** The block device medium, over a loop device where this machine lets us have one. */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  mkdtempSync,
  openSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { messageOf } from "../../src/base/errors.ts";
import { KiB } from "../../src/base/units.ts";
import { FileDevice } from "../../src/device/file-device.ts";
import { describeDevice } from "./device-suite.ts";
import { pattern } from "./scratch.ts";

const scratch = mkdtempSync(join(tmpdir(), "blockspace-block-"));
const image = join(scratch, "image");
let attached: { path: string; fd: number } | undefined;

/**
 * Attaches a new image of zeroes and returns the path of the block device. It is detached at once
 * while we hold it open, so that it goes away when we let go of it, even by the death of the test.
 */
function attach(size: number): string {
  writeFileSync(image, "");
  truncateSync(image, size);
  // With stderr in a pipe its words become part of the error, and so of the reason to skip.
  const answer = execFileSync("losetup", ["--find", "--show", image], { stdio: "pipe" });
  const path = answer.toString().trim();
  attached = { path, fd: openSync(path, "r") };
  execFileSync("losetup", ["--detach", path], { stdio: "pipe" });
  return path;
}

function detach(): void {
  if (attached !== undefined) closeSync(attached.fd);
  attached = undefined;
}

function whyNoLoopDevices(): string | undefined {
  try {
    attach(64 * KiB);
    detach();
    return undefined;
  } catch (error) {
    rmSync(scratch, { recursive: true });
    return messageOf(error).trim();
  }
}

const reason = whyNoLoopDevices();
const note = reason === undefined ? "" : ` (skipped, no loop device to be had here: ${reason})`;

describe.skipIf(reason !== undefined)(`over a loop device${note}`, () => {
  // Runs after the hook of the suite, which closes its devices.
  afterEach(detach);
  afterAll(() => rmSync(scratch, { recursive: true }));

  describeDevice("block device", {
    make: (size) => FileDevice.open(attach(size), "write"),
    reopen: (mode) => FileDevice.open(attached!.path, mode),
  });

  describe("a block device", () => {
    it("gives discarded space back to what is below it", async () => {
      const device = await FileDevice.open(attach(512 * KiB), "write");
      await device.write([pattern(512 * KiB)], 0);
      await device.flush();
      const before = statSync(image).blocks * 512;
      await device.discard(100, 512 * KiB - 100);
      await device.flush();
      expect(before - statSync(image).blocks * 512).toBeGreaterThanOrEqual(256 * KiB);
      const head = new Uint8Array(100);
      await device.read(head, 0);
      expect(head).toEqual(pattern(512 * KiB).subarray(0, 100));
      await device.close();
    });

    it("6: says how long it is where it is to be longer", async () => {
      const device = await FileDevice.open(attach(64 * KiB), "write");
      const refusal = await device.extend(64 * KiB + 1).catch((error: unknown) => error);
      expect(refusal).toMatchObject({ code: "ENOSPC", path: device.path });
      expect(String(refusal)).toContain("has 65536 bytes; the store needs 65537");
      expect(device.size).toBe(64 * KiB);
      await device.close();
    });

    it("is as long as it has become meanwhile", async () => {
      const device = await FileDevice.open(attach(64 * KiB), "write");
      truncateSync(image, 256 * KiB);
      execFileSync("losetup", ["--set-capacity", attached!.path], { stdio: "pipe" });
      await device.extend(200 * KiB);
      expect(device.size).toBe(256 * KiB);
      await device.write([pattern(512)], 200 * KiB);
      await device.close();
    });

    it("is refused for writing while the system, or another writer, has it", async () => {
      const device = await FileDevice.open(attach(64 * KiB), "write");
      const second = FileDevice.open(attached!.path, "write");
      await expect(second).rejects.toMatchObject({ code: "EIO", cause: { code: "EBUSY" } });
      const reader = await FileDevice.open(attached!.path, "read");
      await reader.close();
      await device.close();
    });
  });
});
