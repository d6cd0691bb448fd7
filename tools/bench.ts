/**
 * The benchmark: Blockspace beside what people would use instead, in the same minutes on the same
 * machine. Prints one table, writes one JSON file with the facts of the machine, and draws charts.
 * `docs/performance.md` explains each figure.
 *
 *     npm run bench                      everything; half an hour
 *     npm run bench -- --quick           a look in under two minutes
 *     npm run bench -- --only nbd        one part: nbd, library or size
 */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Bench } from "./bench/bench.ts";
import { CleanUp } from "./bench/clean-up.ts";
import { machineFacts } from "./bench/facts.ts";
import { benchNbd } from "./bench/nbd/nbd.ts";
import { type BenchOptions, parseOptions, type Part, usage } from "./bench/options.ts";
import { benchLibrary } from "./bench/library/library.ts";
import { benchSize } from "./bench/size/size.ts";
import { endProgress } from "./bench/progress.ts";
import { drawCharts } from "./bench/report/charts.ts";
import { formatTable } from "./bench/report/table.ts";
import type { Findings } from "./bench/result.ts";

const benches: Readonly<Record<Part, (bench: Bench) => Promise<Findings>>> = {
  nbd: benchNbd,
  library: benchLibrary,
  size: benchSize,
};

async function measure(options: BenchOptions, cleanUp: CleanUp): Promise<void> {
  await mkdir(options.directory, { recursive: true });
  const directory = await cleanUp.directory(options.directory, "blockspace-bench-");
  const facts = await machineFacts(directory);
  const found: Findings = { rows: [], charts: [] };
  const began = performance.now();
  for (const part of options.only) {
    const {
      rows,
      charts,
      facts: more,
    } = await benches[part]({ scale: options.scale, directory, cleanUp });
    found.rows.push(...rows);
    found.charts.push(...charts);
    Object.assign(facts, more);
  }
  endProgress();
  console.log(formatTable(found));
  const seconds = Math.round((performance.now() - began) / 1000);
  await mkdir(dirname(options.json), { recursive: true });
  const results = { facts: { ...facts, seconds }, scale: options.scale, ...found };
  await writeFile(options.json, `${JSON.stringify(results, null, 2)}\n`);
  const drawn = await drawCharts(dirname(options.json), found);
  console.log(`In ${seconds} s; ${options.json}, and beside it ${drawn.join(", ")}`);
}

let interrupted = false;

function exitAfter(cleanUp: CleanUp, code: number): void {
  const end = (): never => process.exit(code);
  interrupted = true;
  endProgress();
  console.error("interrupted: cleaning up");
  cleanUp.run().then(end, end);
}

async function main(options: BenchOptions): Promise<void> {
  const cleanUp = new CleanUp();
  // Nothing is left mounted, running or lying about.
  process.once("SIGINT", () => exitAfter(cleanUp, 130));
  process.once("SIGTERM", () => exitAfter(cleanUp, 143));
  try {
    await measure(options, cleanUp);
  } catch (error) {
    // What is killed by the clean-up fails; that is no news.
    if (!interrupted) throw error;
  } finally {
    await cleanUp.run();
  }
}

/** What was asked for; `undefined` when that cannot be understood, and has been said. */
function readOptions(): BenchOptions | "help" | undefined {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
    process.exitCode = 2;
    return undefined;
  }
}

const options = readOptions();
if (options === "help") console.log(usage);
else if (options) await main(options);
