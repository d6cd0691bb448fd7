/** BLOCK_STATUS: what each metadata context says. */
import { describe, expect, it, vi } from "vitest";
import { flag } from "./client.ts";
import { B, DISK_BYTES, pattern, serve } from "./served-store.ts";

const fixed = ["base:allocation", "qemu:allocation-depth", "x-blockspace:sharing"];

describe("BLOCK_STATUS", () => {
  it("tells holes, zeroes, own and shared blocks, and where a write takes new space", async () => {
    const { open, host } = await serve();
    const disk = host.get("disk");
    await disk.write(0, pattern(4 * B));
    await disk.preallocate(8 * B, 2 * B);
    await host.snapshot("disk", "disk@1");
    await disk.write(B, pattern(B, 2));
    await disk.preallocate(12 * B, B);
    const client = await open("disk", { contexts: [...fixed, "qemu:dirty-bitmap:disk@1"] });
    const status = await client.status(0, 16 * B);
    expect(status.get(0)).toEqual([
      [4 * B, 0],
      [4 * B, 3],
      [2 * B, 2],
      [2 * B, 3],
      [B, 2],
      [3 * B, 3],
    ]);
    expect(status.get(1)).toEqual([
      [B, 2],
      [B, 1],
      [2 * B, 2],
      [4 * B, 0],
      [2 * B, 2],
      [2 * B, 0],
      [B, 1],
      [3 * B, 0],
    ]);
    expect(status.get(2)).toEqual([
      [B, 3],
      [B, 2],
      [2 * B, 3],
      [4 * B, 2],
      [2 * B, 3],
      [2 * B, 2],
      [B, 0],
      [3 * B, 2],
    ]);
    expect(status.get(3)).toEqual([
      [B, 0],
      [B, 1],
      [14 * B, 0],
    ]);
  });

  // All that a client asked for was described in the turn of the event loop in which it arrived. On
  // a fragmented disk each took tens of milliseconds, and one client, with 256 requests for sixteen
  // contexts under way, had all others wait for more than twenty seconds.
  it("lets others in between", async () => {
    const { open, host } = await serve();
    const disk = host.get("disk");
    const client = await open("disk", { contexts: fixed });
    let turn = 0;
    const described: number[] = [];
    const extents = disk.extents.bind(disk);
    vi.spyOn(disk, "extents").mockImplementation((...range) => {
      described.push(turn);
      setImmediate(() => turn++);
      return extents(...range);
    });
    await Promise.all(Array.from({ length: 4 }, () => client.status(0, DISK_BYTES)));
    expect(described).toEqual(Array.from({ length: 12 }, (_, i) => i));
  });

  it("gives one descriptor, not longer than asked, when asked for one", async () => {
    const { open, host } = await serve();
    await host.snapshot("disk", "empty");
    await host.get("disk").write(0, pattern(8 * B));
    const client = await open("disk", { contexts: ["base:allocation", "qemu:dirty-bitmap:empty"] });
    expect([...(await client.status(B, 3 * B, flag.reqOne))]).toEqual([
      [0, [[3 * B, 0]]],
      [1, [[3 * B, 1]]],
    ]);
    expect([...(await client.status(B, 20 * B, flag.reqOne))]).toEqual([
      [0, [[7 * B, 0]]],
      [1, [[7 * B, 1]]],
    ]);
    expect([...(await client.status(9 * B + 5, 100, flag.reqOne))]).toEqual([
      [0, [[100, 3]]],
      [1, [[100, 0]]],
    ]);
  });

  it("fails for a bitmap whose snapshot is gone, and the connection goes on", async () => {
    const { open, host } = await serve();
    await host.snapshot("disk", "gone");
    const client = await open("disk", { contexts: ["qemu:dirty-bitmap:gone"] });
    expect((await client.status(0, B)).get(0)).toEqual([[B, 0]]);
    await host.delete("gone");
    expect((await client.request({ type: 7, length: B })).error).not.toBe(0);
    expect(await client.read(0, 1)).toHaveLength(1);
  });

  it("of a range in tatters is cut short, and can be asked on from there", async () => {
    const { open, host } = await serve({}, { capacityBlocks: 2 ** 14 });
    const large = await host.create("large", { size: 2 ** 24 });
    await large.preallocate(0, 5000 * B);
    await host.transact((tx) => {
      for (let i = 0; i < 2500; i++) tx.discard(large, (2 * i + 1) * B, B);
    });
    const client = await open("large", { contexts: ["base:allocation"] });
    const seen: [number, number][] = [];
    let answers = 0;
    for (let at = 0; at < 2 ** 24;) {
      answers++;
      const [part] = [...(await client.status(at, 2 ** 24 - at)).values()];
      seen.push(...part!);
      at += part!.reduce((sum, [length]) => sum + length, 0);
    }
    expect(seen).toHaveLength(5000);
    expect(answers).toBe(2);
    expect(seen.reduce((sum, [length]) => sum + length, 0)).toBe(2 ** 24);
  });

  it("agrees with what a read finds: what is told to be zero is", async () => {
    const { open, host } = await serve();
    const disk = host.get("disk");
    for (let i = 0; i < 40; i++) {
      await disk.write(((i * 7919) % 255) * B, pattern(B, i + 1));
      if (i % 3 === 0) await disk.discard(((i * 104_729) % 250) * B, 3 * B);
      if (i % 5 === 0) await disk.preallocate(((i * 31) % 250) * B, 2 * B);
    }
    const client = await open("disk", { contexts: ["base:allocation"] });
    const data = await client.read(0, DISK_BYTES);
    let at = 0;
    for (const [length, flags] of (await client.status(0, DISK_BYTES)).get(0)!) {
      const isZero = data.subarray(at, at + length).every((byte) => byte === 0);
      expect((flags & 2) === 0 || isZero).toBe(true);
      at += length;
    }
    expect(at).toBe(DISK_BYTES);
  });
});
