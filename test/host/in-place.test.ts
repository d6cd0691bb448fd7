/**
 * A commit that is written in place keeps the event loop: only where the disk is quick, only for
 * one caller who waits while nobody reads, and never so that the loop does not turn between two.
 */
import fs from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { FileDevice } from "../../src/device/file-device.ts";
import { Host } from "../../src/host/host.ts";
import { scratchDirectory } from "../device/scratch.ts";
import { blocks, expectBytes } from "./refusal.ts";

const B = 4096;
/** So many quick commits, and a few more, until the disk's pace is believed. */
const UNTIL_BELIEVED = 30;

const scratch = scratchDirectory();

afterEach(() => {
  vi.restoreAllMocks();
});

/** A store whose clock stands still while it writes, so that its disk is as quick as can be. */
async function open(options: { blockingCommits?: boolean; commitMs?: number } = {}) {
  const { commitMs = 0, ...rest } = options;
  let now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => (now += commitMs));
  const writeNow = vi.spyOn(FileDevice.prototype, "writeThroughNow");
  const host = await Host.open(join(scratch(), "store"), {
    create: true,
    capacity: 2 ** 24,
    ...rest,
  });
  const disk = await host.create("disk", { size: 256 * B });
  const commit = async (i: number, count = 1): Promise<void> => {
    await disk.write(((i * count) % 128) * B, blocks(`commit ${i}`, (count * B) / 512));
    await disk.flush();
  };
  return { host, disk, writeNow, commit };
}

describe("a commit in place", () => {
  it("is durable like any other", async () => {
    const { host, disk, writeNow, commit } = await open();
    for (let i = 0; i < UNTIL_BELIEVED + 10; i++) await commit(i);
    expect(writeNow.mock.results.filter(({ value }) => value === true).length).toBeGreaterThan(9);
    // The first one made the disk.
    expect(host.statistics().durableLsn).toBe(1 + UNTIL_BELIEVED + 10);
    const seen = await disk.read(0, 64 * B);
    await host.close();
    const again = await Host.open(join(scratch(), "store"));
    expectBytes(await again.get("disk").read(0, 64 * B), seen);
    await again.close();
  });

  it.each([1, 2])("lets the event loop turn before the next, with callers: %i", async (callers) => {
    const { host, commit } = await open();
    let turns = 0;
    let done = false;
    const turning = (async () => {
      for (; !done; turns++) await nextTurn();
    })();
    const call = async (caller: number): Promise<void> => {
      for (let i = 0; i < 100; i++) await commit(callers * i + caller);
    };
    await Promise.all(Array.from({ length: callers }, (__, caller) => call(caller)));
    done = true;
    await turning;
    expect(turns).toBeGreaterThanOrEqual(100);
    await host.close();
  });

  it("is for one caller: several wait for a thread together, and the loop is free", async () => {
    const { host, writeNow, commit } = await open();
    for (let i = 0; i < UNTIL_BELIEVED; i++) await commit(i);
    writeNow.mockClear();
    for (let i = 0; i < 10; i++) await Promise.all([1, 2, 3].map((k) => commit(i + 30 * k)));
    expect(writeNow).not.toHaveBeenCalled();
    await host.close();
  });

  it("is for one caller who is yet to come", async () => {
    const { host, disk, writeNow, commit } = await open();
    for (let i = 0; i < UNTIL_BELIEVED; i++) await commit(i);
    writeNow.mockClear();
    await disk.write(0, blocks("foreseen", B / 512));
    host.beginFlush();
    for (let i = 0; i < 3; i++) await nextTurn();
    expect(writeNow.mock.results.map(({ value }) => value as boolean)).toEqual([true]);
    await disk.flush();
    expect(writeNow).toHaveBeenCalledTimes(1);
    await host.close();
  });

  // One client that wrote and flushed took a third of another one's reads.
  it("is not for a host that is read from meanwhile", async () => {
    const { host, disk, writeNow, commit } = await open();
    for (let i = 0; i < UNTIL_BELIEVED; i++) await commit(i);
    writeNow.mockClear();
    for (let i = 0; i < 5; i++) {
      await disk.write(i * B, blocks("shared", B / 512));
      await disk.read(0, B);
      await disk.flush();
    }
    expect(writeNow).not.toHaveBeenCalled();
    await disk.read(0, B);
    await commit(0);
    expect(writeNow).toHaveBeenCalledTimes(1);
    await host.close();
  });

  it("is not for a batch whose data goes to its place first", async () => {
    const { host, writeNow, commit } = await open();
    for (let i = 0; i < UNTIL_BELIEVED; i++) await commit(i);
    writeNow.mockClear();
    for (let i = 0; i < 3; i++) await commit(i, 40);
    expect(writeNow).not.toHaveBeenCalled();
    await host.close();
  });

  it.each([
    ["a disk that is slow", { commitMs: 1 }],
    ["who does not want it", { blockingCommits: false }],
  ])("is not for %s", async (_, options) => {
    const { host, writeNow, commit } = await open(options);
    for (let i = 0; i < UNTIL_BELIEVED + 10; i++) await commit(i);
    expect(writeNow).not.toHaveBeenCalled();
    await host.close();
  });

  it("that fails is final, and nobody is told that it is durable", async () => {
    const { host, writeNow, commit } = await open();
    for (let i = 0; i < UNTIL_BELIEVED; i++) await commit(i);
    const { durableLsn } = host.statistics();
    writeNow.mockClear();
    const writev = vi.spyOn(fs, "writevSync").mockImplementationOnce(() => {
      throw Object.assign(new Error("EIO: i/o error, write"), { code: "EIO" });
    });
    await expect(commit(99)).rejects.toThrow(/^EIO: a journal write failed/);
    expect(writeNow).toHaveBeenCalledOnce();
    expect(writev).toHaveBeenCalledOnce();
    expect(host.statistics().durableLsn).toBe(durableLsn);
    await expect(commit(100)).rejects.toThrow(/^EIO/);
    await host.close().catch(() => undefined);
  });
});
