/**
 * What the journal still says beyond the chain that replay follows: sound frames behind damage, and
 * blocks in frames that no checkpoint needs any more. Nothing here is replayed; it tells what a
 * repair loses, and brings single blocks back whose checksums vouch for them.
 */
import { crc32 } from "../base/checksum.ts";
import { isBlockspaceError } from "../base/errors.ts";
import type { Directory } from "../device/device.ts";
import { carriedBlocks, type Commit, decodeFrame } from "../format/journal-frame.ts";
import type { JournalFile, JournalIdentity } from "../journal/files.ts";
import { findFrame, SearchBudget } from "../journal/frame-reader.ts";
import type { JournalBatch } from "../journal/reader.ts";

export interface JournalPlace {
  directory: Directory;
  files: readonly JournalFile[];
  identity: JournalIdentity;
}

/** A sound frame, wherever it stands. */
export interface FoundFrame extends JournalBatch {
  lastLsn: number;
}

/** Every sound frame of the journal's files that makes sense, in no order, as far as one looks. */
async function* allFrames(place: JournalPlace): AsyncGenerator<FoundFrame> {
  const { identity, directory } = place;
  const budget = new SearchBudget();
  for (const { name } of place.files) {
    const device = await directory.open(name, "read");
    try {
      let from = 0;
      for (;;) {
        const start = from;
        const found = await orNothing(() => findFrame(device, start, identity, () => true, budget));
        if (!found) break;
        const { header, bytes } = found.frame;
        const length = Math.ceil(header.length / identity.alignment) * identity.alignment;
        from = found.position + length;
        const decoded = await orNothing(() => decodeFrame(header, bytes));
        const lastLsn = header.firstLsn + header.commits - 1;
        if (decoded) yield { ...decoded, header, lastLsn };
      }
    } finally {
      await device.close();
    }
  }
}

/**
 * What `look` finds. Where a search is given up, or contents make no sense, that is nothing; the
 * check has told of the reason.
 */
async function orNothing<T>(look: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (isBlockspaceError(error, "ECORRUPT")) return undefined;
    throw error;
  }
}

/** The checksum of the frame that ends with a commit; 0 when there is none. */
export async function checksumAt(place: JournalPlace, lsn: number): Promise<number> {
  for await (const frame of allFrames(place))
    if (frame.lastLsn === lsn) return frame.header.checksum;
  return 0;
}

/**
 * The frames that follow a commit, each naming the checksum of the one before it, wherever they
 * stand: the chain that the headers of damaged files no longer lead to.
 */
export async function* chainBehind(
  place: JournalPlace,
  start: { lsn: number; checksum: number },
): AsyncGenerator<JournalBatch> {
  const frames = new Map<string, FoundFrame>();
  for await (const frame of allFrames(place)) {
    const { firstLsn, previous } = frame.header;
    if (firstLsn > start.lsn) frames.set(`${firstLsn} ${previous}`, frame);
  }
  let { lsn, checksum } = start;
  for (;;) {
    const next = frames.get(`${lsn + 1} ${checksum}`);
    if (!next) return;
    yield next;
    lsn = next.lastLsn;
    ({ checksum } = next.header);
  }
}

/** Every commit behind `lsn` in the order of LSNs, each once, gaps and all. */
export async function commitsBehind(place: JournalPlace, lsn: number): Promise<Commit[]> {
  const commits = new Map<number, Commit>();
  for await (const frame of allFrames(place)) {
    for (const commit of frame.commits) if (commit.lsn > lsn) commits.set(commit.lsn, commit);
  }
  return [...commits.values()].toSorted((a, b) => a.lsn - b.lsn);
}

/** Those of the wanted blocks that some frame carries with the wanted checksum. */
export async function blocksInJournal(
  place: JournalPlace,
  wanted: ReadonlyMap<number, number>,
  blockSize: number,
): Promise<Map<number, Uint8Array>> {
  const found = new Map<number, Uint8Array>();
  if (wanted.size === 0) return found;
  for await (const frame of allFrames(place)) {
    const carried = (await orNothing(() => carriedBlocks(frame, blockSize))) ?? [];
    for (const { pblock, data } of carried) {
      if (wanted.get(pblock) === crc32(data)) found.set(pblock, Uint8Array.from(data));
    }
  }
  return found;
}
