/**
 * The files of a journal: which there are, in which order they were used, and what their headers
 * say. Files are recycled, so names say nothing; the sequence number in the header does. What does
 * not even have the name of a journal file is none of ours, and left alone.
 */
import { MiB } from "../base/units.ts";
import type { Device, Directory } from "../device/device.ts";
import {
  decodeFileHeader,
  type JournalFileHeader,
  journalFileHeaderStruct,
} from "../format/journal-frame.ts";
import { storeIdOf, type Superblock } from "../format/superblock.ts";

/** A journal file; without a header it was never used, or its header is damaged. */
export interface JournalFile {
  name: string;
  /** Bytes that it may hold frames in: what its header says, if that is there. */
  size: number;
  /** It is shorter than its header says. */
  isCut: boolean;
  header: JournalFileHeader | undefined;
}

/** What a journal needs to know of its store. */
export interface JournalIdentity {
  /** As {@link storeIdOf} has it. */
  storeId: Uint8Array;
  /** Frames start and end at multiples of this. */
  alignment: number;
}

export function journalIdentityOf(
  superblock: Pick<Superblock, "uuid" | "journalAlignment">,
): JournalIdentity {
  return { storeId: storeIdOf(superblock), alignment: superblock.journalAlignment };
}

/**
 * Where a file has no header that tells, so much of it is searched at most: whoever makes a file
 * seem enormous does not keep the store from opening.
 */
const MAX_SEARCH_BYTES: number = 256 * MiB;

/** The name of the journal file that was made as this one. */
export function journalFileName(number: number): string {
  return String(number).padStart(8, "0");
}

/** True for the names that journal files have; whatever else is in their directory is not ours. */
export function isJournalFileName(name: string): boolean {
  return /^\d{8,15}$/.test(name);
}

/** All files of the journal, those with a valid header first, in the order of their use. */
export async function listJournalFiles(
  directory: Directory,
  identity: JournalIdentity,
): Promise<JournalFile[]> {
  const files: JournalFile[] = [];
  for (const name of await directory.list()) {
    if (!isJournalFileName(name)) continue;
    const device = await directory.open(name, "read");
    try {
      const header = await readHeader(device, identity);
      files.push({ name, ...sizeOf(device, header, identity), header });
    } finally {
      await device.close();
    }
  }
  const order = (file: JournalFile): number => file.header?.sequence ?? Infinity;
  return files.toSorted((a, b) => (order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0));
}

function sizeOf(
  { size }: Device,
  header: JournalFileHeader | undefined,
  { alignment }: JournalIdentity,
): Pick<JournalFile, "size" | "isCut"> {
  if (!header) return { size: Math.min(size, MAX_SEARCH_BYTES), isCut: false };
  const stated = header.blocks * alignment;
  return { size: Math.min(size, stated), isCut: size < stated };
}

async function readHeader(
  device: Device,
  identity: JournalIdentity,
): Promise<JournalFileHeader | undefined> {
  if (device.size < journalFileHeaderStruct.size) return undefined;
  const block = new Uint8Array(journalFileHeaderStruct.size);
  await device.read(block, 0);
  return decodeFileHeader(block, identity.storeId);
}
