/**
 * Promises I1 and I2 on real files, real locks and the real LMDB: a process that works on a store
 * is killed with SIGKILL, again and again, at any moment from the opening to the middle of a mixed
 * load. After each kill the store must hold exactly what the first k operations make of it, byte
 * for byte and for all subvolumes, with k no less than the last operation acknowledged.
 *
 * One store lives through all kills. The judge opens it read-only, which replays and writes
 * nothing, so the next process finds what the last one left, and may be killed while it recovers.
 *
 * `BLOCKSPACE_KILL_SEED` repeats the operations of a run, though the moment of a kill is never
 * quite the same twice; `BLOCKSPACE_KILLS` makes it longer.
 */
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Host, type Recovery } from "../../src/index.ts";
import { openHost } from "../../src/host/open.ts";
import { audit } from "../../src/testing-store/audit.ts";
import { buildLoad } from "./build-load.ts";
import { difference, Model } from "./model.ts";
import { type Order, seededNumbers } from "./operations.ts";
import { type LastWords, type Moment, Victim } from "./victim.ts";

const KILLS = Number(process.env["BLOCKSPACE_KILLS"] ?? 54);
const KiB = 1024;
const MiB = 1024 * KiB;

let directory = "";
let program = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "blockspace-kill-"));
  await mkdir(join(directory, "program"));
  program = await buildLoad(join(directory, "program"));
});
afterAll(() => rm(directory, { recursive: true }));

function chooseMoment(random: (limit: number) => number): Moment {
  switch (random(5)) {
    case 0:
      return { after: "opening", count: 1, delay: random(25) };
    case 1:
      return { after: "open", count: 1, delay: random(120) };
    case 2:
      return { after: "checkpoint", count: 1 + random(2), delay: random(20) };
    case 3:
      return { after: "acknowledged", count: 1 + random(30), delay: random(3) };
    default:
      return { after: "operation", count: 1 + random(250), delay: random(3) };
  }
}

function chooseOptions(random: (limit: number) => number): Order["options"] {
  return {
    journalSize: [256 * KiB, MiB, 4 * MiB][random(3)]!,
    cacheSize: [64 * KiB, MiB][random(2)]!,
    maxDirty: [64 * KiB, 256 * KiB, 8 * MiB][random(3)]!,
  };
}

/** What the store holds, with every count in it recomputed from the maps. */
async function recover(store: string): Promise<{ found: Model; recovery: Recovery }> {
  const parts = await openHost(store, { readOnly: true });
  const host = new Host(parts);
  try {
    const { free, reserved, staged, allocated, busy, capacity } = host.statistics();
    expect(free + reserved + staged + allocated + busy).toBe(capacity);
    expect(Math.min(free, reserved, allocated, busy)).toBeGreaterThanOrEqual(0);
    expect(staged).toBe(0);
    audit(parts.engine.state, { allocator: parts.engine.allocator });
    const found = new Model();
    for (const { name, size, readOnly } of host.list()) {
      found.subvolumes.set(name, { readOnly, bytes: await host.get(name).read(0, size) });
    }
    return { found, recovery: host.recovery };
  } finally {
    await host.close();
  }
}

/** Finds the prefix of the operations that the store holds; throws when there is none. */
function judge(base: Model, { lines }: LastWords, found: Model): { held: Model; lost: number } {
  const acknowledged = Math.max(
    0,
    ...lines.map((line) => (line.type === "acknowledged" ? line.number : 0)),
  );
  const model = base.copy();
  const differences: string[] = [];
  const consider = (number: number): boolean => {
    const wrong = difference(model, found);
    differences.push(`after ${number}: ${wrong}`);
    return wrong === null;
  };
  const operations = lines.filter((line) => line.type === "operation");
  const durable = operations.findLastIndex(({ number }) => number <= acknowledged) + 1;
  for (const { operation } of operations.slice(0, durable)) model.apply(operation);
  if (consider(acknowledged)) return { held: model, lost: operations.length - durable };
  for (const [i, { number, operation }] of operations.slice(durable).entries()) {
    model.apply(operation);
    if (consider(number)) return { held: model, lost: operations.length - durable - i - 1 };
  }
  throw new Error(`no prefix of the operations fits\n${differences.join("\n")}`);
}

/** After all that, the store still closes, opens without replay, and gives its space back. */
async function closeCleanly(store: string, model: Model): Promise<void> {
  await (await Host.open(store)).close();
  const { found, recovery } = await recover(store);
  expect(difference(model, found)).toBe(null);
  expect(recovery.commits).toBe(0);
  const host = await Host.open(store);
  for (const { name } of host.list()) await host.delete(name);
  while (host.statistics().deadNodes > 0) await setImmediate();
  expect(host.statistics().allocated).toBe(0);
  await host.checkpoint();
  await host.checkpoint();
  expect(host.statistics().busy).toBe(0);
  await host.close();
}

it(`a store lives through ${KILLS} kills`, { timeout: KILLS * 10_000 }, async () => {
  const seed = Number(process.env["BLOCKSPACE_KILL_SEED"] ?? Date.now() % 2 ** 31);
  console.log(`BLOCKSPACE_KILL_SEED=${seed}`);
  const random = seededNumbers(seed);
  const store = join(directory, "store");
  await (await Host.open(store, { create: true, capacity: 4 * MiB, journalSize: MiB })).close();
  let model = new Model();
  let first = 1;
  const totals = { operations: 0, acknowledgements: 0, lost: 0, replayed: 0, unopened: 0 };
  let next = new Victim(program);
  try {
    for (let round = 0; round < KILLS; round++) {
      const victim = next;
      next = new Victim(program);
      const moment = chooseMoment(random);
      const order = { store, seed: random(2 ** 31), first, options: chooseOptions(random) };
      const words = await victim.work(order, moment);
      const where = `seed ${seed}, round ${round}, ${JSON.stringify({ moment, order })}`;
      expect(words.signal, `${where}: ${words.errors}`).toBe("SIGKILL");
      try {
        const { found, recovery } = await recover(store);
        const { held, lost } = judge(model, words, found);
        model = held;
        totals.lost += lost;
        totals.replayed += recovery.commits;
      } catch (cause) {
        throw new Error(where, { cause });
      }
      for (const line of words.lines) {
        if (line.type === "operation") totals.operations++;
        if (line.type === "operation") first = line.number + 1;
        if (line.type === "acknowledged") totals.acknowledgements++;
      }
      if (!words.lines.some((line) => line.type === "note" && line.text === "open")) {
        totals.unopened++;
      }
    }
  } finally {
    next.kill();
    await next.gone();
  }
  console.log(JSON.stringify(totals));
  await closeCleanly(store, model);
  expect(totals.replayed).toBeGreaterThan(0);
  expect(totals.acknowledgements).toBeGreaterThan(0);
});
