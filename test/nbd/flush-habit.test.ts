/** A client that flushes after every so many writes finds the flush begun; nobody else does. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { Host } from "../../src/host/host.ts";
import { FlushHabit } from "../../src/nbd/flush-habit.ts";
import { type Client, cmd } from "./client.ts";
import { B, pattern, serve } from "./served-store.ts";

const EIO = 5;

/** Writes so many blocks, one after the other. */
async function write(client: Client, blocks: number): Promise<void> {
  for (let i = 0; i < blocks; i++) await client.write(i * B, pattern(B, i));
}

/** What is durable when everything that was begun has ended; a flush was not asked for. */
async function isAllDurable(host: Host): Promise<boolean> {
  for (let i = 0; i < 20; i++) await nextTurn();
  const { lastLsn, durableLsn } = host.statistics();
  return durableLsn === lastLsn;
}

describe("a client that flushes", () => {
  it.each([1, 3])("always after as many writes need not ask: %i", async (blocks) => {
    const { host, open } = await serve();
    const client = await open();
    for (let i = 0; i < 4; i++) {
      await write(client, blocks);
      expect(await isAllDurable(host)).toBe(false);
      await client.do(cmd.flush);
    }
    await write(client, blocks - 1);
    expect(await isAllDurable(host)).toBe(blocks === 1);
    await write(client, 1);
    expect(await isAllDurable(host)).toBe(true);
    await client.do(cmd.flush);
  });

  it("now after one write, now after two, has to", async () => {
    const { host, open } = await serve();
    const client = await open();
    for (let i = 0; i < 12; i++) {
      await write(client, 1 + (i % 2));
      expect(await isAllDurable(host)).toBe(false);
      await client.do(cmd.flush);
    }
  });

  it("has to again when it has changed its ways", async () => {
    const { host, open } = await serve();
    const client = await open();
    for (let i = 0; i < 8; i++) {
      await write(client, 1);
      await client.do(cmd.flush);
    }
    await write(client, 5);
    expect(await isAllDurable(host)).toBe(false);
    await client.do(cmd.flush);
    await write(client, 1);
    expect(await isAllDurable(host)).toBe(false);
  });

  it("I7: is told when the flush that was begun has failed", async () => {
    const { host, store, open } = await serve();
    const client = await open();
    for (let i = 0; i < 8; i++) {
      await write(client, 1);
      await client.do(cmd.flush);
    }
    store.onOperation = ({ kind }) => {
      if (kind === "flush") throw new Error("no such luck");
    };
    await write(client, 1);
    expect(await isAllDurable(host)).toBe(false);
    expect((await client.request({ type: cmd.flush })).error).toBe(EIO);
  });
});

describe("a habit", () => {
  it("is none without writes", () => {
    const habit = new FlushHabit();
    for (let i = 0; i < 10; i++) habit.flushed();
    expect(habit.wrote()).toBe(false);
  });

  it("is one however many flushes are sent at once", () => {
    const habit = new FlushHabit();
    const begun: boolean[] = [];
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 3; i++) begun.push(habit.wrote());
      for (let i = 0; i < 32; i++) habit.flushed();
    }
    expect(begun.slice(12)).toEqual([false, false, true]);
  });
});
