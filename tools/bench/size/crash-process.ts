/**
 * Fills a new store, makes a checkpoint, and writes a journal tail behind it: of a given length, or
 * of as many commits as the host lets come together before it makes a checkpoint by itself.
 * Arguments: the store, the subvolume's size, the tail's length, writes in a batch.
 */
import { argv } from "node:process";
import { GiB, Host, MiB } from "blockspace";
import { randomFrom } from "../random.ts";

const BLOCK = 4096;
const FILLED = 10_000;
/** A checkpoint is begun after 100,000. */
const MOST_COMMITS = 98_000;

const [size, tail, batch] = argv.slice(3).map(Number) as [number, number, number];
const host = await Host.open(argv[2]!, {
  create: true,
  capacity: Math.max(8 * GiB, size),
  // So large that no checkpoint cuts the tail short.
  journalSize: 8 * tail,
  cacheSize: 4 * GiB,
  maxDirty: 256 * MiB,
});
const disk = await host.create("disk", { size });
const random = randomFrom(batch);
const blocks = size / BLOCK;
const bytes = Buffer.alloc(BLOCK, "c");

async function write(count: number): Promise<void> {
  const writes = Array.from({ length: count }, () => disk.write(random(blocks) * BLOCK, bytes));
  await Promise.all([...writes, disk.flush()]);
}

for (let done = 0; done < FILLED; done += 1000) await write(1000);
await host.checkpoint();
await host.checkpoint();
const before = host.statistics();
for (let written = 0, commits = 0; written < tail && commits < MOST_COMMITS;) {
  await write(batch);
  const { journalBytes, lastLsn } = host.statistics();
  written = journalBytes - before.journalBytes;
  commits = lastLsn - before.lastLsn;
}
if (host.statistics().checkpoints !== before.checkpoints) throw new Error("the tail was cut short");
process.send!({});
// Until it is killed.
setInterval(() => undefined, 1000);
