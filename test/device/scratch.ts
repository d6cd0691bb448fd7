/** A directory of its own for every test of a file, removed when the test is over. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";

/** Returns a function that gives the directory of the running test. */
export function scratchDirectory(): () => string {
  let path = "";
  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), "blockspace-device-"));
  });
  afterEach(() => rm(path, { recursive: true }));
  return () => path;
}

/** Small whole numbers below `limit` that are the same on every run with the same seed. */
export function seededNumbers(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** Bytes that tell apart where they belong. */
export function pattern(length: number, seed = 1): Uint8Array {
  const next = seededNumbers(seed);
  return Uint8Array.from({ length }, () => 1 + next(255));
}
