/**
 * The example on code that is not ours: raw lmdb, traced by its system calls, every crash state of a
 * run opened again by a real process. With its default options lmdb trusts its newest meta page as long
 * as the machine has not booted since, though its data may never have reached the medium: several per
 * cent of the states are broken. With `overlappingSync: false` none is.
 *
 * `LMDB_STATES` makes the run longer.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { straceMissing, traceSystemCalls } from "../../../src/testing.ts";
import { lmdbStates } from "./lmdb-states.ts";

const missing = straceMissing();
const STATES = Number(process.env["LMDB_STATES"] ?? 300);

let directory = "";
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "lmdb-states-"));
});
afterEach(() => rm(directory, { recursive: true }));

describe.skipIf(missing)(`raw lmdb after crashes${missing ? ` (skipped: ${missing})` : ""}`, () => {
  it("is traced only where its lock file, which is mapped memory, need not be seen", async () => {
    const program = fileURLToPath(new URL("lmdb-program.js", import.meta.url));
    const args = [program, "safe", "1", "1"];
    await expect(traceSystemCalls({ command: process.execPath, args, directory })).rejects.toThrow(
      /mmap of "data\.mdb-lock"$/,
    );
  });

  const timeout = 60_000 + STATES * 50;

  it(
    "is broken in several per cent of the states with its default options",
    { timeout },
    async () => {
      const { states, distinct, outcomes, examples } = await lmdbStates(
        "default",
        directory,
        STATES,
      );
      console.log(JSON.stringify({ states, distinct, outcomes, examples }));
      const broken = states - outcomes.sound;
      expect(broken / states).toBeGreaterThan(0.03);
      expect(outcomes.error + outcomes.death).toBeGreaterThan(0);
      expect(outcomes.corrupt + outcomes.lost).toBeGreaterThan(0);
    },
  );

  it("is sound in all states with safe options", { timeout }, async () => {
    const { states, distinct, outcomes, examples } = await lmdbStates("safe", directory, STATES);
    console.log(JSON.stringify({ states, distinct, outcomes, examples }));
    expect(outcomes.sound).toBe(states);
    expect(states).toBeGreaterThan(STATES / 2);
  });
});
