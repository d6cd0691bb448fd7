/**
 * Phase 2: the journal as it stands, before anybody asks where a checkpoint needs it to begin:
 * which files there are, whether they can be read, and in which order they were used. Whether its
 * frames are sound, and what is missing was needed, is found when it is replayed.
 */
import type { Directory } from "../device/device.ts";
import { isForbidden } from "../device/medium-error.ts";
import {
  isJournalFileName,
  type JournalFile,
  type JournalIdentity,
  listJournalFiles,
} from "../journal/files.ts";
import { reasonOf, type Report } from "./findings.ts";
import { JOURNAL } from "./store-parts.ts";

/** What is read of a file to see whether it can be read at all. */
const HEAD_BYTES = 512;

export interface JournalSurvey {
  /** The journal without what cannot be read. */
  directory: Directory;
  files: JournalFile[];
}

/** Lists the files of the journal; one that cannot be read is left out. */
export async function checkJournal(
  directory: Directory,
  identity: JournalIdentity,
  report: Report,
): Promise<JournalSurvey> {
  const readable = await unreadableLeftOut(directory, report);
  const files = await listJournalFiles(readable, identity);
  if (files.length === 0) report("J002", "the journal has no file", { file: JOURNAL });
  const sequences = new Map<number, string>();
  for (const { name, header } of files) {
    if (!header) continue;
    const holder = sequences.get(header.sequence);
    if (holder !== undefined) {
      const what = `${holder} and ${name} both have the sequence ${header.sequence}`;
      report("J001", what, { file: `${JOURNAL}/${name}`, offset: 0 });
    }
    sequences.set(header.sequence, name);
  }
  return { directory: readable, files };
}

/** The directory without the names that are no readable files. */
async function unreadableLeftOut(directory: Directory, report: Report): Promise<Directory> {
  const good: string[] = [];
  for (const name of await directory.list()) {
    if (!isJournalFileName(name)) continue;
    try {
      const device = await directory.open(name, "read");
      try {
        await device.read(new Uint8Array(Math.min(HEAD_BYTES, device.size)), 0);
      } finally {
        await device.close();
      }
      good.push(name);
    } catch (error) {
      // It may be as sound as can be: a repair would go on without its commits.
      if (isForbidden(error)) throw error;
      const what = `a journal file cannot be read: ${reasonOf(error)}`;
      report("J007", what, { file: `${JOURNAL}/${name}` });
    }
  }
  return {
    path: directory.path,
    list: () => Promise.resolve(good),
    open: (name, mode) => directory.open(name, mode),
    create: (name, options) => directory.create(name, options),
    rename: (from, to) => directory.rename(from, to),
    remove: (name) => directory.remove(name),
    sync: () => directory.sync(),
    directory: (name) => directory.directory(name),
    ensure: () => directory.ensure(),
    lock: (name, mode) => directory.lock(name, mode),
  };
}
