/** Reads into memory of the caller's: the same bytes and the same refusals as `read`. */
import { describe, expect, it } from "vitest";
import type { Host } from "../../src/host/host.ts";
import type { Subvolume } from "../../src/host/subvolume.ts";
import { seededNumbers } from "../device/scratch.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { expectBytes, refusal } from "./refusal.ts";

const B = 512;

async function start(size: number): Promise<{ host: Host; disk: Subvolume }> {
  const host = await MemoryStore.create().open();
  return { host, disk: await host.create("disk", { size }) };
}

describe("readInto", () => {
  it("gives what read gives, wherever it begins and ends", async () => {
    const next = seededNumbers(31);
    const { host, disk } = await start(64 * B);
    const model = Buffer.alloc(64 * B);
    const expectSame = async (at: number, length: number): Promise<void> => {
      const target = Buffer.alloc(length, 9);
      await disk.readInto(target, at);
      expectBytes(target, model.subarray(at, at + length));
    };
    await disk.preallocate(40 * B, 8 * B);
    for (let step = 0; step < 300; step++) {
      if (step % 7 === 0) {
        const data = Buffer.alloc(1 + next(5 * B), 1 + (step % 250));
        const at = next(model.length - data.length);
        // Not awaited: a read sees every write submitted before it.
        const written = disk.write(at, data);
        model.set(data, at);
        await expectSame(Math.floor(at / B) * B, B);
        await written;
      }
      if (step % 60 === 30) await host.checkpoint();
      const at = next(64) * B;
      await expectSame(at, Math.min(model.length - at, next(6) * B));
      const odd = next(model.length);
      await expectSame(odd, next(Math.min(model.length - odd, 3 * B)));
    }
    await host.close();
  });

  it("is refused like read, and for a target that is none", async () => {
    const { host, disk } = await start(8 * B);
    const beyond = await refusal(() => disk.readInto(Buffer.alloc(B + 1), 7 * B));
    expect(beyond).toMatchObject({ code: "ERANGE", subvolume: "disk" });
    const none = "memory" as unknown as Uint8Array;
    expect(await refusal(() => disk.readInto(none, 0))).toMatchObject({ code: "EINVAL" });
    const signal = AbortSignal.abort();
    const aborted = await refusal(() => disk.readInto(Buffer.alloc(B), 0, { signal }));
    expect(aborted).toMatchObject({ code: "ECANCELED" });
    await host.close();
    expect(await refusal(() => disk.readInto(Buffer.alloc(B), 0))).toMatchObject({
      code: "ECLOSED",
    });
  });
});

describe("readNow", () => {
  it("gives whole blocks that are at hand, while no call before it is waiting", async () => {
    const { host, disk } = await start(8 * B);
    await disk.write(B, Buffer.alloc(B, 5));
    const target = Buffer.alloc(3 * B, 9);
    const expected = Buffer.concat([Buffer.alloc(B), Buffer.alloc(B, 5), Buffer.alloc(B)]);
    expect(disk.readNow(target, 0)).toBe(true);
    expectBytes(target, expected);
    expect(disk.readNow(target, 1)).toBe(false);
    expect(disk.readNow(target.subarray(1), 0)).toBe(false);
    const written = disk.write(B + 1, Buffer.alloc(5, 6));
    expect(disk.readNow(target, 0)).toBe(false);
    await written;
    expect(disk.readNow(target, 0)).toBe(true);
    expectBytes(target, expected.fill(6, B + 1, B + 6));
    await host.close();
  });

  it("is refused like read, and for a target that is none", async () => {
    const { host, disk } = await start(8 * B);
    const beyond = (): boolean => disk.readNow(Buffer.alloc(2 * B), 7 * B);
    expect(beyond).toThrow(/^ERANGE/);
    expect(() => disk.readNow("memory" as unknown as Uint8Array, 0)).toThrow(/^EINVAL/);
    await host.close();
    expect(beyond).toThrow(/^ECLOSED/);
  });
});
