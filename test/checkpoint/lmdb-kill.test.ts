/**
 * `kill -9` while a commit runs leaves the environment at the last epoch that was told durable, or
 * at the one after it, and whole (promises I1 and I2).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { lmdbEnvironments } from "../../src/checkpoint/lmdb-environment.ts";
import { naiveClosing, storeId } from "./naive-closing.ts";

const program = fileURLToPath(new URL("./commit-until-killed.ts", import.meta.url));
const ROUNDS = 6;

/** Lets the child commit some epochs, kills it `delay` ms later; the last epoch told durable. */
async function killAfter(child: ChildProcess, epochs: number, delay: number): Promise<number> {
  const exit = once(child, "exit");
  const told: number[] = [];
  for await (const line of createInterface({ input: child.stdout! })) {
    told.push(Number(line));
    if (told.length === epochs) setTimeout(() => child.kill("SIGKILL"), delay);
  }
  expect((await exit)[1]).toBe("SIGKILL");
  return told.at(-1)!;
}

it("a process killed while it commits leaves a whole checkpoint", async () => {
  const store = await mkdtemp(join(tmpdir(), "blockspace-test-"));
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const child = spawn(process.execPath, ["--import", "tsx", program, store], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const durable = await killAfter(child, 3, round);
      const environment = await lmdbEnvironments(store, { storeId })("a");
      const closing = environment.closing()!;
      expect([durable, durable + 1]).toContain(closing.epoch);
      expect(closing).toMatchObject({ lsn: closing.epoch, ...naiveClosing(environment, [1]) });
      const found = Array.from(environment.scan(1), ({ id, value }) => [id, value[0], value[2999]]);
      const byte = closing.epoch % 256;
      expect(found).toEqual(Array.from({ length: 200 }, (_, i) => [closing.epoch + i, byte, byte]));
      await environment.close();
    }
  } finally {
    await rm(store, { recursive: true });
  }
});
