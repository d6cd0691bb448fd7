/**
 * The parts of a store on disk, found or made: superblock, data device with its label, journal
 * directory, checkpoint environments, lock. What stands here knows files, not state.
 *
 * Creation is all or nothing: the superblock is written first, under another name, and renamed when
 * everything else is durable, so a store exists from that rename on. What a crash leaves before it
 * is recognised, by the uuid in the unfinished superblock, and made anew.
 */
import { BlockspaceError, isBlockspaceError } from "../base/errors.ts";
import { formatSize, KiB } from "../base/units.ts";
import type { OpenEnvironment } from "../checkpoint/environment.ts";
import type { Device, Directory, Lock, LockMode } from "../device/device.ts";
import { tooShortError } from "../device/medium-error.ts";
import {
  DATA_LABEL_SIZE,
  decodeDataLabel,
  encodeDataLabel,
  type Superblock,
  SUPERBLOCK_SIZE,
} from "../format/superblock.ts";
import { journalIdentityOf } from "../journal/files.ts";
import { createJournal } from "../journal/journal.ts";
import { readSuperblock, SUPERBLOCK, writeSlots } from "./superblock-slots.ts";
import { realWorld, type World } from "./world.ts";

/** Where a store lives; tests put memory in place of files. */
export interface StoreParts {
  directory: Directory;
  /** Opens a data device that lies elsewhere; without it the store has a file of its own. */
  openDevice?: (mode: "read" | "write") => Promise<Device>;
  /** Locks that device: a copy of the store may lead to it as well. */
  lockDevice?: (mode: LockMode) => Promise<Lock>;
  environments: (
    directory: Directory,
    options: { storeId: Uint8Array; readOnly: boolean },
  ) => OpenEnvironment;
  world?: World;
  /** In place of what the options say of memory; may be less than they allow. */
  memory?: { cacheSize: number; maxDirty: number };
}

/** For what needs no more of a store than where it is. */
export type StorePlace = Pick<StoreParts, "directory" | "lockDevice">;

/** What a new store is made with. */
export type NewStore = Omit<
  Superblock,
  "sequence" | "uuid" | "compatibleFeatures" | "readOnlyFeatures" | "requiredFeatures" | "created"
> & { journalSize: number };

export const UNFINISHED = "superblock.new";
/** What it is called while a repair in place has the store in pieces. */
export const SUPERBLOCK_AWAY = "superblock.fsck";
export const DATA = "data";
export const LOCK = "lock";
export const JOURNAL = "journal";
export const CHECKPOINT = "checkpoint";
/** The superblock of btrfs, the furthest in, begins at 64 KiB. */
const UNUSED_BYTES: number = 128 * KiB;

export function journalDirectory(parts: StorePlace): Directory {
  return parts.directory.directory(JOURNAL);
}

export function checkpointDirectory(parts: StorePlace): Directory {
  return parts.directory.directory(CHECKPOINT);
}

/** Takes the store's locks (promise I8), or `ELOCKED`; none is left behind by a killed process. */
export async function lockStore(parts: StorePlace, readOnly: boolean): Promise<Lock> {
  const { directory } = parts;
  const mode = readOnly ? "shared" : "exclusive";
  const locks: Lock[] = [];
  const release = async (): Promise<void> => {
    for (let lock = locks.pop(); lock; lock = locks.pop()) await lock.release();
  };
  try {
    locks.push(await directory.lock(LOCK, mode));
    // The second lock is on a file that nobody takes for rubbish: the store is dead without it.
    if (await exists(parts)) locks.push(await directory.lock(SUPERBLOCK, mode));
    if (parts.lockDevice) locks.push(await parts.lockDevice(mode));
    return { release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** True when a store was created here. */
export async function exists(parts: StorePlace): Promise<boolean> {
  return (await parts.directory.list()).includes(SUPERBLOCK);
}

/** `ECORRUPT` where there is a store that nobody may open, nor take for rubbish. */
export async function refusePieces({ directory }: StorePlace): Promise<void> {
  if (!(await directory.list()).includes(SUPERBLOCK_AWAY)) return;
  const { path } = directory;
  const message =
    `a repair in place of ${path} was cut short; run "blockspace repair" on it with --in-place ` +
    "again, or take it back with --undo";
  throw new BlockspaceError("ECORRUPT", message, { path });
}

/** Makes the directory of a store to be, unless something else is in it. */
export async function prepareDirectory(parts: StoreParts): Promise<void> {
  const { directory } = parts;
  const ours = new Set([SUPERBLOCK, UNFINISHED, DATA, LOCK, JOURNAL, CHECKPOINT]);
  const foreign = (await directory.list()).find((name) => !ours.has(name));
  if (foreign !== undefined) {
    throw new BlockspaceError(
      "EEXIST",
      `${directory.path} holds "${foreign}" and no store; allowed is an empty or new directory`,
      { path: directory.path },
    );
  }
  await directory.ensure();
}

/**
 * Makes the names of a store durable: its own, and those in it. On every opening, since a process
 * that was killed while it made the store may have left them as no more than the system knows.
 */
export async function secureNames({ directory }: StorePlace): Promise<void> {
  await directory.ensure();
  await directory.sync();
}

/**
 * Makes a store in a directory that is locked and has none. Its last name is made durable by
 * {@link secureNames}.
 */
export async function createStore(parts: StoreParts, layout: NewStore): Promise<void> {
  const { directory } = parts;
  const { journalSize, ...geometry } = layout;
  await refuseLostStore(parts);
  await removeRemains(parts);
  const former = await uuidOfUnfinished(parts);
  const world = parts.world ?? realWorld;
  const uuid = former ?? world.newUuid();
  const device = former
    ? await directory.open(UNFINISHED, "write")
    : await directory.create(UNFINISHED, { size: SUPERBLOCK_SIZE, layout: "preallocated" });
  try {
    await writeSlots(device, {
      ...geometry,
      sequence: 1,
      uuid,
      compatibleFeatures: 0,
      readOnlyFeatures: 0,
      requiredFeatures: 0,
      created: world.now(),
    });
  } finally {
    await device.close();
  }
  await directory.sync();
  await labelData(parts, layout, uuid);
  const identity = journalIdentityOf({ uuid, journalAlignment: layout.journalAlignment });
  await createJournal(journalDirectory(parts), identity, journalSize);
  await checkpointDirectory(parts).ensure();
  await directory.sync();
  await directory.rename(UNFINISHED, SUPERBLOCK);
}

/** A checkpoint is only ever written to a finished store: one that lost its superblock. */
async function refuseLostStore(parts: StoreParts): Promise<void> {
  if ((await checkpointDirectory(parts).list()).length === 0) return;
  const { path } = parts.directory;
  throw new BlockspaceError(
    "EEXIST",
    `${path} holds a store without its superblock; allowed is an empty or new directory`,
    { path },
  );
}

/**
 * The uuid that a creation had chosen which did not finish; the data device may bear it already.
 */
async function uuidOfUnfinished(parts: StoreParts): Promise<Uint8Array | undefined> {
  if (!(await parts.directory.list()).includes(UNFINISHED)) return undefined;
  try {
    return (await readSuperblock(parts.directory, UNFINISHED)).uuid;
  } catch (error) {
    if (isBlockspaceError(error, "ECORRUPT")) return undefined;
    throw error;
  }
}

/** The journal files of a creation that did not finish. */
async function removeRemains(parts: StoreParts): Promise<void> {
  const journal = journalDirectory(parts);
  for (const name of await journal.list()) await journal.remove(name);
}

async function labelData(parts: StoreParts, layout: NewStore, uuid: Uint8Array): Promise<void> {
  const size = layout.dataOffset + layout.capacityBlocks * layout.blockSize;
  const device = parts.openDevice
    ? await parts.openDevice("write")
    : await parts.directory.create(DATA, { size, layout: "sparse" });
  try {
    if (device.size < size) throw tooShortError(device.path, device.size, size);
    await refuseUsed(device, uuid);
    await device.write([encodeDataLabel(uuid)], 0);
    await device.flush();
  } finally {
    await device.close();
  }
}

/**
 * Refuses a device that holds something: as another store's, or by its beginning, where file
 * systems, partition tables and volume managers put what they are known by.
 */
async function refuseUsed(device: Device, own: Uint8Array): Promise<void> {
  const label = await readLabel(device);
  if (label && Buffer.compare(label, own) === 0) return;
  const beginning = new Uint8Array(Math.min(UNUSED_BYTES, device.size));
  await device.read(beginning, 0);
  if (!label && beginning.every((byte) => byte === 0)) return;
  const what = label ? "belongs to another store" : "is not empty";
  throw new BlockspaceError(
    "EEXIST",
    `${device.path} ${what}; overwrite its first ${formatSize(UNUSED_BYTES)} with zeroes if that ` +
      "is no longer wanted",
    { path: device.path },
  );
}

async function readLabel(device: Device): Promise<Uint8Array | undefined> {
  const label = new Uint8Array(DATA_LABEL_SIZE);
  await device.read(label, 0);
  return decodeDataLabel(label);
}

/** The data device, if it is the one that belongs to this store. */
export async function openData(
  parts: StoreParts,
  superblock: Superblock,
  mode: "read" | "write",
): Promise<Device> {
  const { dataOffset, capacityBlocks, blockSize } = superblock;
  const size = dataOffset + capacityBlocks * blockSize;
  const device = await openDevice(parts, mode);
  try {
    if (device.size < size) {
      throw new BlockspaceError(
        "ECORRUPT",
        `${device.path} was cut: it has ${device.size} bytes, and the store needs ${size}`,
        { path: device.path },
      );
    }
    const uuid = await readLabel(device);
    if (!uuid || Buffer.compare(uuid, superblock.uuid) !== 0) {
      throw new BlockspaceError("ECORRUPT", `${device.path} is not the data device of this store`, {
        path: device.path,
      });
    }
    return device;
  } catch (error) {
    await device.close();
    throw error;
  }
}

async function openDevice(parts: StoreParts, mode: "read" | "write"): Promise<Device> {
  if (parts.openDevice) return parts.openDevice(mode);
  try {
    return await parts.directory.open(DATA, mode);
  } catch (cause) {
    if (!isBlockspaceError(cause, "ENOENT")) throw cause;
    const { path } = parts.directory;
    throw new BlockspaceError(
      "ENOENT",
      `${path} has no data file; a store that was made with the option device is opened with it`,
      { path, cause },
    );
  }
}
