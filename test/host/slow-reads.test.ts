/**
 * Reads that the device takes its time for. Their blocks may be overwritten and freed meanwhile, and
 * must not be given to anyone else before the read has ended (promises I4 and I6).
 */
import { describe, expect, it, vi } from "vitest";
import { MemoryStore } from "../support/memory-store.ts";
import { blocks, expectBytes } from "./refusal.ts";

const B = 512;
const SIZE = 64;

describe("a slow read", () => {
  it.each(["overwritten", "discarded", "deleted"] as const)(
    "gets what was there when it was asked, though its blocks were %s since",
    async (fate) => {
      const store = MemoryStore.create({ capacityBlocks: 4 * SIZE });
      const host = await store.open();
      const disk = await host.create("disk", { size: SIZE * B });
      const other = await host.create("other", { size: SIZE * B });
      await disk.write(0, blocks("mine", SIZE));
      await host.checkpoint();
      const { device } = store.engineOf(host);
      const read = device.read.bind(device);
      let goOn = (): void => undefined;
      const gate = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      const slow = vi.spyOn(device, "read").mockImplementation(async (target, offset) => {
        await gate;
        return read(target, offset);
      });
      const reading = disk.read(0, SIZE * B);
      expect(slow).toHaveBeenCalled();
      if (fate === "overwritten") await disk.write(0, blocks("new", SIZE));
      if (fate === "discarded") await disk.discard(0, SIZE * B);
      if (fate === "deleted") await host.delete("disk");
      // More than there is room for, so that every block that comes free is taken.
      const busy = (async () => {
        for (let i = 0; i < 6; i++) {
          await other.write(0, blocks(`theirs ${i}`, SIZE));
          await host.checkpoint();
        }
      })();
      for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
      goOn();
      expectBytes(await reading, blocks("mine", SIZE));
      await busy;
      await host.close();
    },
  );
});

describe("a long read of what is at hand", () => {
  // All of it was read in one turn: 5 s for 256 MiB that had been written at random.
  it("lets the event loop turn, and gets what was there when it was asked", async () => {
    const store = MemoryStore.create({ capacityBlocks: 16_384 });
    const host = await store.open();
    const disk = await host.create("disk", { size: 4096 * B });
    for (let i = 4095; i >= 0; i--) await disk.write(i * B, blocks(`${i} `));
    await host.checkpoint();
    const { device } = store.engineOf(host);
    let turns = 0;
    const readsInTurn: number[] = [0];
    let isDone = false;
    const turn = (): void => {
      readsInTurn[++turns] = 0;
      if (!isDone) setImmediate(turn);
    };
    const cached = Buffer.alloc(device.size);
    await device.read(cached, 0);
    device.readNow = (target, offset) => {
      readsInTurn[turns]! += 1;
      target.set(cached.subarray(offset, offset + target.length));
      return true;
    };
    setImmediate(turn);
    const reading = disk.read(0, 4096 * B);
    await disk.write(0, blocks("new", 4096));
    const expected = Array.from({ length: 4096 }, (_, i) => blocks(`${i} `));
    expectBytes(await reading, Buffer.concat(expected));
    isDone = true;
    expect(readsInTurn.reduce((sum, reads) => sum + reads)).toBe(4096);
    expect(Math.max(...readsInTurn)).toBeLessThanOrEqual(1024);
    await host.close();
  });
});
