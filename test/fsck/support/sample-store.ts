/**
 * Stores to damage: a seeded history of writes, snapshots, clones and checkpoints over a small
 * geometry, left as a killed process leaves it, or closed.
 */
import type { Host } from "../../../src/host/host.ts";
import { below, randomFrom } from "../../../tools/damage/random.ts";
import { FsckStore } from "./fsck-store.ts";

const B = 512;

/** The contents of blocks, which say where they come from. */
export function stamp(tag: number, blocks: number): Uint8Array {
  const bytes = Buffer.alloc(blocks * B);
  for (let i = 0; i < blocks; i++) bytes.fill(`write ${tag}, block ${i};`, i * B, (i + 1) * B);
  return bytes;
}

/** Some work: a disk with fragments, a snapshot, a clone, another disk, preallocated blocks. */
export async function work(host: Host, random: () => number, rounds: number): Promise<void> {
  const names = host.list().map(({ name }) => name);
  if (names.length === 0) {
    await host.create("disk", { size: 64 * B });
    await host.create("other", { size: 40 * B });
    names.push("disk", "other");
  }
  for (let i = 0; i < rounds; i++) {
    const live = host.list().filter(({ readOnly }) => !readOnly);
    const disk = host.get(live[below(random, live.length)]!.name);
    const blocks = disk.size / B;
    const at = below(random, blocks - 6);
    const verb = below(random, 12);
    const count = 1 + below(random, 4);
    if (verb < 7) await disk.write(at * B, stamp(i, count));
    else if (verb === 7) await disk.discard(at * B, count * B);
    else if (verb === 8) await disk.preallocate(at * B, count * B);
    else if (verb === 9 && host.list().length < 6)
      await host.snapshot(disk.name, `${disk.name.slice(0, 5)}@${below(random, 1e9)}`);
    else if (verb === 10 && host.list().length < 6)
      await host.clone(disk.name, `clone ${below(random, 1e9)}`);
    else await disk.flush();
  }
  await host.flush();
}

/** A store with two checkpoints and a journal tail behind them. */
export async function sampleStore(seed: number, tail = 6): Promise<FsckStore> {
  const random = randomFrom(seed);
  const store = new FsckStore();
  const host = await store.open();
  await work(host, random, 20);
  await host.checkpoint();
  await work(host, random, 10);
  await host.checkpoint();
  if (tail > 0) await work(host, random, tail);
  await host.flush();
  const left = store.copy();
  await host.close();
  return left;
}
