/** A directory on a simulated disk: the suite of promises, and the hook for counting and faults. */
import { describe, expect, it } from "vitest";
import { BlockspaceError } from "../../src/base/errors.ts";
import { SimulatedDisk } from "../../src/testing/disk.ts";
import type { Operation } from "../../src/testing/operation.ts";
import { SimulatedDirectory } from "../../src/testing/simulated-directory.ts";
import { describeDirectory } from "../device/directory-suite.ts";
import { pattern } from "../device/scratch.ts";

describeDirectory("simulated", () => new SimulatedDirectory(new SimulatedDisk()));

describeDirectory("simulated, below the root", () => {
  const disk = new SimulatedDisk();
  disk.createFolder("/outer");
  disk.createFolder("/outer/inner");
  return new SimulatedDirectory(disk, "/outer/inner");
});

/** A tree whose hook records every operation, and throws what `fault` holds at the time. */
function hooked(): { tree: SimulatedDirectory; log: Operation[]; fault: { error?: unknown } } {
  const log: Operation[] = [];
  const fault: { error?: unknown } = {};
  const onOperation = (operation: Operation): void => {
    log.push(operation);
    if ("error" in fault) throw fault.error;
  };
  const disk = new SimulatedDisk();
  disk.createFolder("/store");
  disk.syncFolder("/");
  disk.onOperation = onOperation;
  return { tree: new SimulatedDirectory(disk, "/store"), log, fault };
}

describe("the hook of a simulated disk", () => {
  it("is told of every operation that a crash could lose, and of reads, in all directories", async () => {
    const { tree, log } = hooked();
    const inner = tree.directory("inner");
    await inner.ensure();
    const device = await inner.create("file", { size: 100, layout: "sparse" });
    await device.write([pattern(3), pattern(4)], 5);
    await device.flush();
    await device.discard(0, 50);
    await (await inner.open("file", "read")).read(new Uint8Array(9), 1);
    await inner.sync();
    await inner.rename("file", "other");
    await inner.remove("other");
    await (await tree.lock("lock", "exclusive")).release();
    await (await tree.lock("lock", "exclusive")).release();
    const path = "/store/inner/file";
    expect(log).toEqual([
      { kind: "sync", path: "/" },
      { kind: "create", path: "/store/inner" },
      { kind: "sync", path: "/store" },
      { kind: "create", path, length: 100 },
      { kind: "write", path, offset: 5, length: 7 },
      { kind: "flush", path },
      { kind: "discard", path, offset: 0, length: 50 },
      { kind: "read", path, offset: 1, length: 9 },
      { kind: "sync", path: "/store/inner" },
      { kind: "rename", path, to: "/store/inner/other" },
      { kind: "remove", path: "/store/inner/other" },
      { kind: "create", path: "/store/lock", length: 0 },
    ]);
  });

  it("runs before the operation: a crash in it does not see the operation", async () => {
    const crashes: SimulatedDirectory[] = [];
    const disk: SimulatedDisk = new SimulatedDisk({
      onOperation: ({ kind }) => {
        if (kind === "write") crashes.push(new SimulatedDirectory(disk.crash(() => 0.999)));
        if (kind === "flush") crashes.push(new SimulatedDirectory(disk.crash(() => 0)));
      },
    });
    const tree = new SimulatedDirectory(disk);
    const device = await tree.create("file", { size: 1, layout: "sparse" });
    await tree.sync();
    for (const value of [1, 2]) {
      await device.write([Uint8Array.of(value)], 0);
      await device.flush();
    }
    const seen: number[][] = [];
    for (const crashed of crashes) {
      const file = await crashed.open("file", "read");
      const bytes = new Uint8Array(file.size);
      await file.read(bytes, 0);
      seen.push([...bytes]);
    }
    expect(seen).toEqual([[0], [], [1], [1]]);
  });

  it("makes the operation fail without effect when it throws", async () => {
    const { tree, fault } = hooked();
    const device = await tree.create("file", { size: 8192, layout: "sparse" });
    await device.write([pattern(8192)], 0);
    const error = new Error("injected");
    fault.error = error;
    const at = (path: string): object => ({ code: "EIO", path, cause: error });
    const target = new Uint8Array(10);
    const place = { ...at("/store/file"), offset: 0, length: 10 };
    await expect(device.read(target, 0)).rejects.toMatchObject(place);
    await expect(device.write([target], 0)).rejects.toMatchObject(place);
    await expect(device.discard(0, 10)).rejects.toMatchObject(place);
    await expect(device.flush()).rejects.toMatchObject(at("/store/file"));
    await expect(tree.remove("file")).rejects.toMatchObject(at("/store/file"));
    await expect(tree.rename("file", "b")).rejects.toMatchObject(at("/store/file"));
    const creation = tree.create("file", { size: 1, layout: "sparse" });
    await expect(creation).rejects.toMatchObject(at("/store/file"));
    await expect(tree.directory("inner").ensure()).rejects.toMatchObject(at("/"));
    const other = new SimulatedDirectory(tree.disk, "/other");
    await expect(other.ensure()).rejects.toMatchObject(at("/other"));
    await expect(tree.lock("lock", "exclusive")).rejects.toMatchObject(at("/store/lock"));
    await expect(tree.sync()).rejects.toMatchObject(at("/store"));
    delete fault.error;
    expect(target).toEqual(new Uint8Array(10));
    expect(await tree.list()).toEqual(["file"]);
    const bytes = new Uint8Array(8192);
    await device.read(bytes, 0);
    expect(bytes).toEqual(pattern(8192));
    const crashed = new SimulatedDirectory(
      tree.disk.crash(() => 0),
      "/store",
    );
    expect(await crashed.list()).toEqual([]);
  });

  it("may throw an error of ours, which stays as it is", async () => {
    const { tree, fault } = hooked();
    fault.error = new BlockspaceError("ENOSPC", "the disk is full", { path: "/store" });
    await expect(tree.create("file", { size: 1, layout: "sparse" })).rejects.toBe(fault.error);
  });

  it("goes into a crashed or killed tree only when it is given to that", async () => {
    const { tree, log } = hooked();
    const again: Operation[] = [];
    const onOperation = (operation: Operation): void => void again.push(operation);
    const { disk } = tree;
    for (const after of [disk.crash(() => 0), disk.killed()]) after.syncFolder("/store");
    expect(log).toEqual([]);
    const hook = { onOperation };
    for (const after of [disk.crash(() => 0, hook), disk.killed(hook)]) after.syncFolder("/store");
    const sync = { kind: "sync", path: "/store" };
    expect(again).toEqual([sync, sync]);
  });
});
