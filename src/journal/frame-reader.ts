/**
 * Reads one frame of a journal file and decides whether it is sound; and searches the rest of a
 * file for a frame that proves an earlier one to have been durable.
 */
import { crc32 } from "../base/checksum.ts";
import { BlockspaceError } from "../base/errors.ts";
import { GiB, KiB } from "../base/units.ts";
import type { Device } from "../device/device.ts";
import {
  CHECKSUM_FROM,
  decodeFrameHeader,
  type FrameHeader,
  frameHeaderStruct,
  MAX_FRAME_BYTES,
} from "../format/journal-frame.ts";
import type { JournalIdentity } from "./files.ts";

/** How much of a file is searched at a time; a multiple of every alignment. */
const SCAN_BYTES: number = 256 * KiB;

/** A journal file as far as it may hold frames, which may be less than there is of it. */
export type FrameSpace = Pick<Device, "read" | "size">;

/** A frame whose own checksum is right; whether it is due at its place is for the caller. */
export interface SoundFrame {
  header: FrameHeader;
  bytes: Uint8Array;
}

/** The frame header at `position`, if one of this store stands there. */
export async function readFrameHeader(
  device: FrameSpace,
  position: number,
  identity: JournalIdentity,
): Promise<FrameHeader | undefined> {
  if (position + frameHeaderStruct.size > device.size) return undefined;
  const head = new Uint8Array(frameHeaderStruct.size);
  await device.read(head, position);
  return decodeFrameHeader(head, 0, identity.storeId);
}

/**
 * The frame at `position`, if it is whole and its checksum matches. Its bytes are in `memory`, if
 * that is given and has room, or in memory of their own.
 */
export async function readFrame(
  device: FrameSpace,
  position: number,
  identity: JournalIdentity,
  memory?: Uint8Array,
): Promise<SoundFrame | undefined> {
  const length = (await readFrameHeader(device, position, identity))?.length ?? 0;
  if (length < frameHeaderStruct.size) return undefined;
  if (length > Math.min(MAX_FRAME_BYTES, device.size - position)) return undefined;
  const isRoomy = memory !== undefined && memory.length >= length;
  const bytes = isRoomy ? memory.subarray(0, length) : new Uint8Array(length);
  await device.read(bytes, position);
  // The header as the checksum saw it, not as the first read did.
  const header = decodeFrameHeader(bytes, 0, identity.storeId);
  const sound =
    header?.length === length && header.checksum === crc32(bytes.subarray(CHECKSUM_FROM));
  return sound ? { header, bytes } : undefined;
}

/**
 * How much a search may read, so that a file which somebody has filled with what looks like frames
 * keeps nobody for hours. A journal that a host has written is searched with a small part of it:
 * frames do not lie one within the other.
 */
export class SearchBudget {
  /** Bytes of files, and of frames in them that turn out not to be sound. */
  #files: number = 16 * GiB;
  #frames: number = 4 * MAX_FRAME_BYTES;

  /** `ECORRUPT` when it is used up. */
  spend(on: "files" | "frames", bytes: number): void {
    if (on === "files") this.#files -= bytes;
    else this.#frames -= bytes;
    if (this.#files >= 0 && this.#frames >= 0) return;
    throw new BlockspaceError("ECORRUPT", "the journal is full of what only looks like frames");
  }
}

/** A sound frame at or behind `from` that `wanted` accepts, if there is one. */
export async function findFrame(
  device: FrameSpace,
  from: number,
  identity: JournalIdentity,
  wanted: (header: FrameHeader) => boolean,
  budget: SearchBudget,
): Promise<{ position: number; frame: SoundFrame } | undefined> {
  const memory = new Uint8Array(Math.max(0, Math.min(SCAN_BYTES, device.size - from)));
  for (let start = from; start < device.size; start += SCAN_BYTES) {
    const chunk = memory.subarray(0, device.size - start);
    budget.spend("files", chunk.length);
    await device.read(chunk, start);
    for (let at = 0; at + frameHeaderStruct.size <= chunk.length; at += identity.alignment) {
      const header = decodeFrameHeader(chunk, at, identity.storeId);
      if (!header || !wanted(header)) continue;
      const frame = await readFrame(device, start + at, identity);
      if (frame) return { position: start + at, frame };
      budget.spend("frames", Math.min(header.length, device.size - start - at));
    }
  }
  return undefined;
}
