/**
 * The loads on a store of pages, as they run inside a subject's process. Each goes on for a given
 * time and returns what it got done in a second. Every page carries its number, and every read is
 * held against it.
 */
import { randomBytes } from "node:crypto";
import { randomFrom } from "../random.ts";
import { PAGE, type PageStore, type Reading, RUN } from "./page-store.ts";

export interface LoadRun {
  pages: number;
  durationMs: number;
  seed: number;
}

type PageLoad = (store: PageStore, run: LoadRun) => Promise<number>;

const MOST_PAGES = 4096;
const noise = randomBytes(MOST_PAGES * PAGE);
const contents = Array.from({ length: MOST_PAGES }, (_, i) =>
  noise.subarray(i * PAGE, (i + 1) * PAGE),
);

/** Contents for these pages, each marked with its number. */
function contentsOf(pages: readonly number[]): Uint8Array[] {
  return pages.map((page, i) => {
    contents[i]!.writeUInt32LE(page);
    return contents[i]!;
  });
}

function check(bytes: Uint8Array | undefined, page: number): void {
  if (!bytes || bytes.length < PAGE) throw new Error(`page ${page} is not there`);
  const found = bytes[0]! + bytes[1]! * 2 ** 8 + bytes[2]! * 2 ** 16 + bytes[3]! * 2 ** 24;
  if (found !== page) throw new Error(`page ${page} reads as page ${found}`);
}

/** Awaits only what is to be waited for: a wait costs more than some reads. */
async function checkReading(reading: Reading, page: number): Promise<void> {
  check(reading instanceof Promise ? await reading : reading, page);
}

/** Repeats steps until the time is over; each says how much it did. */
async function during(durationMs: number, step: () => number | Promise<number>): Promise<number> {
  const began = performance.now();
  let done = 0;
  let now = began;
  while (now - began < durationMs) {
    const some = step();
    done += some instanceof Promise ? await some : some;
    now = performance.now();
  }
  return (done * 1000) / (now - began);
}

function writes(batch: number, atomically: boolean): PageLoad {
  return async (store, { pages, durationMs, seed }) => {
    const random = randomFrom(seed);
    return during(durationMs, async () => {
      const chosen = Array.from({ length: batch }, () => random(pages));
      const bytes = contentsOf(chosen);
      await (atomically && store.writeAtomically
        ? store.writeAtomically(chosen, bytes)
        : store.write(chosen, bytes));
      return batch;
    });
  };
}

/** Reads of this many pages at a time, where the subject can; the others read one by one. */
function reads(atOnce: number): PageLoad {
  return async (store, { pages, durationMs, seed }) => {
    const random = randomFrom(seed);
    return during(durationMs, () => {
      const waits: Promise<void>[] = [];
      for (let i = 0; i < atOnce; i++) {
        const page = random(pages);
        const reading = store.read(page);
        if (reading instanceof Promise) waits.push(checkReading(reading, page));
        else check(reading, page);
      }
      return waits.length === 0 ? atOnce : Promise.all(waits).then(() => atOnce);
    });
  };
}

function writesInRuns(runsInBatch: number): PageLoad {
  const spans = Array.from({ length: runsInBatch }, (_, i) =>
    noise.subarray(i * RUN * PAGE, (i + 1) * RUN * PAGE),
  );
  return async (store, { pages, durationMs, seed }) => {
    let at = randomFrom(seed)(Math.floor(pages / RUN)) * RUN;
    return during(durationMs, async () => {
      if (at + runsInBatch * RUN > pages) at = 0;
      contentsOf(Array.from({ length: runsInBatch * RUN }, (_, i) => at + i));
      await store.writeRuns(at, spans);
      at += runsInBatch * RUN;
      return runsInBatch;
    });
  };
}

const readsInRuns: PageLoad = async (store, { pages, durationMs, seed }) => {
  let at = randomFrom(seed)(Math.floor(pages / RUN)) * RUN;
  return during(durationMs, async () => {
    if (at + RUN > pages) at = 0;
    await checkReading(store.readRun(at), at);
    at += RUN;
    return 1;
  });
};

/** 75 reads for 32 writes, which are a durable batch: 70 to 30. */
const mixed: PageLoad = async (store, { pages, durationMs, seed }) => {
  const random = randomFrom(seed);
  return during(durationMs, async () => {
    for (let i = 0; i < 75; i++) {
      const page = random(pages);
      await checkReading(store.read(page), page);
    }
    const chosen = Array.from({ length: 32 }, () => random(pages));
    await store.write(chosen, contentsOf(chosen));
    return 75 + 32;
  });
};

type Batch = 1 | 32 | 1024;

export type PageLoadName =
  | `${"write" | "transact"} ${Batch}`
  | `read ${1 | 32}`
  | `write runs ${1 | 16}`
  | "read runs"
  | "mixed";

export const pageLoads: Readonly<Record<PageLoadName, PageLoad>> = {
  "write 1": writes(1, false),
  "write 32": writes(32, false),
  "write 1024": writes(1024, false),
  "transact 1": writes(1, true),
  "transact 32": writes(32, true),
  "transact 1024": writes(1024, true),
  "read 1": reads(1),
  "read 32": reads(32),
  "write runs 1": writesInRuns(1),
  "write runs 16": writesInRuns(16),
  "read runs": readsInRuns,
  mixed,
};

/** Writes every page once. */
export async function fillPages(store: PageStore, pages: number): Promise<void> {
  for (let at = 0; at < pages; at += MOST_PAGES) {
    const count = Math.min(MOST_PAGES, pages - at);
    contentsOf(Array.from({ length: count }, (_, i) => at + i));
    const runs = Array.from({ length: count / RUN }, (_, i) =>
      noise.subarray(i * RUN * PAGE, (i + 1) * RUN * PAGE),
    );
    await store.writeRuns(at, runs);
  }
}

/** Writes so many bytes to pages at random, in durable batches. */
export async function writeScattered(
  store: PageStore,
  pages: number,
  { batch, bytes }: { batch: number; bytes: number },
): Promise<void> {
  const random = randomFrom(batch);
  for (let done = 0; done < bytes; done += batch * PAGE) {
    const chosen = Array.from({ length: batch }, () => random(pages));
    await store.write(chosen, contentsOf(chosen));
  }
}

/** Reads every page once, so that whatever can be in memory is. */
export async function warmPages(store: PageStore, pages: number): Promise<void> {
  for (let at = 0; at < pages; at += RUN) await checkReading(store.readRun(at), at);
}
