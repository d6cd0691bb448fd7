/**
 * Hostile frames: conversations that begin as real ones and are then changed (bits, bytes, lengths,
 * cut off, doubled, in pieces), tens of thousands of them, each from a seed of its own. Whatever is
 * said, the server must not crash, hang or hold memory for it, and an honest client of another
 * export must find its data as it left it. `BLOCKSPACE_HOSTILE_RUNS` sets how many; a failure names its seed.
 */
import { describe, expect, it } from "vitest";
import { type Client, exportQuery, metaQuery, requestHeader, u32 } from "./client.ts";
import { B, DISK_BYTES, pattern, serve } from "./served-store.ts";
import { streamPair } from "./stream-pair.ts";

const RUNS = Number(process.env["BLOCKSPACE_HOSTILE_RUNS"] ?? 20_000);
const FIRST_SEED = Number(process.env["BLOCKSPACE_HOSTILE_SEED"] ?? 1);

/** mulberry32: whole numbers below `most`. */
function random(seed: number): (most: number) => number {
  let state = seed >>> 0;
  return (most) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * most);
  };
}

const interesting = [0, 1, 4, 255, 4096, 65_535, 2 ** 25, 2 ** 25 + 1, 2 ** 31, 2 ** 32 - 1];

function option(type: number, data: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([Buffer.from("IHAVEOPT"), u32(type), u32(data.length), data]);
}

/** What an honest client might say, as separate messages. */
function conversation(pick: (most: number) => number): Buffer[] {
  const contexts = ["base:allocation", "x-blockspace:sharing", "qemu:dirty-bitmap:disk@1", "a:b"];
  const options = [
    option(3),
    option(5),
    option(6, exportQuery("disk", [0, 1, 2, 3])),
    option(8),
    option(9, metaQuery("disk", contexts.slice(pick(4)))),
    option(10, metaQuery("disk", contexts.slice(pick(4)))),
    option(11),
    option(pick(20), Buffer.alloc(pick(40))),
  ];
  const messages = [u32(pick(8) === 0 ? pick(5) : 3)];
  for (let i = pick(5); i > 0; i--) messages.push(options[pick(options.length)]!);
  if (pick(2) === 0) messages.push(option(8));
  if (pick(2) === 0) messages.push(option(10, metaQuery("disk", contexts)));
  const name = ["disk", "disk", "disk@1", "", "nothing"][pick(5)]!;
  messages.push(pick(4) === 0 ? option(1, Buffer.from(name)) : option(7, exportQuery(name)));
  for (let i = pick(8); i > 0; i--) messages.push(request(pick));
  if (pick(3) === 0) messages.push(requestHeader(99n, { type: 2 }));
  return messages;
}

function request(pick: (most: number) => number): Buffer {
  const type = pick(9);
  const offset = pick(DISK_BYTES);
  const length = pick(4) === 0 ? interesting[pick(interesting.length)]! : pick(4 * B);
  const header = requestHeader(BigInt(pick(1000)), {
    type,
    offset,
    length,
    flags: pick(6) === 0 ? pick(64) : 0,
  });
  return type === 1
    ? Buffer.concat([header, Buffer.alloc(Math.min(length, 8 * B), pick(256))])
    : header;
}

/** Changes a message in one of the ways in which messages go wrong. */
function mutate(message: Buffer, pick: (most: number) => number): Buffer {
  const changed = Buffer.from(message);
  const at = pick(Math.max(1, changed.length));
  switch (pick(7)) {
    case 0:
      if (changed.length > 0) changed[at]! ^= 1 << pick(8);
      return changed;
    case 1:
      if (changed.length > 0) changed[at] = pick(256);
      return changed;
    case 2:
      return changed.subarray(0, at);
    case 3:
      return Buffer.concat([changed, changed]);
    case 4:
      return Buffer.concat([
        changed.subarray(0, at),
        Buffer.alloc(pick(64), pick(256)),
        changed.subarray(at),
      ]);
    default: {
      const word = Math.floor(at / 4) * 4;
      if (word + 4 <= changed.length)
        changed.writeUInt32BE(interesting[pick(interesting.length)]!, word);
      return changed;
    }
  }
}

/** Says it all, in pieces of any size, and hangs up; resolves when the server has, too. */
async function converse(
  accept: (client: Client["stream"]) => Promise<void>,
  seed: number,
): Promise<void> {
  const pick = random(seed);
  const messages = conversation(pick);
  for (let i = 1 + pick(3); i > 0; i--) {
    const at = pick(messages.length);
    messages[at] = mutate(messages[at]!, pick);
  }
  const bytes = Buffer.concat(messages);
  const [ours, theirs] = streamPair();
  ours.on("error", () => undefined);
  const served = accept(theirs);
  if (pick(4) > 0) ours.resume();
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + pick(pick(2) === 0 ? 40 : 4000);
    if (!ours.destroyed) ours.write(bytes.subarray(at, end));
    if (pick(8) === 0) await new Promise(setImmediate);
    at = end;
  }
  if (pick(3) === 0) ours.destroy();
  else ours.end();
  ours.resume();
  await served;
}

describe("hostile frames", () => {
  it(`${RUNS} mutated conversations do no harm`, { timeout: 600_000 }, async () => {
    const { open, server, host } = await serve({ handshakeTimeoutMs: 5000 });
    await host.create("the honest one", { size: B });
    const honest = await open("the honest one");
    await honest.write(0, pattern(B, 42));
    await host.snapshot("disk", "disk@1");
    const before = process.memoryUsage().rss;
    for (let done = 0; done < RUNS; done += 20) {
      const seeds = Array.from(
        { length: Math.min(20, RUNS - done) },
        (_, i) => FIRST_SEED + done + i,
      );
      const late = setTimeout(() => {
        throw new Error(`one of the seeds ${seeds.join(", ")} hangs`);
      }, 30_000);
      await Promise.all(seeds.map((seed) => converse((stream) => server.serve(stream), seed)));
      clearTimeout(late);
      if (!(await honest.read(0, B)).equals(pattern(B, 42))) {
        throw new Error(`one of the seeds ${seeds.join(", ")} wrote where it could not`);
      }
    }
    expect(await honest.read(0, B)).toEqual(pattern(B, 42));
    expect(server.connections).toBe(1);
    // No honest limit is near this; a leak for each conversation would be far beyond it.
    expect(process.memoryUsage().rss - before).toBeLessThan(512 * 2 ** 20);
    await honest.write(0, pattern(B, 43), 1);
  });
});
