/**
 * What it costs to share a map with a copy and to drop the copy, and to compare two copies, against
 * the number of extents in the map: Blockspace beside reflinks of XFS and btrfs and subvolumes of
 * btrfs, all of which keep the same extents.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { GiB, type Host } from "blockspace";
import type { Bench } from "../bench.ts";
import type { CleanUp } from "../clean-up.ts";
import { progress } from "../progress.ts";
import { randomFrom } from "../random.ts";
import type { Findings, Measured } from "../result.ts";
import { inTurn } from "../turns.ts";
import { blockSizeFor, makeFragmented } from "./fragmented-store.ts";
import {
  type AtSize,
  BTRFS,
  CHANGED,
  growthCharts,
  growthRows,
  SUBVOLUME,
  XFS,
} from "./growth-report.ts";
import { mountFresh } from "./loop-file-system.ts";
import { measureMap } from "./map-sizes.ts";
import { measureMemory } from "./memory.ts";
import {
  blockspaceSharer,
  reflinkSharer,
  type Sharer,
  subvolumeSharer,
  timedWait,
} from "./sharer.ts";

const TURN_MS = 100;
const MOST_COPIES = 50;

type PeerPlace = { path: string } | { missing: string };

export async function measureGrowth(bench: Bench): Promise<Findings> {
  return bench.cleanUp.within(async (cleanUp) => {
    const directory = await cleanUp.directory(bench.directory, "growth-");
    const xfs = await mountFresh(cleanUp, directory, "xfs", 32 * GiB);
    const btrfs = await mountFresh(cleanUp, directory, "btrfs", 32 * GiB);
    const sizes: AtSize[] = [];
    for (const extents of bench.scale.size.extents) {
      sizes.push(
        await cleanUp.within((inner) => measureAt(bench, inner, directory, extents, xfs, btrfs)),
      );
    }
    return { rows: growthRows(sizes), charts: growthCharts(sizes) };
  });
}

function sharers(bench: Bench, host: Host, extents: number, xfs: PeerPlace, btrfs: PeerPlace) {
  const all: Sharer[] = [
    blockspaceSharer(host, "blockspace snapshot", "snapshot", true),
    blockspaceSharer(host, "blockspace snapshot, return", "snapshot", false),
    blockspaceSharer(host, "blockspace clone", "clone", true),
  ];
  const peers = [
    [XFS, xfs, reflinkSharer],
    [BTRFS, btrfs, reflinkSharer],
    [SUBVOLUME, btrfs, subvolumeSharer],
  ] as const;
  for (const [name, place, make] of peers) {
    if ("missing" in place) all.push(absent(name, place.missing));
    else if (extents > bench.scale.size.mostPeerExtents) {
      all.push(absent(name, `not measured above ${bench.scale.size.mostPeerExtents} extents`));
    } else {
      progress(`size: ${extents} extents for ${name}`);
      all.push(make(name, place.path, extents));
    }
  }
  return all;
}

function absent(name: string, missing: string): Sharer {
  const never = (): never => {
    throw new Error(missing);
  };
  return { name, missing, take: never, drop: never };
}

async function measureAt(
  bench: Bench,
  cleanUp: CleanUp,
  directory: string,
  extents: number,
  xfs: PeerPlace,
  btrfs: PeerPlace,
): Promise<AtSize> {
  const { rounds } = bench.scale;
  const path = join(directory, `store-${extents}`);
  await cleanUp.add(() => rm(path, { recursive: true, force: true }));
  progress(`size: ${extents} extents for blockspace`);
  const host = await makeFragmented(path, extents);
  try {
    const all = sharers(bench, host, extents, xfs, btrfs);
    const options = { rounds, title: `size, snapshots of ${extents} extents`, place: directory };
    const dropped = new Map<Sharer, number[]>(all.map((sharer) => [sharer, []]));
    const take = await inTurn(all, options, async (sharer, round) => {
      const copies = await takeAndDrop(sharer, round);
      dropped.get(sharer)!.push(copies.drop);
      return copies.take;
    });
    const drop = take.map((measured, i) => ({ ...measured, samples: dropped.get(all[i]!)! }));
    const diff = await measureDiff(host, extents, rounds);
    // Both environments hold the same state then.
    for (let i = 0; i < 2; i++) await host.checkpoint();
    await host.close();
    const map = await measureMap(path, extents);
    const memory = await measureMemory(cleanUp, path, extents);
    return { extents, take, drop, diff, map, memory };
  } finally {
    await host.close();
  }
}

/**
 * One turn: copies until they have taken so long together, and no more than so many, then all of
 * them dropped. Returns the mean of each. One copy alone would tell what the disk still had to do
 * for whoever had the turn before.
 */
async function takeAndDrop(sharer: Sharer, round: number): Promise<{ take: number; drop: number }> {
  let [copies, taken, dropped] = [0, 0, 0];
  const first = round * MOST_COPIES;
  while (taken < TURN_MS && copies < MOST_COPIES) taken += await sharer.take(first + copies++);
  for (let i = 0; i < copies; i++) dropped += await sharer.drop(first + i);
  return { take: taken / copies, drop: dropped / copies };
}

/** Changes a few blocks between two snapshots, and asks what differs. */
async function measureDiff(host: Host, extents: number, rounds: number): Promise<Measured> {
  const random = randomFrom(extents);
  const block = blockSizeFor(extents);
  const disk = host.get("disk");
  await host.snapshot("disk", "before");
  const bytes = Buffer.alloc(block, "y");
  for (let i = 0; i < CHANGED; i++) await disk.write(2 * random(extents) * block, bytes);
  await host.snapshot("disk", "after");
  const samples: number[] = [];
  for (let round = 0; round < rounds; round++) {
    samples.push(await timedWait(async () => Array.from(host.diff("before", "after"))));
  }
  for (const name of ["before", "after"]) await host.delete(name);
  return { subject: "blockspace", samples };
}
