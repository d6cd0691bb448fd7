/** What differs within a range: clipped to it, and the same as the part of the whole comparison. */
import { describe, expect, it } from "vitest";
import type { ByteRange } from "../../src/host/host.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { refusal } from "./refusal.ts";

const B = 512;

/** Ranges cut down to `[offset, offset + length)`. */
function clip(ranges: Iterable<ByteRange>, { offset, length }: ByteRange): ByteRange[] {
  return [...ranges].flatMap((range) => {
    const from = Math.max(range.offset, offset);
    const to = Math.min(range.offset + range.length, offset + length);
    return from < to ? [{ offset: from, length: to - from }] : [];
  });
}

describe("diff within a range", () => {
  it("is the whole comparison, cut down, wherever the range lies", async () => {
    const host = await MemoryStore.create().open();
    const disk = await host.create("disk", { size: 64 * B + 100 });
    await disk.write(10 * B, Buffer.alloc(5 * B, 1));
    await host.snapshot("disk", "snap");
    await disk.write(12 * B, Buffer.alloc(B, 2));
    await disk.write(20 * B, Buffer.alloc(7 * B, 2));
    await disk.discard(10 * B, B);
    await disk.write(64 * B, Buffer.alloc(100, 3));
    const whole = [...host.diff("snap", "disk")];
    expect(whole).toHaveLength(4);
    for (let offset = 0; offset < disk.size; offset += 117) {
      for (const length of [0, 1, 300, B, 9 * B + 1, disk.size]) {
        const within = { offset, length };
        expect({ within, found: [...host.diff("snap", "disk", within)] }).toEqual({
          within,
          found: clip(whole, within),
        });
      }
    }
    await host.close();
  });

  it("refuses a range that is none", async () => {
    const host = await MemoryStore.create().open();
    await host.create("disk", { size: B });
    for (const within of [
      { offset: -1, length: 1 },
      { offset: 0, length: 0.5 },
    ]) {
      expect(await refusal(() => host.diff("disk", "disk", within))).toMatchObject({
        code: "EINVAL",
      });
    }
    await host.close();
  });
});
