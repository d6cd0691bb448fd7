/**
 * The two slots of a store's superblock, as they are found and as they are written: so that a valid
 * one is durable at any time, whatever becomes of the power or of the process.
 */
import { BlockspaceError, isBlockspaceError } from "../base/errors.ts";
import type { Device, Directory } from "../device/device.ts";
import {
  decodeSuperblock,
  encodeSuperblock,
  type Superblock,
  SUPERBLOCK_SLOT_SIZE,
} from "../format/superblock.ts";

export const SUPERBLOCK = "superblock";
/** Where the slots of the superblock are, in the order in which they are written. */
const SLOTS: readonly number[] = [SUPERBLOCK_SLOT_SIZE, 0];

/** A slot of the superblock as it was found: what it says, or why it says nothing. */
export interface Slot {
  offset: number;
  superblock?: Superblock;
  problem?: unknown;
}

/** Both slots; `ENOTSUP` when one of them is another version's. */
export async function readSlots(directory: Directory, name: string = SUPERBLOCK): Promise<Slot[]> {
  const device = await directory.open(name, "read");
  const slots: Slot[] = [];
  try {
    for (const offset of [0, SUPERBLOCK_SLOT_SIZE]) {
      try {
        const slot = new Uint8Array(SUPERBLOCK_SLOT_SIZE);
        await device.read(slot, offset);
        slots.push({ offset, superblock: decodeSuperblock(slot) });
      } catch (problem) {
        if (isBlockspaceError(problem, "ENOTSUP")) throw problem;
        slots.push({ offset, problem });
      }
    }
  } finally {
    await device.close();
  }
  return slots;
}

/** What the newer valid one of two slots says, or the reason why there is none. */
export function newestOf({ path }: Directory, slots: readonly Slot[]): Superblock {
  const valid = slots.flatMap(({ superblock }) => superblock ?? []);
  const newest = valid.toSorted((a, b) => b.sequence - a.sequence)[0];
  if (newest) return newest;
  const cause = slots.at(-1)?.problem;
  if (isBlockspaceError(cause, "EIO")) throw cause;
  throw new BlockspaceError("ECORRUPT", `${path} has no valid superblock`, { path, cause });
}

/** The superblock that counts, or the reason why there is none. */
export async function readSuperblock(directory: Directory, name?: string): Promise<Superblock> {
  return newestOf(directory, await readSlots(directory, name));
}

/**
 * Makes both slots say the same: an update that was cut short is completed, and what has rotted is
 * made anew, before anything is done that an older superblock would not allow. A slot that cannot
 * be read at all is left to a repair.
 */
export async function completeSlots(directory: Directory, slots: readonly Slot[]): Promise<void> {
  const newest = newestOf(directory, slots);
  const behind = slots.filter(({ superblock, problem }) =>
    superblock ? superblock.sequence < newest.sequence : isBlockspaceError(problem, "ECORRUPT"),
  );
  if (behind.length === 0) return;
  await updateSlots(
    directory,
    newest,
    behind.map(({ offset }) => offset),
  );
}

/** Refuses, with `EIO` or `ECORRUPT`, unless both slots stand: who replaces one needs the other. */
export async function expectBothSlots(directory: Directory): Promise<void> {
  const bad = (await readSlots(directory)).find(({ superblock }) => superblock === undefined);
  if (!bad) return;
  if (isBlockspaceError(bad.problem, "EIO")) throw bad.problem;
  const { path } = directory;
  const what = `a slot of the superblock of ${path} is damaged; let a repair mend it first`;
  throw new BlockspaceError("ECORRUPT", what, { path, offset: bad.offset, cause: bad.problem });
}

/** Puts a superblock in the place of the one that both slots hold. */
export async function replaceSuperblock(
  directory: Directory,
  superblock: Superblock,
): Promise<void> {
  await updateSlots(directory, superblock, SLOTS);
}

async function updateSlots(
  directory: Directory,
  superblock: Superblock,
  offsets: readonly number[],
): Promise<void> {
  const device = await directory.open(SUPERBLOCK, "write");
  try {
    // What stands in the other slot may be no more than what a killed process has written.
    await device.flush();
    await writeSlots(device, superblock, offsets);
  } finally {
    await device.close();
  }
}

/** Writes slots, one after the other, so that one of the two stands at any time. */
export async function writeSlots(
  device: Device,
  superblock: Superblock,
  offsets: readonly number[] = SLOTS,
): Promise<void> {
  const slot = encodeSuperblock(superblock);
  for (const offset of offsets) {
    await device.write([slot], offset);
    await device.flush();
  }
}
