/**
 * Writes the metadata of a store anew: journal, both checkpoints, label and superblock, in the
 * order in which none of it can be taken for a store before all of it is there.
 */
import type { Device, Directory } from "../device/device.ts";
import { encodeFileHeader } from "../format/journal-frame.ts";
import {
  encodeDataLabel,
  storeIdOf,
  type Superblock,
  SUPERBLOCK_SIZE,
} from "../format/superblock.ts";
import { checkpointDirectory, journalDirectory } from "../host/store.ts";
import { writeSlots } from "../host/superblock-slots.ts";
import { isJournalFileName, journalFileName } from "../journal/files.ts";
import type { Image } from "./image.ts";
import type { StoreAccess } from "./store-access.ts";
import { type RESTORING, SUPERBLOCK, type UNFINISHED } from "./store-parts.ts";

/** The state that is written, and what came before it. */
export interface WrittenState {
  image: Image;
  lsn: number;
  checksum: number;
  epoch: number;
  sequence: number;
}

/** Blocks in a new journal file: the host makes its own next to it. */
const JOURNAL_BLOCKS = 4;

/** One journal file, which goes on behind the state's last commit; all others are removed. */
export async function writeJournal(
  directory: Directory,
  superblock: Superblock,
  { lsn, checksum, sequence }: WrittenState,
): Promise<void> {
  await directory.ensure();
  for (const name of await directory.list()) {
    if (isJournalFileName(name)) await directory.remove(name);
  }
  await directory.sync();
  const alignment = superblock.journalAlignment;
  const size = JOURNAL_BLOCKS * alignment;
  const device = await directory.create(journalFileName(1), { size, layout: "preallocated" });
  try {
    await device.flush();
    await directory.sync();
    const header = {
      sequence: sequence + 1,
      firstLsn: lsn + 1,
      previous: checksum,
      blocks: JOURNAL_BLOCKS,
      storeId: storeIdOf(superblock),
    };
    await device.write([encodeFileHeader(header, alignment)], 0);
    await device.flush();
  } finally {
    await device.close();
  }
}

/** Both environments with the same values, one epoch apart. */
export async function writeCheckpoints(
  access: StoreAccess,
  superblock: Superblock,
  state: WrittenState,
): Promise<void> {
  await checkpointDirectory(access).ensure();
  let { epoch } = state;
  for (const name of ["a", "b"] as const) {
    epoch++;
    const environment = await access.makeEnvironment(name, storeIdOf(superblock));
    try {
      await environment.commit(state.image.changes(), { epoch, lsn: state.lsn, reset: true });
    } finally {
      await environment.close();
    }
  }
}

/** Both slots of a superblock under a name of its own, durable when it resolves. */
export async function writeSuperblock(
  directory: Directory,
  name: string,
  superblock: Superblock,
): Promise<void> {
  const device = await directory.create(name, { size: SUPERBLOCK_SIZE, layout: "preallocated" });
  try {
    await writeSlots(device, superblock);
  } finally {
    await device.close();
  }
  await directory.sync();
}

/** Journal, checkpoints and the last name of a new store, whose superblock has its first one. */
export async function finishStore(
  access: StoreAccess,
  superblock: Superblock,
  state: WrittenState,
  firstName: typeof UNFINISHED | typeof RESTORING,
): Promise<void> {
  const { directory } = access;
  await writeJournal(journalDirectory(access), superblock, state);
  await writeCheckpoints(access, superblock, state);
  await directory.rename(firstName, SUPERBLOCK);
  await directory.sync();
}

export async function writeLabel(device: Device, uuid: Uint8Array): Promise<void> {
  await device.write([encodeDataLabel(uuid)], 0);
  await device.flush();
}
