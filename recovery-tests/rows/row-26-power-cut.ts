/**
 * Row 26: a loss of power under a real file system. A store works on ext4, XFS or btrfs, on a disk
 * that keeps a log of every write and flush (`programs/fuse-disk.js`). From the log come images of
 * the disk as a loss of power leaves it: what was flushed, and any sectors of the rest. Each must
 * mount, and hold a store with a prefix that has all that was acknowledged, which goes on working.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, open, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { ProgramPool, randomBelow, randomFrom } from "blockspace/testing";
import { expectPrefix, programAt } from "../programs/oracle.ts";
import { descriptionsOf, operationsOf } from "../programs/store-workload.js";
import { applyDurable, applyLost, durableAt, marksUntil, readDiskLog } from "../store/disk-log.ts";
import type { LogEntry } from "../store/disk-log.ts";
import { tool, whyNoDisk } from "../store/real-disk.ts";
import type { ProcessRun } from "./process-run.ts";

const MiB = 2 ** 20;
/** As small as their makers take them; each is sparse. */
const kinds = { ext4: 64 * MiB, xfs: 300 * MiB, btrfs: 128 * MiB } as const;
type Kind = keyof typeof kinds;
const OPERATIONS = 120;
/** Cuts of one life of a store. */
const CUTS_OF_A_LIFE = 8;

export async function run(options: { cases: number; seed: number }): Promise<ProcessRun> {
  const result: ProcessRun = { cases: 0, violations: [] };
  const usable = (Object.keys(kinds) as Kind[]).filter((kind) => whyNoDisk(kind) === undefined);
  if (usable.length === 0) return { ...result, skipped: whyNoDisk("ext4")! };
  for (let life = 0; result.cases < options.cases; life++) {
    const kind = usable[life % usable.length]!;
    const scratch = await mkdtemp(join(tmpdir(), "row-26-"));
    const seed = options.seed + life;
    const cuts = Math.min(CUTS_OF_A_LIFE, options.cases - result.cases);
    try {
      const log = await live(kind, seed, scratch);
      await cutOften({ kind, seed, scratch, log, cuts, result });
    } finally {
      await rm(scratch, { recursive: true });
    }
  }
  return result;
}

/** The whole life of a store; what its disk has logged. `durable` is the disk before that. */
async function live(kind: Kind, seed: number, scratch: string): Promise<LogEntry[]> {
  const at = (name: string): string => join(scratch, name);
  await writeFile(at("image"), "");
  await truncate(at("image"), kinds[kind]);
  await tool(`mkfs.${kind}`, "-q", kind === "ext4" ? "-F" : "-f", at("image"));
  await tool("cp", "--sparse=always", at("image"), at("durable"));
  await mkdir(at("fuse"));
  await mkdir(at("mnt"));
  const names = [at("fuse"), at("image"), at("log")];
  const disk = spawn(process.execPath, [programAt("fuse-disk.js"), ...names], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const ended = once(disk, "exit");
  while (!existsSync(at("fuse/disk"))) await setTimeout(20);
  try {
    await tool("mount", "-o", "loop", at("fuse/disk"), at("mnt"));
    try {
      await work(seed, at("mnt"), at("fuse/marks"));
    } finally {
      await tool("umount", at("mnt"));
    }
  } finally {
    await tool("umount", at("fuse"));
    await ended;
  }
  return readDiskLog(at("log"));
}

/** Runs the program; what it says is durable goes into the log of the disk, when it says so. */
async function work(seed: number, directory: string, marks: string): Promise<void> {
  const file = await open(marks, "w");
  const args = [programAt("store-program.js"), seed, 0, OPERATIONS].map(String);
  const child = spawn(process.execPath, args, {
    cwd: directory,
    stdio: ["ignore", file.fd, "inherit"],
  });
  const [code] = (await once(child, "exit")) as [number | null];
  await file.close();
  if (code !== 0) throw new Error(`the program ended with ${code}`);
}

interface Life {
  kind: Kind;
  seed: number;
  scratch: string;
  log: readonly LogEntry[];
  cuts: number;
  result: ProcessRun;
}

async function cutOften({ kind, seed, scratch, log, cuts, result }: Life): Promise<void> {
  const descriptions = descriptionsOf(operationsOf(seed, OPERATIONS));
  const random = randomFrom(seed);
  const marked = log.flatMap(({ kind: entry }, i) => (entry === "mark" ? [i + 1] : []));
  // Right behind an acknowledgement there is most to lose.
  const places = Array.from({ length: cuts }, (_, i) =>
    i % 2 === 0 ? marked[randomBelow(random, marked.length)]! : 1 + randomBelow(random, log.length),
  ).toSorted((a, b) => a - b);
  using pool = new ProgramPool({
    command: process.execPath,
    args: [programAt("store-reader.js")],
    size: 1,
  });
  const [image, mount] = [join(scratch, "cut"), join(scratch, "mnt")];
  let applied = 0;
  for (const [i, cut] of places.entries()) {
    result.cases++;
    const durable = durableAt(log, cut);
    applyDurable(join(scratch, "durable"), log, applied, durable);
    applied = durable;
    await tool("cp", "--sparse=always", join(scratch, "durable"), image);
    applyLost(image, log, cut, random);
    try {
      await tool("mount", "-o", "loop", image, mount);
      try {
        const line = JSON.stringify({ path: join(mount, "store"), long: i % 2 === 0 });
        const answer = await pool.ask(line);
        if ("died" in answer) throw new Error(`the process that opened it died: ${answer.died}`);
        const acknowledged = Number(marksUntil(log, cut).at(-1) ?? 0);
        expectPrefix(JSON.parse(answer.line) as { content: string }, descriptions, acknowledged);
      } finally {
        await tool("umount", mount);
      }
    } catch (error) {
      const what = `${kind}, seed ${seed}, cut ${cut} of ${log.length}`;
      result.violations.push(`${what}: ${String(error)}`);
    }
  }
}
