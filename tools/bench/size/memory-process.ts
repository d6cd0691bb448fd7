/**
 * Reads and writes all over the map of a store, and tells the most memory that was its own at any
 * time: what lmdb maps is the page cache's. Arguments: the store, the number of extents.
 */
import { readFileSync } from "node:fs";
import { argv } from "node:process";
import { Host, KiB } from "blockspace";
import { randomFrom } from "../random.ts";

/** A small map is all in memory soon; a large one takes longer to fill what it may have. */
const SMALL_MAP = 50_000;
const ROUNDS = { small: 300, large: 1200 } as const;
const AT_ONCE = 64;

function ownMemory(): number {
  const status = readFileSync("/proc/self/status", "utf8");
  return Number(/^RssAnon:\s+(\d+) kB/m.exec(status)![1]) * KiB;
}

const host = await Host.open(argv[2]!, { create: true });
const extents = Number(argv[3]);
let peak = ownMemory();
if (extents > 0) {
  const disk = host.get("disk");
  const { blockSize } = host.statistics();
  const random = randomFrom(extents);
  const bytes = Buffer.alloc(blockSize, "m");
  const place = (): number => 2 * random(extents) * blockSize;
  const rounds = extents <= SMALL_MAP ? ROUNDS.small : ROUNDS.large;
  for (let round = 0; round < rounds; round++) {
    const work: Promise<unknown>[] = [];
    for (let i = 0; i < AT_ONCE; i++) {
      work.push(disk.write(place(), bytes), disk.read(place(), blockSize));
    }
    await Promise.all([...work, disk.flush()]);
    peak = Math.max(peak, ownMemory());
  }
}
process.send!({ peak });
// Until it is killed.
setInterval(() => undefined, 1000);
