/**
 * The face that looks like all of `node:fs`. Write-file-atomic, fs-extra, proper-lockfile and many
 * more use the calls with callbacks, which the simulated disk did not have at all. What the calls do
 * is in the suite that runs against node's own as well; here is what belongs to callbacks alone.
 */
import type { NoParamCallback } from "node:fs";
import { once } from "node:events";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { checkCrashConsistency } from "../../src/testing/check.ts";
import { SimulatedDisk } from "../../src/testing/disk.ts";
import { nodeFileSystem } from "../../src/testing/node-file-system.ts";

type Save = (disk: SimulatedDisk, text: string, done: NoParamCallback) => void;

/** As it was written before there were promises. */
const saveBy =
  (isCareful: boolean): Save =>
  (disk, text, done) => {
    const fs = nodeFileSystem(disk);
    fs.open("/new", "w", (refusal, fd) => {
      if (refusal) return done(refusal);
      fs.write(fd, text, 0, "utf8", () => {
        // Without care it goes on before the sync is done.
        if (!isCareful) fs.fsync(fd, () => undefined);
        const replace = (): void => fs.rename("/new", "/value", () => syncRoot(disk, done));
        if (isCareful) fs.fsync(fd, replace);
        else replace();
      });
    });
  };

function syncRoot(disk: SimulatedDisk, done: NoParamCallback): void {
  const fs = nodeFileSystem(disk);
  fs.open("/", "r", (_, fd) => fs.fsync(fd, () => fs.close(fd, done)));
}

const violationsOf = async (save: Save): Promise<number> => {
  const report = await checkCrashConsistency({
    workload: (disk) => promisify(save)(disk, "text"),
    recover: (disk) =>
      disk.find("/value") ? nodeFileSystem(disk).readFileSync("/value", "utf8") : "",
    oracle(found) {
      if (found !== "" && found !== "text") throw new Error(`${JSON.stringify(found)} is found`);
    },
  });
  return report.violations.length;
};

describe("node:fs on a simulated disk", () => {
  it("shows a sync with a callback that nobody waits for", async () => {
    expect(await violationsOf(saveBy(true))).toBe(0);
    expect(await violationsOf(saveBy(false))).toBeGreaterThan(0);
  });

  // nedb writes its file by a stream when it compacts it.
  it("has streams, which node makes of its calls", async () => {
    const disk = new SimulatedDisk({ record: true });
    const fs = nodeFileSystem(disk);
    await pipeline(["one ", "two"], fs.createWriteStream("/file", { flush: true }));
    await pipeline("+", fs.createWriteStream("/file", { flags: "a" }));
    const found: string[] = [];
    for await (const part of fs.createReadStream("/file", "utf8")) found.push(String(part));
    expect(found.join("")).toBe("one two+");
    const kinds = disk.trace.map(({ operation }) => operation.kind).join(" ");
    expect(kinds).toBe("create write flush write");
    const missing = await once(fs.createReadStream("/none"), "error").then(([error]) => error);
    expect(missing).toMatchObject({ code: "ENOENT", path: "/none" });
  });

  it("gives callbacks what node gives them, and throws where there is none", async () => {
    const disk = new SimulatedDisk();
    const fs = nodeFileSystem(disk);
    const calls = fs as unknown as Record<string, (...given: unknown[]) => void>;
    const fd = fs.openSync("/file", "w+");
    const results = (call: (done: (...all: unknown[]) => void) => void): Promise<unknown[]> =>
      new Promise((resolve) => {
        call((...all) => resolve(all));
      });
    const data = Buffer.from("data");
    expect(await results((done) => fs.write(fd, data, done))).toEqual([null, 4, data]);
    expect(await promisify(fs.read)(fd, Buffer.alloc(2), 0, 2, 1)).toEqual({
      bytesRead: 2,
      buffer: Buffer.from("at"),
    });
    expect(await results((done) => calls["exists"]!("/file", done))).toEqual([true]);
    expect(await results((done) => calls["exists"]!("/other", done))).toEqual([false]);
    const isThere = promisify(calls["exists"]!) as (path: string) => Promise<unknown>;
    expect(await isThere("/file")).toBe(true);
    expect(await promisify(fs.realpath.native)("file")).toBe("/file");
    expect(fs.realpathSync.native("file")).toBe("/file");
    const [refusal] = await results((done) => fs.read(99, data, 0, 1, 0, done));
    expect(refusal).toMatchObject({ code: "EBADF", syscall: "read" });
    for (const name of ["write", "exists", "stat"]) {
      expect(() => calls[name]!(fd)).toThrow(
        expect.objectContaining({ code: "ERR_INVALID_ARG_TYPE" }),
      );
    }
  });
});
