/** Runs fio against an NBD server and reads the one figure of its report that a load is about. */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { KiB, MiB } from "blockspace";
import { run } from "../../demo/programs.ts";
import type { NbdServer } from "./server.ts";

/** One load; `options` as fio calls them. */
export interface NbdLoad {
  title: string;
  unit: string;
  options: readonly string[];
  /** Against which peer how far ahead Blockspace should be. */
  targets: Readonly<Record<string, number>>;
}

interface Direction {
  iops: number;
  bw_bytes: number;
}

interface Report {
  jobs: { error: number; read: Direction; write: Direction }[];
}

async function fio(
  server: NbdServer,
  directory: string,
  size: number,
  options: readonly string[],
): Promise<Report["jobs"][number]> {
  const output = join(directory, "fio.json");
  const target = ["--name=bench", "--ioengine=nbd", `--uri=${server.uri}`, `--size=${size}`];
  const report = ["--output-format=json", `--output=${output}`];
  await run("fio", [...target, ...report, "--norandommap", ...options]);
  const text = await readFile(output, "utf8");
  await rm(output);
  // A warning may stand before the report.
  const { jobs } = JSON.parse(text.slice(text.indexOf("{"))) as Report;
  const [job] = jobs;
  if (!job || job.error !== 0) throw new Error(`fio on ${server.name}: ${text.slice(0, 2000)}`);
  return job;
}

/** Writes the whole disk once, and makes it durable. */
export async function fill(server: NbdServer, directory: string, size: number): Promise<void> {
  const options = ["--rw=write", `--bs=${128 * KiB}`, "--iodepth=8", "--end_fsync=1"];
  await fio(server, directory, size, options);
}

/** Overwrites it at random, so many bytes in all. */
export async function overwrite(
  server: NbdServer,
  directory: string,
  size: number,
  bytes: number,
): Promise<void> {
  const options = ["--rw=randwrite", "--bs=4k", "--iodepth=32", "--end_fsync=1"];
  await fio(server, directory, size, [...options, `--io_size=${bytes}`]);
}

/** Operations, or bytes where the load counts those, per second. */
export async function measureLoad(
  server: NbdServer,
  directory: string,
  load: NbdLoad,
  { size, durationMs, seed }: { size: number; durationMs: number; seed: number },
): Promise<number> {
  const time = ["--time_based", `--runtime=${durationMs}ms`, `--randseed=${seed}`];
  const job = await fio(server, directory, size, [...load.options, ...time]);
  const direction = job.read.iops > 0 ? job.read : job.write;
  return load.unit === "MiB/s" ? direction.bw_bytes / MiB : direction.iops;
}
