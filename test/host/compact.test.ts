/** Compacting beside other work. */
import { expect, it } from "vitest";
import { MemoryStore } from "../support/memory-store.ts";
import { B, blocks, expectBytes } from "./refusal.ts";

// The device was read before memory was asked, and in between the block had gone home: what was
// read did not match its checksum, and was told of as damage.
it("blocks that go to their place while they are read are no damage", async () => {
  const store = MemoryStore.create();
  const host = await store.open();
  const disk = await host.create("disk", { size: 64 * B });
  await disk.write(0, blocks("x", 30));
  for (let i = 0; i < 30; i += 2) await disk.discard(i * B, B);
  const engine = store.engineOf(host);
  const read = engine.device.read.bind(engine.device);
  engine.device.read = async (target, offset) => {
    await read(target, offset);
    await engine.pending.writeOut();
  };
  const { problems, bytesMoved } = await host.compact();
  expect(problems).toEqual([]);
  expect(bytesMoved).toBeGreaterThan(0);
  for (let i = 1; i < 30; i += 2) {
    expectBytes(await disk.read(i * B, B), blocks("x", 30).subarray(i * B, (i + 1) * B));
  }
  await host.close();
});
