/**
 * A store as years of use leave it: a disk written at random, one block here and one there, so that
 * no two extents join, and snapshots with a few writes between one and the next.
 */
import { Host } from "blockspace";
import { below, type Random, randomFrom } from "../damage/random.ts";

const BLOCK = 4096;
/** Writes between two snapshots. */
const WRITES = 4;
/** One flush for so many writes. */
const FLUSH_EVERY = 1024;

/** Makes the store; the same numbers make the same maps. */
export async function makeLargeStore(
  path: string,
  { extents, snapshots }: { extents: number; snapshots: number },
): Promise<void> {
  const random = randomFrom(1);
  const capacity = 2 * BLOCK * (extents + WRITES * snapshots + 1024);
  const host = await Host.open(path, { create: true, capacity });
  try {
    const disk = await host.create("disk", { size: 2 * extents * BLOCK });
    let done = 0;
    const write = async (place: number): Promise<void> => {
      const block = Buffer.alloc(BLOCK, `write ${done};`);
      // Every other block stays a hole, so each write is an extent of its own.
      await disk.write(2 * place * BLOCK, block);
      if (++done % FLUSH_EVERY === 0) await host.flush();
    };
    for (const place of shuffled(extents, random)) await write(place);
    for (let i = 0; i < snapshots; i++) {
      for (let j = 0; j < WRITES; j++) await write(below(random, extents));
      await host.snapshot("disk", `disk@${i}`);
    }
  } finally {
    await host.close();
  }
}

/** The numbers below `count`, each once, in no order. */
function shuffled(count: number, random: Random): Uint32Array {
  const numbers = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = below(random, i + 1);
    [numbers[i], numbers[j]] = [numbers[j]!, numbers[i]!];
  }
  return numbers;
}
