/**
 * Phases 0 and 1: whether there is a store, whether it may be read, and which one it is. Here is
 * the lock taken, and the superblock and the label of the data device are read.
 */
import { BlockspaceError, isBlockspaceError } from "../base/errors.ts";
import { formatSize } from "../base/units.ts";
import type { Device, Lock, LockMode } from "../device/device.ts";
import {
  DATA_LABEL_SIZE,
  decodeDataLabel,
  decodeSuperblock,
  type Superblock,
  SUPERBLOCK_SIZE,
  SUPERBLOCK_SLOT_SIZE,
} from "../format/superblock.ts";
import { reasonOf, type Report } from "./findings.ts";
import { chooseByWitnesses, differingFields, isGrownFrom } from "./slot-choice.ts";
import type { StoreAccess } from "./store-access.ts";
import { whyNoWayBack } from "./undo.ts";
import {
  CHECKPOINT,
  DATA,
  JOURNAL,
  LOCK,
  RESTORING,
  SUPERBLOCK,
  SUPERBLOCK_AWAY,
  UNFINISHED,
} from "./store-parts.ts";

/** More segments than this are not held in memory; a store of 16 TiB has a quarter of them. */
const MAX_SEGMENTS: number = 2 ** 24;

/** What is in the directory of a store. */
export interface Identity {
  names: ReadonlySet<string>;
  /** The file that is the superblock, whatever its name. */
  superblock: string | undefined;
  /** A repair in place was cut short, and can be rolled back. */
  interrupted: boolean;
  /** Some of it is not in the directory at all, but wherever links lead, and is not looked at. */
  isElsewhere: boolean;
}

/** Phase 0. Throws `ENOENT` where there is no store, `ELOCKED` where somebody writes to it. */
export async function checkIdentity(
  access: StoreAccess,
  mode: LockMode | "none",
  report: Report,
): Promise<Identity & { lock: Lock }> {
  const { directory } = access;
  const names = new Set(await directory.list());
  const known = [SUPERBLOCK, SUPERBLOCK_AWAY, RESTORING, JOURNAL, CHECKPOINT];
  if (!known.some((name) => names.has(name))) {
    throw new BlockspaceError("ENOENT", `there is no store in ${directory.path}`, {
      path: directory.path,
    });
  }
  const links = await linksIn(access);
  for (const file of links) {
    report("I005", `${file} is a symbolic link, and is not followed`, { file });
  }
  const isElsewhere = links.size > 0;
  const lock = await lockAll(access, without(names, links), mode);
  const superblock = await superblockIn(access, without(names, links));
  const isAway = !names.has(SUPERBLOCK) && names.has(SUPERBLOCK_AWAY);
  const obstacle = isAway && !isElsewhere ? await whyNoWayBack(access) : undefined;
  const interrupted = isAway && obstacle === undefined;
  if (isAway) {
    const what = "a repair in place was cut short";
    const why = obstacle === undefined ? "" : `, and cannot be rolled back: ${obstacle}`;
    report("I003", `${what}${why}`, { file: SUPERBLOCK_AWAY });
  } else if (superblock === undefined) {
    const why = await whyMissing(access, names);
    report("I001", `the superblock is missing${why}`, { file: SUPERBLOCK });
  } else if (superblock !== SUPERBLOCK) {
    report("I006", `the superblock still has the name ${superblock}`, { file: superblock });
  } else if (!names.has(LOCK)) report("I002", "the lock file is missing", { file: LOCK });
  if (names.has(SUPERBLOCK) && names.has(UNFINISHED)) {
    report("I004", `${UNFINISHED} is left of a creation`, { file: UNFINISHED });
  }
  return { names, superblock, interrupted, isElsewhere, lock };
}

/**
 * Where a loss of power took back the last step of a creation, the superblock has its first name. A
 * creation that did not come to its end leaves the same, but no checkpoint: only a finished store
 * has one.
 */
async function superblockIn(
  access: StoreAccess,
  names: ReadonlySet<string>,
): Promise<string | undefined> {
  for (const name of [SUPERBLOCK, SUPERBLOCK_AWAY]) if (names.has(name)) return name;
  if (!names.has(UNFINISHED)) return undefined;
  // What cannot be opened is no superblock either.
  const device = await access.directory.open(UNFINISHED, "read").catch(() => undefined);
  if (!device) return undefined;
  try {
    const slots = [await readSlot(device, 0), await readSlot(device, 1)];
    if (slots.every(({ superblock }) => superblock === undefined)) return undefined;
  } finally {
    await device.close();
  }
  for (const name of ["a", "b"] as const) {
    if ((await access.readEnvironment(name)).present) return UNFINISHED;
  }
  return undefined;
}

/** What else lies there may tell how that came, and that nothing is lost. */
async function whyMissing(access: StoreAccess, names: ReadonlySet<string>): Promise<string> {
  if (names.has(RESTORING)) {
    return `: a restore was cut short; "blockspace restore" with the same dump does it again`;
  }
  if (!names.has(UNFINISHED) || (await access.directory.directory(CHECKPOINT).list()).length > 0) {
    return "";
  }
  return (
    ": the store was not made to its end, and nothing was ever written to it; " +
    '"blockspace init" makes it (a repair --to this directory that was cut short begins anew ' +
    "in an empty one)"
  );
}

/** The locks that a host takes, on what is there of them; none is made. `none`: held already. */
async function lockAll(
  { directory, lockDevice }: StoreAccess,
  names: ReadonlySet<string>,
  mode: LockMode | "none",
): Promise<Lock> {
  const locks: Lock[] = [];
  const wanted = mode === "none" ? [] : [LOCK, SUPERBLOCK, SUPERBLOCK_AWAY];
  const release = async (): Promise<void> => {
    for (const lock of locks.toReversed()) await lock.release();
  };
  try {
    for (const name of wanted) {
      if (mode !== "none" && names.has(name)) locks.push(await directory.lock(name, mode));
    }
    if (mode !== "none" && lockDevice) locks.push(await lockDevice(mode));
    return { release };
  } catch (error) {
    await release();
    throw error;
  }
}

/** The locks of a repair, held from its first look to its last byte; `exclusive` makes the file. */
export async function lockForRepair(access: StoreAccess, mode: LockMode): Promise<Lock> {
  const names = new Set(await access.directory.list());
  const store = [SUPERBLOCK, SUPERBLOCK_AWAY].some((name) => names.has(name));
  if (store && mode === "exclusive") names.add(LOCK);
  return lockAll(access, without(names, await linksIn(access)), mode);
}

/** Where a link stands in place of a part of the store. */
export async function linksIn(access: StoreAccess): Promise<Set<string>> {
  return new Set(await access.symbolicLinks?.());
}

function without(names: ReadonlySet<string>, links: ReadonlySet<string>): Set<string> {
  return new Set([...names].filter((name) => !links.has(name)));
}

/** Phase 1: the superblock that counts, or nothing when no slot can be believed. */
export async function checkSuperblock(
  access: StoreAccess,
  file: string,
  report: Report,
): Promise<Superblock | undefined> {
  const device = await access.directory.open(file, "read");
  try {
    if (device.size !== SUPERBLOCK_SIZE) {
      report("S004", `the superblock has ${device.size} bytes, not ${SUPERBLOCK_SIZE}`, { file });
    }
    const slots: { superblock?: Superblock; problem?: string }[] = [];
    for (const index of [0, 1]) slots.push(await readSlot(device, index));
    const chosen = await chooseSlot(access, file, slots, report);
    if (chosen) checkSize(chosen);
    return chosen;
  } finally {
    await device.close();
  }
}

async function readSlot(
  device: Device,
  index: number,
): Promise<{ superblock?: Superblock; problem?: string }> {
  const offset = index * SUPERBLOCK_SLOT_SIZE;
  const bytes = new Uint8Array(SUPERBLOCK_SLOT_SIZE);
  if (device.size < offset + bytes.length) return { problem: "it is cut short" };
  try {
    await device.read(bytes, offset);
    return { superblock: decodeSuperblock(bytes) };
  } catch (error) {
    if (isBlockspaceError(error, "ENOTSUP")) throw error;
    return { problem: reasonOf(error) };
  }
}

async function chooseSlot(
  access: StoreAccess,
  file: string,
  slots: readonly { superblock?: Superblock; problem?: string }[],
  report: Report,
): Promise<Superblock | undefined> {
  const sound = slots.map(({ superblock }) => superblock).filter((slot) => slot !== undefined);
  if (sound.length === 0) {
    report("S002", `both slots of the superblock are damaged: ${slots[0]?.problem}`, { file });
    return undefined;
  }
  for (const [index, { problem }] of slots.entries()) {
    if (problem === undefined) continue;
    const where = { file, offset: index * SUPERBLOCK_SLOT_SIZE };
    report("S001", `slot ${index} of the superblock is damaged: ${problem}`, where);
  }
  const [first, second] = sound as [Superblock, Superblock?];
  if (!second || differingFields(first, second).length === 0) return first;
  const { slot, why } = await chooseByWitnesses(access, [first, second]);
  const [chosen, other] = slot === 0 ? [first, second] : [second, first];
  if (isGrownFrom(chosen, other)) {
    const capacity = formatSize(chosen.capacityBlocks * chosen.blockSize);
    report("S009", `the store was being made larger, to ${capacity}`, { file });
  } else report("S003", `the two slots of the superblock differ in ${why}`, { file });
  return chosen;
}

/** Refuses a store that needs more memory than a check takes. */
function checkSize({ capacityBlocks, segmentBlocks }: Superblock): void {
  const segments = Math.ceil(capacityBlocks / segmentBlocks);
  if (segments <= MAX_SEGMENTS) return;
  throw new BlockspaceError(
    "ENOTSUP",
    `the store has ${segments} segments; a check holds ${MAX_SEGMENTS} in memory at most`,
  );
}

/** Phase 1 as well: the data device, if it is there and this store's; its bytes are for phase 7. */
export async function checkDataDevice(
  access: StoreAccess,
  superblock: Superblock,
  report: Report,
): Promise<Device | undefined> {
  let device: Device;
  try {
    device = await (access.openDevice?.("read") ?? access.directory.open(DATA, "read"));
  } catch (error) {
    if (!isBlockspaceError(error, "ENOENT")) throw error;
    report("S005", "the data device is not there", { file: DATA });
    return undefined;
  }
  const { dataOffset, capacityBlocks, blockSize, uuid } = superblock;
  const size = dataOffset + capacityBlocks * blockSize;
  if (device.size < size) {
    const what = `the data device has ${device.size} bytes, and the store needs ${size}`;
    report("S008", what, { file: DATA, offset: device.size }, size - device.size);
  }
  const label = new Uint8Array(Math.min(DATA_LABEL_SIZE, device.size));
  await device.read(label, 0);
  const owner = readLabel(label);
  if (owner === undefined) {
    report("S006", "the label of the data device is damaged", { file: DATA, offset: 0 });
  } else if (Buffer.compare(owner, uuid) !== 0) {
    report("S007", "the data device belongs to another store", { file: DATA, offset: 0 });
    await device.close();
    return undefined;
  }
  return device;
}

function readLabel(label: Uint8Array): Uint8Array | undefined {
  try {
    return decodeDataLabel(label);
  } catch (error) {
    if (isBlockspaceError(error, "ECORRUPT")) return undefined;
    throw error;
  }
}
