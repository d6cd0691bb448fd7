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
import type { Chart, Curve, Findings, Measured, Row } from "../result.ts";
import { ratiosOf, spread } from "../summary.ts";
import { inTurn } from "../turns.ts";
import { blockSizeFor, makeFragmented } from "./fragmented-store.ts";
import { mountFresh } from "./loop-file-system.ts";
import { measureMap, type MapSizes } from "./map-sizes.ts";
import { MEMORY_LIMIT, measureMemory } from "./memory.ts";
import {
  blockspaceSharer,
  reflinkSharer,
  type Sharer,
  subvolumeSharer,
  timedWait,
} from "./sharer.ts";

const XFS = "XFS reflink";
const BTRFS = "btrfs reflink";
const SUBVOLUME = "btrfs subvolume";
const CHANGED = 100;
/** The size at which the targets are held. */
const TARGET_EXTENTS = 1e5;

/** All figures of one size. */
interface AtSize {
  extents: number;
  take: Measured[];
  drop: Measured[];
  diff: Measured;
  map: MapSizes;
  /** MiB. */
  memory: number;
}

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
    return { rows: rowsOf(sizes), charts: chartsOf(sizes) };
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
      const cost = await sharer.take(round);
      dropped.get(sharer)!.push(await sharer.drop(round));
      return cost;
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

function named(measured: readonly Measured[], ...names: string[]): Measured[] {
  return names.flatMap((name) => measured.filter(({ subject }) => subject === name));
}

const taken = ["blockspace snapshot", "blockspace clone", XFS, BTRFS, SUBVOLUME];

function rowsOf(sizes: readonly AtSize[]): Row[] {
  const rows: Row[] = [];
  const held = sizes.find(({ extents }) => extents === TARGET_EXTENTS) ?? sizes.at(-1)!;
  const part = "size";
  for (const [load, all] of [["snapshot, durable", held.take] as const]) {
    const measured = named(all, ...taken);
    const targets = { [XFS]: 1000 };
    const ratios = ratiosOf(measured, "less", targets);
    const title = `${load}, ${held.extents} extents`;
    rows.push({ part, load: title, unit: "ms", better: "less", measured, ratios });
  }
  for (const { extents, map, memory } of sizes) {
    const row = { part, better: "less" as const, ratios: [] };
    const each = (load: string, unit: string, samples: number[], limit: number): Row => ({
      ...row,
      load: `${load}, ${extents} extents`,
      unit,
      measured: [{ subject: "blockspace", samples }],
      limit,
    });
    rows.push(each("map on disk, each environment", "B/extent", map.mapBytes, 24));
    rows.push(each("segment records, each environment", "B/block", map.segmentBytes, 16));
    rows.push(each("memory above that of an empty store", "MiB", [memory], MEMORY_LIMIT));
  }
  return rows;
}

function chartsOf(sizes: readonly AtSize[]): Chart[] {
  const curves = (pick: (size: AtSize) => Measured[]): Curve[] => {
    const names = pick(sizes[0]!).map(({ subject }) => subject);
    return names.map((subject) => curveOf(subject, sizes, pick));
  };
  const chart = (name: string, title: string, pick: (size: AtSize) => Measured[]): Chart => ({
    name,
    title,
    sizeLabel: "extents",
    costLabel: "ms",
    curves: curves(pick),
  });
  const peers = [XFS, BTRFS, SUBVOLUME];
  return [
    chart("snapshot", "Snapshot, durable", ({ take }) =>
      named(take, "blockspace snapshot", "blockspace snapshot, return", ...peers),
    ),
    chart("clone", "Clone, durable", ({ take }) => named(take, "blockspace clone", ...peers)),
    chart("delete", "Delete, return", ({ drop }) =>
      named(drop, "blockspace snapshot, return", "blockspace clone", ...peers),
    ),
    chart("diff", `Comparing two snapshots, ${CHANGED} blocks changed`, ({ diff }) => [diff]),
  ];
}

function curveOf(
  subject: string,
  sizes: readonly AtSize[],
  pick: (size: AtSize) => Measured[],
): Curve {
  const points: Curve["points"] = [];
  let missing: string | undefined;
  for (const size of sizes) {
    const measured = pick(size).find((one) => one.subject === subject)!;
    if (measured.missing === undefined) {
      points.push({ size: size.extents, ...spread(measured.samples) });
    } else missing = measured.missing;
  }
  return { subject, points, ...(missing === undefined ? {} : { missing }) };
}
