/**
 * Which of two sound slots of the superblock is the store's, when they differ. The greater sequence
 * is what a host goes by; but a slot that came from elsewhere, or is older than the store, may have
 * that as well. So everything else in the store is asked: the label of the data device, the
 * journal, the checkpoints. The slot that less of it speaks against is taken, and only of two equal
 * ones the newer.
 */
import { isBlockspaceError } from "../base/errors.ts";
import {
  DATA_LABEL_SIZE,
  decodeDataLabel,
  storeIdOf,
  type Superblock,
} from "../format/superblock.ts";
import { journalDirectory } from "../host/store.ts";
import { journalIdentityOf, listJournalFiles } from "../journal/files.ts";
import { geometryOf } from "../space/geometry.ts";
import { readContents } from "./contents.ts";
import { Findings } from "./findings.ts";
import type { Image } from "./image.ts";
import { DATA } from "./store-parts.ts";
import type { StoreAccess } from "./store-access.ts";

export interface SlotChoice {
  /** 0 or 1, as the slots are numbered. */
  slot: 0 | 1;
  /** The fields that differ, and what decided. */
  why: string;
}

/** Chooses between two slots that differ. */
export async function chooseByWitnesses(
  access: StoreAccess,
  slots: readonly [Superblock, Superblock],
): Promise<SlotChoice> {
  const images = [
    (await access.readEnvironment("a")).image,
    (await access.readEnvironment("b")).image,
  ];
  const [first, second] = [
    await contradictions(access, slots[0], images),
    await contradictions(access, slots[1], images),
  ];
  // A later version that sets a feature counts the sequence on.
  if (slots[0].sequence === slots[1].sequence) {
    if (hasFeatures(slots[0])) first.push("features are set that nobody knows");
    if (hasFeatures(slots[1])) second.push("features are set that nobody knows");
  }
  const fields = differingFields(...slots).join(", ");
  const newer = slots[1].sequence > slots[0].sequence ? 1 : 0;
  const slot = first.length === second.length ? newer : first.length < second.length ? 0 : 1;
  const against = slot === 0 ? second : first;
  const why =
    first.length === second.length
      ? `nothing else tells which is right, and slot ${slot} is taken by its sequence`
      : `slot ${slot} fits the rest of the store, and for the other ${against.join(" and ")}`;
  return { slot, why: `${fields}; ${why}` };
}

/** `newer` is what follows on `older` when a store is made larger. */
export function isGrownFrom(newer: Superblock, older: Superblock): boolean {
  return (
    newer.sequence === older.sequence + 1 &&
    newer.capacityBlocks > older.capacityBlocks &&
    differingFields(older, newer).length === 2
  );
}

function hasFeatures({ compatibleFeatures, readOnlyFeatures }: Superblock): boolean {
  return compatibleFeatures !== 0 || readOnlyFeatures !== 0;
}

/** The names of the fields in which two superblocks differ. */
export function differingFields(one: Superblock, other: Superblock): string[] {
  const names = Object.keys(one) as (keyof Superblock)[];
  return names.filter((name) => String(one[name]) !== String(other[name]));
}

/** What in the store speaks against a slot; what cannot be read says nothing. */
async function contradictions(
  access: StoreAccess,
  superblock: Superblock,
  images: readonly Image[],
): Promise<string[]> {
  const found: string[] = [];
  const data = await witness(() => againstData(access, superblock));
  const journal = await witness(() => againstJournal(access, superblock));
  for (const what of [data, journal]) if (what !== undefined) found.push(what);
  const own = images.filter((image) => !image.isForeignTo(storeIdOf(superblock)));
  if (own.length < images.length) found.push("a checkpoint is another store's");
  if (own.some((image) => !fits(image, superblock))) {
    found.push("values of a checkpoint make no sense");
  }
  return found;
}

async function witness(ask: () => Promise<string | undefined>): Promise<string | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (isBlockspaceError(error)) return undefined;
    throw error;
  }
}

async function againstData(
  { directory, openDevice }: StoreAccess,
  { uuid, dataOffset, capacityBlocks, blockSize }: Superblock,
): Promise<string | undefined> {
  const device = await (openDevice?.("read") ?? directory.open(DATA, "read"));
  try {
    const label = new Uint8Array(Math.min(DATA_LABEL_SIZE, device.size));
    await device.read(label, 0);
    const owner = decodeDataLabel(label);
    if (owner && Buffer.compare(owner, uuid) !== 0) return "the data device is another store's";
    const size = dataOffset + capacityBlocks * blockSize;
    // A file is made as long as the store needs it; a device may be longer.
    if (device.size < size) return "the data device is too short";
    if (!openDevice && device.size > size) return "the data file is too long";
    return undefined;
  } finally {
    await device.close();
  }
}

async function againstJournal(
  access: StoreAccess,
  superblock: Superblock,
): Promise<string | undefined> {
  const identity = journalIdentityOf(superblock);
  const files = await listJournalFiles(journalDirectory(access), identity);
  const own = files.filter(({ header }) => header);
  if (files.length > 0 && own.length === 0) return "the journal is another store's";
  return own.some(({ isCut }) => isCut) ? "the journal's files are too short" : undefined;
}

/** The values of a checkpoint can be those of a store of this geometry. */
function fits(image: Image, superblock: Superblock): boolean {
  const findings = new Findings();
  readContents(image, geometryOf(superblock), findings.report());
  return !["C006", "C010"].some((id) => findings.list.some((finding) => finding.id === id));
}
