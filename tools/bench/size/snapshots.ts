/**
 * What operations cost against the number of snapshots of one subvolume, with a write between each
 * of them, and what a read costs at the end of a long chain of clones.
 */
import { join } from "node:path";
import type { Host, Subvolume } from "blockspace";
import type { Bench } from "../bench.ts";
import { progress } from "../progress.ts";
import { randomFrom } from "../random.ts";
import type { Chart, Curve, Findings, Row } from "../result.ts";
import { ratiosOf, spread } from "../summary.ts";
import { inTurn } from "../turns.ts";
import { makeFragmented } from "./fragmented-store.ts";
import { timedWait } from "./sharer.ts";

const BLOCK = 4096;
const EXTENTS = 10_000;
const DEPTH = 1000;
const READ_MS = 300;
const READS = 500;

export async function measureSnapshots(bench: Bench): Promise<Findings> {
  return bench.cleanUp.within(async (cleanUp) => {
    const directory = await cleanUp.directory(bench.directory, "snapshots-");
    const row = await depthRow(bench, join(directory, "chain"));
    const chart = await snapshotsChart(bench, join(directory, "many"));
    return { rows: [row], charts: [chart] };
  });
}

/** Reads a second at the ends of a chain, in turn. */
async function depthRow(bench: Bench, path: string): Promise<Row> {
  progress(`size: a chain of ${DEPTH} clones`);
  const host = await makeFragmented(path, EXTENTS);
  try {
    const random = randomFrom(DEPTH);
    const bytes = Buffer.alloc(BLOCK, "d");
    let last = "disk";
    for (let depth = 1; depth <= DEPTH; depth++) {
      const clone = await host.clone(last, (last = `clone-${depth}`));
      await clone.write(2 * random(EXTENTS) * BLOCK, bytes);
    }
    await host.checkpoint();
    const subjects = [
      { name: `depth ${DEPTH}`, disk: host.get(last) },
      { name: "depth 1", disk: host.get("clone-1") },
    ];
    for (const { disk } of subjects) await readsPerSecond(disk, 0);
    const title = `random reads at depth ${DEPTH} and 1`;
    const options = { rounds: bench.scale.rounds, title: `size, ${title}`, place: path };
    const measured = await inTurn(subjects, options, ({ disk }, round) =>
      readsPerSecond(disk, round),
    );
    const ratios = ratiosOf(measured, "more", { "depth 1": 0.9 });
    return { part: "size", load: title, unit: "/s", better: "more", measured, ratios };
  } finally {
    await host.close();
  }
}

async function readsPerSecond(disk: Subvolume, seed: number): Promise<number> {
  const random = randomFrom(seed);
  const began = performance.now();
  let done = 0;
  while (performance.now() - began < READ_MS) {
    await disk.read(2 * random(EXTENTS) * BLOCK, BLOCK);
    done++;
  }
  return (done * 1000) / (performance.now() - began);
}

const verbs = ["snapshot, durable", "clone, durable", "delete, return", "4 KiB read"] as const;

async function snapshotsChart(bench: Bench, path: string): Promise<Chart> {
  const host = await makeFragmented(path, EXTENTS);
  const curves: Curve[] = verbs.map((subject) => ({ subject, points: [] }));
  try {
    const disk = host.get("disk");
    const random = randomFrom(1);
    const bytes = Buffer.alloc(BLOCK, "s");
    let made = 0;
    for (const size of bench.scale.size.snapshots) {
      progress(`size: ${size} snapshots`);
      for (; made < size; made++) {
        await host.snapshot("disk", `snapshot-${made}`);
        await disk.write(2 * random(EXTENTS) * BLOCK, bytes);
      }
      await host.flush();
      const samples = await costsNow(host, bench.scale.rounds);
      verbs.forEach((verb, i) => curves[i]!.points.push({ size, ...spread(samples[verb]) }));
    }
  } finally {
    await host.close();
  }
  const title = `Cost beside other snapshots, ${EXTENTS} extents`;
  return { name: "snapshots", title, sizeLabel: "snapshots", sizeUnit: "", costUnit: "ms", curves };
}

async function costsNow(
  host: Host,
  rounds: number,
): Promise<Record<(typeof verbs)[number], number[]>> {
  const costs: Record<(typeof verbs)[number], number[]> = {
    "snapshot, durable": [],
    "clone, durable": [],
    "delete, return": [],
    "4 KiB read": [],
  };
  const random = randomFrom(2);
  const disk = host.get("disk");
  for (let round = 0; round < rounds; round++) {
    for (const verb of ["snapshot", "clone"] as const) {
      const cost = await timedWait(async () => {
        await host[verb]("disk", verb);
        await host.flush();
      });
      costs[`${verb}, durable`].push(cost);
    }
    costs["delete, return"].push(await timedWait(() => host.delete("clone")));
    await host.delete("snapshot");
    do await host.flush();
    while (host.statistics().deadNodes > 0);
    const reads = await timedWait(async () => {
      for (let i = 0; i < READS; i++) await disk.read(2 * random(EXTENTS) * BLOCK, BLOCK);
    });
    costs["4 KiB read"].push(reads / READS);
  }
  return costs;
}
