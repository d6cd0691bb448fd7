/** Reading ahead gives what the device holds, asks it seldom, and fails only where it has to. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Device } from "../../src/device/device.ts";
import { ReadAhead } from "../../src/journal/read-ahead.ts";

const KiB = 1024;
const MiB = 1024 * KiB;

/** A device of numbered words; nothing from `badFrom` on can be read. */
function deviceOf(size: number, badFrom = Infinity): { device: Device; reads: number[] } {
  const bytes = numbers(0, size);
  const reads: number[] = [];
  const device = {
    path: "numbers",
    size,
    async read(target: Uint8Array, offset: number) {
      reads.push(target.length);
      await Promise.resolve();
      if (offset + target.length > badFrom) throw new Error(`cannot be read: ${offset}`);
      target.set(bytes.subarray(offset, offset + target.length));
    },
  };
  return { device: device as unknown as Device, reads };
}

function ahead(size: number, badFrom?: number) {
  const { device, reads } = deviceOf(size, badFrom);
  const reader = new ReadAhead();
  reader.turnTo(device, size);
  /** True when what is read is what is there. */
  const read = async (offset: number, length: number): Promise<boolean> => {
    const target = Buffer.alloc(length);
    await reader.read(target, offset);
    return target.equals(numbers(offset, length));
  };
  return { reader, read, reads };
}

/** Words from `offset` on, each of which is its own number. */
function numbers(offset: number, length: number): Buffer {
  const words = new Uint32Array(length / 4);
  for (let i = 0; i < words.length; i++) words[i] = offset / 4 + i;
  return Buffer.from(words.buffer);
}

describe("reading ahead", () => {
  it("gives the bytes that are there, in whatever order they are asked for", async () => {
    const size = 4 * MiB;
    const place = fc
      .tuple(fc.nat(size / 4 - 1), fc.oneof(fc.integer({ min: 1, max: 64 }), fc.nat(400 * 256)))
      .map(([word, words]) => ({ offset: 4 * word, length: 4 * Math.min(words, size / 4 - word) }));
    await fc.assert(
      fc.asyncProperty(fc.array(place, { maxLength: 12 }), async (places) => {
        const { read } = ahead(size);
        for (const { offset, length } of places) {
          expect(await read(offset, length)).toBe(true);
        }
      }),
      { numRuns: 30 },
    );
  });

  it("asks the device once for each mebibyte of what is read in order", async () => {
    const { read, reads } = ahead(8 * MiB);
    for (let at = 4 * KiB; at + 132 * KiB <= 8 * MiB; at += 132 * KiB) {
      await read(at, 64);
      expect(await read(at, 132 * KiB)).toBe(true);
    }
    expect(reads.length).toBeLessThanOrEqual(9);
  });

  it("reads what is long by itself, and goes on behind it", async () => {
    const { read } = ahead(8 * MiB);
    for (const [offset, length] of [
      [4096, 64],
      [4096, 3 * MiB],
      [3 * MiB + 4096, 64],
      [3 * MiB + 4096, 40 * KiB],
    ] as const) {
      expect(await read(offset, length)).toBe(true);
    }
  });

  it("knows nothing of the file before", async () => {
    const { reader, read } = ahead(2 * MiB);
    await read(0, 64);
    await read(64, 64);
    await reader.settled();
    const { device } = deviceOf(64 * KiB);
    reader.turnTo(device, 64 * KiB);
    expect(reader.size).toBe(64 * KiB);
    expect(await read(60 * KiB, 4 * KiB)).toBe(true);
  });

  it("fails where something cannot be read, and only there", async () => {
    const bad = 1.5 * MiB;
    const { reader, read } = ahead(4 * MiB, bad);
    for (let at = 4 * KiB; at + 36 * KiB <= bad; at += 36 * KiB) {
      expect(await read(at, 36 * KiB)).toBe(true);
    }
    await expect(read(bad, 64)).rejects.toThrow("cannot be read");
    await reader.settled();
  });
});
