/**
 * The files of a journal: which there are, in which order they were used, and what their headers
 * say. Files are recycled, so names say nothing; the sequence number in the header does. What does
 * not even have the name of a journal file is none of ours, and left alone.
 */
import type { Device, Directory } from "../device/device.ts";
import {
  decodeFileHeader,
  type JournalFileHeader,
  journalFileHeaderStruct,
} from "../format/journal-frame.ts";

/** A journal file; without a header it was never used, or its header is damaged. */
export interface JournalFile {
  name: string;
  /** Bytes. */
  size: number;
  header: JournalFileHeader | undefined;
}

/** What a journal needs to know of its store. */
export interface JournalIdentity {
  /** The first eight bytes of the store's uuid. */
  storeId: Uint8Array;
  /** Frames start and end at multiples of this. */
  alignment: number;
}

/** The name of the journal file that was made as this one. */
export function journalFileName(number: number): string {
  return String(number).padStart(8, "0");
}

/** All files of the journal, those with a valid header first, in the order of their use. */
export async function listJournalFiles(
  directory: Directory,
  identity: JournalIdentity,
): Promise<JournalFile[]> {
  const files: JournalFile[] = [];
  for (const name of await directory.list()) {
    if (!/^\d{8,15}$/.test(name)) continue;
    const device = await directory.open(name, "read");
    try {
      files.push({ name, size: device.size, header: await readHeader(device, identity) });
    } finally {
      await device.close();
    }
  }
  const order = (file: JournalFile): number => file.header?.sequence ?? Infinity;
  return files.toSorted((a, b) => (order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0));
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
