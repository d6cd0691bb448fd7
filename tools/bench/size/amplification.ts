/**
 * Write amplification: the bytes given to the system to write for each byte that was written at
 * random, in durable batches, everything counted, up to and with the closing of the store. Linux
 * counts them for each process (`wchar`). What the file system adds for itself is the same for all.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { formatSize, MiB } from "blockspace";
import type { Bench } from "../bench.ts";
import { PAGE } from "../library/page-store.ts";
import { PageSubject } from "../library/page-subject.ts";
import { progress } from "../progress.ts";
import type { Findings, Measured, Row } from "../result.ts";
import { ratiosOf } from "../summary.ts";

const SUBJECTS = ["blockspace", "lmdb", "better-sqlite3", "file"] as const;
const LIMIT = 2.5;

export async function measureAmplification(bench: Bench): Promise<Findings> {
  const rows: Row[] = [];
  for (const batch of bench.scale.size.batches) {
    const measured: Measured[] = [];
    const bytes = bench.scale.size.amplified;
    for (const name of SUBJECTS) {
      progress(`size: write amplification of ${name}, batches of ${batch}`);
      measured.push(await amplificationOf(bench, name, batch, bytes));
    }
    rows.push({
      part: "size",
      load: `write amplification, batches of ${batch}, ${formatSize(bytes)}`,
      unit: "",
      better: "less",
      measured,
      ratios: ratiosOf(measured, "less"),
      limit: LIMIT,
    });
  }
  return { rows, charts: [] };
}

async function amplificationOf(
  bench: Bench,
  name: string,
  batch: number,
  bytes: number,
): Promise<Measured> {
  return bench.cleanUp.within(async (cleanUp) => {
    const directory = join(await cleanUp.directory(bench.directory, "written-"), name);
    await mkdir(directory);
    const pages = bench.scale.size.amplified / PAGE;
    const sizes = { pages, cacheSize: 128 * MiB };
    const subject = await PageSubject.start(cleanUp, name, directory, sizes);
    try {
      await subject.tell({ order: "open" });
    } catch (error) {
      const missing = error instanceof Error ? error.message : String(error);
      return { subject: name, samples: [], missing };
    }
    await subject.tell({ order: "fill" });
    // Nothing of the filling is left to be written behind it.
    await subject.tell({ order: "close" });
    const { bytesWritten: before } = await subject.tell({ order: "open" });
    await subject.tell({ order: "write", batch, bytes });
    const { bytesWritten: after } = await subject.tell({ order: "close" });
    return { subject: name, samples: [(after! - before!) / bytes] };
  });
}
