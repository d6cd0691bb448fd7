/**
 * The journal of a store as it stands on disk, for people and programs that want to see what
 * happened: every commit that is still in the files, also those that a checkpoint holds already.
 *
 * Nothing but the superblock and the journal is read, and nothing is written, so it works where a
 * checkpoint is damaged. Files that are kept for later use still hold what was written into them;
 * they count as long as they lead to the newest file without a gap.
 */
import { resolve } from "node:path";
import { show } from "../base/arguments.ts";
import { BlockspaceError } from "../base/errors.ts";
import { FileDirectory } from "../device/file-directory.ts";
import type { Commit, JournalFileHeader } from "../format/journal-frame.ts";
import { type JournalFile, journalIdentityOf, listJournalFiles } from "../journal/files.ts";
import { type JournalEnd, JournalReader, type JournalStart } from "../journal/reader.ts";
import { exists, journalDirectory, lockStore } from "./store.ts";
import { readSuperblock } from "./superblock-slots.ts";

/**
 * Every commit in the journal, oldest first; returns how the journal ended. The store is locked as
 * by any other reader until the end.
 *
 * @throws `ENOENT` no store there; `ELOCKED` somebody writes to it; `ECORRUPT` the journal is
 * damaged, which is found only when reading comes to that place.
 */
export async function* readJournal(path: string): AsyncGenerator<Commit, JournalEnd> {
  if (typeof path !== "string" || path === "") {
    throw new BlockspaceError("EINVAL", `the path is ${show(path)}; allowed is a directory's path`);
  }
  const place = { directory: new FileDirectory(resolve(path)) };
  if (!(await exists(place))) {
    const { path: directory } = place.directory;
    throw new BlockspaceError("ENOENT", `there is no store in ${directory}`, { path: directory });
  }
  const lock = await lockStore(place, true);
  try {
    const identity = journalIdentityOf(await readSuperblock(place.directory));
    const directory = journalDirectory(place);
    const start = oldestStart(await listJournalFiles(directory, identity));
    return yield* commitsOf(new JournalReader(directory, identity, start));
  } finally {
    await lock.release();
  }
}

async function* commitsOf(reader: JournalReader): AsyncGenerator<Commit, JournalEnd> {
  const batches = reader.batches();
  try {
    for (;;) {
      const next = await batches.next();
      if (next.done) return next.value;
      yield* next.value.commits;
    }
  } finally {
    // Closes the file it is in when nobody wants the rest.
    await batches.return(undefined as never);
  }
}

/** The beginning of the oldest file that leads to the newest one without a gap. */
function oldestStart(files: readonly JournalFile[]): JournalStart {
  const headers = files.map(({ header }) => header).filter((header) => header !== undefined);
  let oldest: JournalFileHeader | undefined;
  for (const header of headers.toReversed()) {
    if (oldest && header.sequence !== oldest.sequence - 1) break;
    oldest = header;
  }
  // Without any file the reader says what is wrong.
  return oldest ? { lsn: oldest.firstLsn - 1, checksum: oldest.previous } : { lsn: 0, checksum: 0 };
}
