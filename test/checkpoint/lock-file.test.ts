/**
 * The lock file of an environment has all its space before LMDB opens it, so that LMDB never finds
 * the file system full while it writes through a mapping, which would end the process.
 */
import { chmod, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { lmdbEnvironments } from "../../src/checkpoint/lmdb-environment.ts";
import { storeId } from "./naive-closing.ts";

let store = "";
let lock = "";

beforeEach(async () => {
  store = await mkdtemp(join(tmpdir(), "blockspace-test-"));
  lock = join(store, "a", "lock.mdb");
});

afterEach(async () => {
  await rm(store, { recursive: true });
});

async function openOnce(): Promise<void> {
  await (await lmdbEnvironments(store, { storeId })("a")).close();
}

/** No part of it is a hole. */
async function expectAllocated(): Promise<void> {
  const { size, blocks } = await stat(lock);
  expect(size).toBeGreaterThan(8192);
  expect(blocks * 512).toBeGreaterThanOrEqual(size);
}

it("has its space in a new environment", async () => {
  await openOnce();
  await expectAllocated();
});

it("gets it when one that is there is opened, whatever was in it", async () => {
  await openOnce();
  for (const left of [undefined, "", "x".repeat(20_000)]) {
    await rm(lock);
    if (left !== undefined) await writeFile(lock, left);
    await openOnce();
    await expectAllocated();
  }
});

const rootMayAll = process.getuid?.() === 0 ? " (skipped: root may write every file)" : "";
it.skipIf(rootMayAll !== "")(
  `is made anew where this process may not write it${rootMayAll}`,
  async () => {
    await openOnce();
    await chmod(lock, 0);
    await openOnce();
    await expectAllocated();
  },
);
