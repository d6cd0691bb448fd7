/**
 * The log of a disk (`programs/fuse-disk.js`), and what the disk may hold after a loss of power:
 * all that was written before the last flush, and of what was written since, any sectors.
 */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { type Random, randomBelow } from "blockspace/testing";

/** The smallest piece that a disk writes whole. */
const SECTOR = 512;
/** How much of a write shares one fate, where it is torn at all. */
const pieces = [SECTOR, 4096, 65_536];

export interface LogEntry {
  kind: "write" | "zeroes" | "flush" | "mark";
  offset: number;
  length: number;
  data: Buffer;
}

const kindNames = [undefined, "write", "zeroes", "flush", "mark"] as const;

export function readDiskLog(path: string): LogEntry[] {
  const all = readFileSync(path);
  const entries: LogEntry[] = [];
  for (let at = 0; at + 24 <= all.length;) {
    const kind = kindNames[all.readUInt32LE(at)];
    if (kind === undefined) throw new Error(`${path} has no entry at ${at}`);
    const bytes = all.readUInt32LE(at + 4);
    entries.push({
      kind,
      offset: Number(all.readBigUInt64LE(at + 8)),
      length: Number(all.readBigUInt64LE(at + 16)),
      data: all.subarray(at + 24, at + 24 + bytes),
    });
    at += 24 + bytes;
  }
  return entries;
}

/** The marks before a place in the log, line by line. */
export function marksUntil(log: readonly LogEntry[], cut: number): string[] {
  const marks = log.slice(0, cut).filter(({ kind }) => kind === "mark");
  return marks
    .map(({ data }) => data.toString())
    .join("")
    .split("\n")
    .slice(0, -1);
}

/** Brings an image that held the durable entries before `from` to those before `to`. */
export function applyDurable(
  image: string,
  log: readonly LogEntry[],
  from: number,
  to: number,
): void {
  writeInto(image, (fd) => {
    for (const entry of log.slice(from, to)) put(fd, entry, 0, entry.length);
  });
}

/** The place behind the last flush before `cut`. */
export function durableAt(log: readonly LogEntry[], cut: number): number {
  return log.findLastIndex(({ kind }, i) => i < cut && kind === "flush") + 1;
}

/**
 * Writes into an image of all that is durable what else has reached the disk: of each write since
 * the last flush all, nothing, or some of its sectors.
 */
export function applyLost(
  image: string,
  log: readonly LogEntry[],
  cut: number,
  random: Random,
): void {
  // From nothing at all to everything but a little.
  const share = [0, 5, 50, 90, 99, 100][randomBelow(random, 6)]!;
  const tornShare = [0, 0, 30, 100][randomBelow(random, 4)]!;
  const piece = pieces[randomBelow(random, pieces.length)]!;
  writeInto(image, (fd) => {
    for (const entry of log.slice(durableAt(log, cut), cut)) {
      if (randomBelow(random, 100) >= tornShare) {
        if (randomBelow(random, 100) < share) put(fd, entry, 0, entry.length);
        continue;
      }
      for (let start = 0; start < entry.length; start += piece) {
        if (randomBelow(random, 100) < share)
          put(fd, entry, start, Math.min(entry.length, start + piece));
      }
    }
  });
}

function writeInto(image: string, work: (fd: number) => void): void {
  const fd = openSync(image, "r+");
  try {
    work(fd);
  } finally {
    closeSync(fd);
  }
}

function put(fd: number, entry: LogEntry, start: number, end: number): void {
  const { kind, offset, data } = entry;
  if (kind === "write") writeSync(fd, data, start, end - start, offset + start);
  if (kind === "zeroes") writeSync(fd, Buffer.alloc(end - start), 0, end - start, offset + start);
}
