/**
 * How long opening takes after a crash: a process fills the journal's tail and is killed, another
 * opens the store with nothing of it in the page cache (where we may drop that), and is killed as
 * well, so that the next one finds the same tail.
 */
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { formatSize, MiB, type Recovery } from "blockspace";
import type { Bench } from "../bench.ts";
import type { CleanUp } from "../clean-up.ts";
import { progress } from "../progress.ts";
import type { Chart, Curve, Findings, Row } from "../result.ts";
import { spread } from "../summary.ts";
import { answerOf } from "./answering-process.ts";

/** Files of the journal are counted, of which the first and the last are not full. */
const FILES: number = 8 * MiB;
const LIMIT_MS = 1000;

interface Opening {
  milliseconds: number;
  recovery: Recovery;
}

/** What the tail is made of: batches with their data, or as many remap records as there can be. */
const tails = [
  { name: "data and records", batch: 8, worst: false },
  { name: "records alone", batch: 1024, worst: true },
] as const;

export async function measureOpening(bench: Bench): Promise<Findings> {
  const rows: Row[] = [];
  const curves: Curve[] = tails.map(({ name }) => ({ subject: `tail of ${name}`, points: [] }));
  const { virtualSizes, worstTail } = bench.scale.size;
  for (const size of virtualSizes) {
    for (const [i, { name, batch, worst }] of tails.entries()) {
      if (worst && !(worstTail && size === virtualSizes.at(-1))) continue;
      progress(`size: opening after a crash, ${formatSize(size)} virtual, ${name}`);
      const openings = await bench.cleanUp.within((cleanUp) =>
        openAfterCrash(bench, cleanUp, size, batch),
      );
      const samples = openings.map(({ milliseconds }) => milliseconds);
      const { bytes, records } = openings[0]!.recovery;
      curves[i]!.points.push({ size, ...spread(samples) });
      rows.push({
        part: "size",
        load: `opening after a crash, ${formatSize(size)} virtual`,
        unit: "ms",
        better: "less",
        measured: [{ subject: `${formatSize(bytes)}, ${records} records`, samples }],
        ratios: [],
        limit: LIMIT_MS,
      });
    }
  }
  const chart: Chart = {
    name: "open",
    title: `Opening after a crash, ${formatSize(bench.scale.size.tail)} of journal`,
    sizeLabel: "virtual size",
    sizeUnit: "bytes",
    costUnit: "ms",
    curves: curves.filter(({ points }) => points.length > 0),
  };
  return { rows, charts: [chart] };
}

async function openAfterCrash(
  bench: Bench,
  cleanUp: CleanUp,
  size: number,
  batch: number,
): Promise<Opening[]> {
  const store = join(bench.directory, "crashed");
  await cleanUp.add(() => rm(store, { recursive: true, force: true }));
  await answerOf(cleanUp, "./crash-process.ts", [
    store,
    size,
    bench.scale.size.tail + FILES,
    batch,
  ]);
  const openings: Opening[] = [];
  for (let round = 0; round < bench.scale.rounds; round++) {
    if (process.getuid?.() === 0) await writeFile("/proc/sys/vm/drop_caches", "3");
    openings.push(await answerOf<Opening>(cleanUp, "./open-process.ts", [store]));
  }
  return openings;
}
