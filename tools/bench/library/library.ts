/**
 * The part `library`: Blockspace in process beside lmdb, better-sqlite3 and a plain file, each in a
 * process of its own with the same pages, the same places and the same memory for its cache.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { MiB } from "blockspace";
import type { Bench } from "../bench.ts";
import type { CleanUp } from "../clean-up.ts";
import { progress } from "../progress.ts";
import type { Facts, Findings, Row } from "../result.ts";
import { ratiosOf } from "../summary.ts";
import { inTurn, rest, type Subject, wake } from "../turns.ts";
import type { PageLoadName } from "./page-loads.ts";
import { PAGE } from "./page-store.ts";
import { PageSubject } from "./page-subject.ts";

const CACHE: number = 128 * MiB;
const SUBJECTS = ["blockspace", "lmdb", "better-sqlite3", "file"] as const;
const PRECONDITIONING_BATCH = 1024;
/** Blockspace once more, with each batch all or nothing, as it is in lmdb and SQLite. */
const ATOMIC = "blockspace, transact";

interface LibraryLoad {
  title: string;
  unit: string;
  load: PageLoadName;
  atomic?: PageLoadName;
  /** Opened anew, with nothing in the page cache. */
  cold?: boolean;
  targets: Readonly<Record<string, number>>;
}

/** The plain file has no target: what it writes may be torn, and what it reads is not checked. */
const FIRST = { lmdb: 1, "better-sqlite3": 1 } as const;

function batches(batch: 1 | 32 | 1024): LibraryLoad {
  return {
    title: `4 KiB random writes, durable batches of ${batch}`,
    unit: "/s",
    load: `write ${batch}`,
    atomic: `transact ${batch}`,
    targets: FIRST,
  };
}

const loads: readonly LibraryLoad[] = [
  batches(1),
  batches(32),
  batches(1024),
  { title: "mixed, 70 reads for 30 writes", unit: "/s", load: "mixed", targets: FIRST },
  {
    title: "1 MiB sequential writes, each durable",
    unit: "MiB/s",
    load: "write runs 1",
    targets: FIRST,
  },
  {
    title: "1 MiB sequential writes, durable each 16",
    unit: "MiB/s",
    load: "write runs 16",
    targets: FIRST,
  },
  { title: "1 MiB sequential reads, hot", unit: "MiB/s", load: "read runs", targets: {} },
  { title: "4 KiB random reads, hot", unit: "/s", load: "read 1", targets: { lmdb: 0.5 } },
  {
    title: "4 KiB random reads, hot, 32 at once",
    unit: "/s",
    load: "read 32",
    targets: { lmdb: 0.5 },
  },
  { title: "4 KiB random reads, cold", unit: "/s", load: "read 1", cold: true, targets: {} },
  {
    title: "4 KiB random reads, cold, 32 at once",
    unit: "/s",
    load: "read 32",
    cold: true,
    targets: {},
  },
];

type Running = PageSubject | (Subject & { missing: string });

export async function benchLibrary(bench: Bench): Promise<Findings> {
  return bench.cleanUp.within(async (cleanUp) => {
    const directory = await cleanUp.directory(bench.directory, "library-");
    const pages = bench.scale.library.workingSet / PAGE;
    const facts: Facts = {};
    const subjects: Running[] = [];
    for (const name of SUBJECTS) {
      const subject = await start(cleanUp, name, directory, pages, facts);
      subjects.push(subject);
      if (subject instanceof PageSubject) await precondition(subject, bench);
      rest([subject]);
    }
    const rows: Row[] = [];
    for (const load of loads) rows.push(await measureLoad(bench, subjects, load, directory));
    wake(subjects);
    for (const subject of subjects) {
      if (subject instanceof PageSubject) await subject.tell({ order: "close" });
    }
    return { rows, charts: [], facts };
  });
}

/** A subject with an empty store; or why there is none. */
async function start(
  cleanUp: CleanUp,
  name: string,
  parent: string,
  pages: number,
  facts: Facts,
): Promise<Running> {
  const directory = join(parent, name);
  await mkdir(directory);
  const subject = await PageSubject.start(cleanUp, name, directory, { pages, cacheSize: CACHE });
  try {
    const { version } = await subject.tell({ order: "open" });
    facts[`library ${name}`] = version!;
  } catch (error) {
    const missing = error instanceof Error ? error.message : String(error);
    return { name, missing };
  }
  return subject;
}

/** Writes every page, and then at random until the store is as it will stay. */
async function precondition(subject: PageSubject, { scale }: Bench): Promise<void> {
  progress(`library: filling ${subject.name}`);
  await subject.tell({ order: "fill" });
  progress(`library: overwriting ${subject.name} at random`);
  const bytes = scale.preconditioning * scale.library.workingSet;
  await subject.tell({ order: "write", batch: PRECONDITIONING_BATCH, bytes });
}

/** One subject at one load: the same process may stand for two subjects. */
interface Entrant extends Subject {
  readonly process?: PageSubject;
  readonly load: PageLoadName;
}

function entrants(subjects: readonly Running[], { load, atomic }: LibraryLoad): Entrant[] {
  const all = subjects.map((subject) =>
    subject instanceof PageSubject
      ? { name: subject.name, pids: subject.pids, process: subject, load }
      : { name: subject.name, missing: subject.missing, load },
  );
  const [first] = all;
  if (first && atomic) all.splice(1, 0, { ...first, name: ATOMIC, load: atomic });
  return all;
}

async function measureLoad(
  bench: Bench,
  subjects: readonly Running[],
  load: LibraryLoad,
  place: string,
): Promise<Row> {
  const { title, unit, cold = false, targets } = load;
  const all = cold && !canDropCaches() ? withoutCold(subjects, load) : entrants(subjects, load);
  const turns = { rounds: bench.scale.rounds, title: `library, ${title}`, place };
  const measured = await inTurn(all, turns, async (entrant, round) => {
    const subject = entrant.process!;
    if (cold) await makeCold(subject);
    else if (load.load.startsWith("read")) await subject.tell({ order: "warm" });
    const { durationMs } = bench.scale.library;
    const run = { order: "run" as const, load: entrant.load, durationMs, seed: round + 1 };
    return (await subject.tell(run)).perSecond!;
  });
  const ratios = ratiosOf(measured, "more", targets);
  return { part: "library", load: title, unit, better: "more", measured, ratios };
}

function canDropCaches(): boolean {
  return process.getuid?.() === 0;
}

function withoutCold(subjects: readonly Running[], load: LibraryLoad): Entrant[] {
  const missing = "not measured: dropping the page cache needs root";
  return entrants(subjects, load).map(({ name }) => ({ name, missing, load: load.load }));
}

/** Closes it first: pages that a process has mapped stay in the cache. */
async function makeCold(subject: PageSubject): Promise<void> {
  await subject.tell({ order: "close" });
  await writeFile("/proc/sys/vm/drop_caches", "3");
  await subject.tell({ order: "open" });
}
