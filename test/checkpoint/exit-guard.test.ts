/**
 * A process that ends while a checkpoint commits does end, whichever way, and what it committed is
 * whole. Node stops threads between two steps of their JavaScript; lmdb then waited forever for a
 * transaction that nobody was left to end, and the process stayed and kept the store's lock.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { lower, newCommitFlag, raise } from "../../src/checkpoint/exit-guard.ts";
import { lmdbEnvironments } from "../../src/checkpoint/lmdb-environment.ts";
import { naiveClosing, storeId } from "./naive-closing.ts";

const program = fileURLToPath(new URL("./exit-while-committing.ts", import.meta.url));
/** Long enough for the slowest machine, and nothing that a test asserts. */
const STUCK_MS = 60_000;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "blockspace-test-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true });
});

describe("a process that ends while it commits", () => {
  it.each([
    ["exit", 7, "chunk", 0],
    ["exit", 7, "chunk", 15],
    ["exit", 7, "closing", 0],
    ["exit", 7, "closing", 15],
    ["throw", 1, "chunk", 15],
    ["throw", 1, "closing", 15],
  ])("does end: %s %i, %s, %i ms", { timeout: 2 * STUCK_MS }, async (way, code, message, delay) => {
    const options = ["--import", "tsx", program, directory, way, message, String(delay)];
    const child = spawn(process.execPath, options, { stdio: "ignore", timeout: STUCK_MS });
    // A process that had to be killed has no code.
    expect(await once(child, "exit")).toEqual([code, null]);
    const environment = await lmdbEnvironments(directory, { storeId })("a");
    const { epoch, count, digest } = environment.closing() ?? { epoch: 0, count: 0, digest: 0 };
    expect([0, 60_000]).toContain(count);
    expect(naiveClosing(environment, [1])).toEqual({ count, digest });
    expect([message, epoch]).not.toEqual(["closing", 0]);
    await environment.close();
  });
});

describe("the guard", () => {
  it("listens for the end of the process only while somebody commits", () => {
    const before = process.listenerCount("exit");
    const flags = [newCommitFlag(), newCommitFlag()];
    for (let round = 0; round < 3; round++) {
      for (const flag of flags) raise(flag, () => undefined);
      expect(process.listenerCount("exit")).toBe(before + 1);
      lower(flags[0]!);
      lower(flags[0]!);
      expect(process.listenerCount("exit")).toBe(before + 1);
      lower(flags[1]!);
      expect(process.listenerCount("exit")).toBe(before);
    }
  });
});
