/** The bytes that arrive, in whatever pieces, come out as they went in, however they are taken. */
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { Input, INPUT_BYTES } from "../../src/nbd/input.ts";
import { seededNumbers } from "../device/scratch.ts";
import { pattern } from "./served-store.ts";
import { streamPair } from "./stream-pair.ts";

/** Takes bytes in one of three ways. */
async function takeOne(
  input: Input,
  count: number,
  way: number,
): Promise<Buffer | "skipped" | undefined> {
  if (way === 0 && count <= 4096) return (await input.has(count)) ? input.take(count) : undefined;
  if (way === 1) return (await input.skip(count)) ? "skipped" : undefined;
  const target = Buffer.alloc(count);
  return (await input.fill(target)) ? target : undefined;
}

describe("Input", () => {
  it.each(Array.from({ length: 60 }, (_, seed) => seed))(
    "hands out what came in, seed %i",
    async (seed) => {
      const pick = seededNumbers(seed);
      const [ours, theirs] = streamPair();
      const input = Input.over(theirs);
      const bytes = pattern(200_000 + pick(1000), seed);
      for (let at = 0; at < bytes.length;) {
        const end = at + 1 + pick(seed % 2 === 0 ? 90_000 : 500);
        ours.write(bytes.subarray(at, end));
        at = end;
      }
      ours.end();
      for (let at = 0; at < bytes.length;) {
        const count = Math.min(bytes.length - at, 1 + pick(pick(3) === 0 ? 60_000 : 40));
        const expected = bytes.subarray(at, at + count);
        const taken = await takeOne(input, count, pick(3));
        // What was passed over cannot be compared, but what comes behind it can.
        expect(taken === "skipped" || taken?.equals(expected)).toBe(true);
        at += count;
      }
      expect(await input.has(1)).toBe(false);
      expect(await input.fill(Buffer.alloc(1))).toBe(false);
      expect(await input.skip(1)).toBe(false);
    },
  );

  it.each([1, 2, 3, 4, 5, 6])(
    "hands out what the system has put into its memory, seed %i",
    async (seed) => {
      const pick = seededNumbers(seed);
      const input = new Input();
      const bytes = pattern(3_000_000, seed);
      let arrived = 0;
      let taken = 0;
      let room = input.room();
      const arrive = (): void => {
        const count = Math.min(room.length, bytes.length - arrived, 1 + pick(90_000));
        room.set(bytes.subarray(arrived, arrived + count));
        arrived += count;
        input.arrived(count);
        room = input.room();
      };
      while (taken < bytes.length) {
        if (arrived < bytes.length) arrive();
        while (input.available > 0 && pick(6) > 0) {
          const count = Math.min(input.available, 1 + pick(60_000));
          expect(input.view(0, count).equals(bytes.subarray(taken, taken + count))).toBe(true);
          input.pass(count);
          taken += count;
        }
      }
    },
  );

  it("asks for more as soon as less waits than can be seen as a whole", () => {
    // A request of 250 KiB behind small ones was never read to its end: the stream had been paused,
    // and was to go on only when half of what waited had been taken, the first part of it included.
    const stream = new PassThrough();
    const input = new Input();
    input.endWith(stream);
    while (input.available < INPUT_BYTES) input.arrived(Math.min(65_536, input.room().length));
    let resumed = 0;
    stream.resume = () => {
      resumed++;
      return stream;
    };
    input.pass(input.available - INPUT_BYTES);
    expect(resumed).toBe(0);
    input.pass(1);
    expect(resumed).toBe(1);
    expect(input.arrived(0)).toBe(true);
  });

  it("asks for no more when much waits", () => {
    const input = new Input();
    let asks = true;
    for (let i = 0; i < 8 && asks; i++) {
      expect(input.room().length).toBeGreaterThanOrEqual(65_536);
      asks = input.arrived(65_536);
    }
    expect(asks).toBe(false);
    expect(input.available).toBeLessThan(2 ** 20);
  });

  it("stops the stream while nobody takes what has come", async () => {
    const [ours, theirs] = streamPair();
    const input = Input.over(theirs);
    for (let i = 0; i < 100; i++) ours.write(Buffer.alloc(65_536));
    await new Promise(setImmediate);
    expect(input.available).toBeLessThan(2 ** 20);
    expect(await input.skip(100 * 65_536)).toBe(true);
  });
});
