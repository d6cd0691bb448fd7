/** Memory that is used again: never while anything refers to it, and no more of it than needed. */
import { describe, expect, it } from "vitest";
import { BlockMemory, type SlotRun } from "../../src/base/block-memory.ts";
import { KiB, MiB } from "../../src/base/units.ts";
import { seededNumbers } from "../device/scratch.ts";

const B = 65_536;
const CHUNK = MiB / B;

describe("BlockMemory", () => {
  it.each([1, 2, 3, 4])("gives no slot away that is referred to, seed %i", (seed) => {
    const pick = seededNumbers(seed);
    const memory = new BlockMemory(B, 2 * MiB);
    const held: { run: SlotRun; mark: number; references: number }[] = [];
    const isIntact = ({ run, mark }: (typeof held)[number]): boolean =>
      Buffer.alloc(run.count * B, mark).equals(memory.view(run));
    let changed = 0;
    for (let step = 0; step < 3000; step++) {
      const verb = pick(held.length > 40 ? 4 : 3);
      if (verb === 0 || held.length === 0) {
        const run = memory.take(1 + pick(CHUNK + 3));
        memory.view(run).fill(step & 0xff);
        held.push({ run, mark: step & 0xff, references: 1 });
        continue;
      }
      const at = pick(held.length);
      const one = held[at]!;
      if (verb === 1) {
        memory.retain(one.run);
        one.references++;
      } else {
        if (!isIntact(one)) changed++;
        memory.release(one.run);
        if (--one.references === 0) held.splice(at, 1);
      }
    }
    expect(changed).toBe(0);
    expect(held.every(isIntact)).toBe(true);
  });

  it("takes slots side by side, within a chunk", () => {
    const memory = new BlockMemory(B, MiB);
    const first = memory.take(3);
    const second = memory.take(2 * CHUNK);
    const third = memory.take(1);
    expect(first.count).toBe(3);
    expect(second.count).toBe(CHUNK - 3);
    expect(memory.continues(first, second.slot)).toBe(true);
    expect(memory.continues(second, third.slot)).toBe(false);
    expect(memory.continues(first, third.slot)).toBe(false);
  });

  it("uses the same memory again and again when it is released in time", () => {
    const memory = new BlockMemory(B, MiB);
    for (let i = 0; i < 100; i++) {
      const runs = [memory.take(CHUNK), memory.take(5)];
      for (const run of runs) memory.release(run);
    }
    expect(memory.bytes).toBeLessThanOrEqual(3 * MiB);
  });

  it("keeps no more than it is told to when much has been released", () => {
    const memory = new BlockMemory(B, 2 * MiB);
    const runs = Array.from({ length: 50 }, () => memory.take(CHUNK));
    expect(memory.bytes).toBe(50 * MiB);
    for (const run of runs) memory.release(run);
    expect(memory.bytes).toBeLessThanOrEqual(3 * MiB);
    const again = memory.take(CHUNK);
    expect(memory.view(again)).toHaveLength(MiB);
  });

  it.each([
    { block: 512, kept: 64 * KiB, bytes: 64 * KiB },
    { block: 4 * KiB, kept: 10 * KiB, bytes: 8 * KiB },
    { block: 4 * KiB, kept: 0, bytes: 4 * KiB },
  ])("has no chunk larger than the $kept bytes that it may keep", ({ block, kept, bytes }) => {
    const memory = new BlockMemory(block, kept);
    expect(memory.take(MiB / block).count).toBe(bytes / block);
    expect(memory.bytes).toBe(bytes);
  });
});
