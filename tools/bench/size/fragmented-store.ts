/**
 * A store with a subvolume `disk` of many extents, each of one block with a hole behind it, written
 * in scattered order: the map and the segment records are then as large as they get.
 */
import { GiB, Host, type Subvolume } from "blockspace";

/** Above this, blocks of 512 bytes: what is measured is the map, not the disk's size. */
const MOST_LARGE_BLOCKS = 1e6;
const AT_ONCE = 2048;
/** Divides no power of ten, so that every block has its turn. */
const STRIDE = 7919;

export function blockSizeFor(extents: number): number {
  return extents > MOST_LARGE_BLOCKS ? 512 : 4096;
}

export async function makeFragmented(path: string, extents: number): Promise<Host> {
  const blockSize = blockSizeFor(extents);
  const capacity = Math.max(2 * GiB, 2 * extents * blockSize);
  const host = await Host.open(path, { create: true, capacity, blockSize });
  const disk = await host.create("disk", { size: 2 * extents * blockSize });
  await writeEveryOther(disk, extents, blockSize);
  await host.checkpoint();
  return host;
}

async function writeEveryOther(disk: Subvolume, extents: number, block: number): Promise<void> {
  const bytes = Buffer.alloc(block, "x");
  for (let i = 0; i < extents; i += AT_ONCE) {
    const writes: Promise<void>[] = [];
    for (let j = i; j < Math.min(extents, i + AT_ONCE); j++) {
      writes.push(disk.write(2 * ((j * STRIDE) % extents) * block, bytes));
    }
    await Promise.all([...writes, disk.flush()]);
  }
}
