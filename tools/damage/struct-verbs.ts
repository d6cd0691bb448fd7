/**
 * Fields of the superblock, of journal file headers and of journal frames changed, with the
 * checksum made right again: damage that only a look at the meaning finds.
 */
import { crc32, crc32c } from "../../src/base/checksum.ts";
import {
  CHECKSUM_FROM,
  decodeFrameHeader,
  frameHeaderStruct,
  journalFileHeaderStruct,
} from "../../src/format/journal-frame.ts";
import type { Struct } from "../../src/format/struct.ts";
import { SUPERBLOCK_SLOT_SIZE, superblockStruct } from "../../src/format/superblock.ts";
import { otherNumber } from "./field-verbs.ts";
import type { Random } from "./random.ts";

/** The name and bits of the fields of a structure that hold numbers and may be lied about. */
export function fieldsOf(layout: Struct<never>): string[] {
  const fixed = new Set(["magic", "checksum", "uuid", "storeId"]);
  return layout.fields
    .map(({ name }) => name)
    .filter((name) => !fixed.has(name) && !name.startsWith("reserved"));
}

function change(
  bytes: Uint8Array,
  at: number,
  layout: Struct<never>,
  field: string,
  random: Random,
): void {
  const place = layout.fields.find(({ name }) => name === field);
  if (!place)
    throw new Error(`there is no field ${field}; there are ${fieldsOf(layout).join(", ")}`);
  let value = 0;
  for (let i = place.size - 1; i >= 0; i--) value = value * 256 + bytes[at + place.offset + i]!;
  let rest = otherNumber(random, value, place.size * 8);
  for (let i = 0; i < place.size; i++) {
    bytes[at + place.offset + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

function setU32(bytes: Uint8Array, at: number, value: number): void {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, value, true);
}

/** A field of one slot of the superblock, or of both. */
export function superblockField(
  bytes: Uint8Array,
  field: string,
  slots: readonly number[],
  random: Random,
): Uint8Array {
  const copy = Uint8Array.from(bytes);
  for (const slot of slots) {
    const at = slot * SUPERBLOCK_SLOT_SIZE;
    change(copy, at, superblockStruct as Struct<never>, field, random);
    setU32(copy, at + 12, 0);
    setU32(copy, at + 12, crc32c(copy.subarray(at, at + SUPERBLOCK_SLOT_SIZE)));
  }
  return copy;
}

/** A field of the header of a journal file. */
export function fileHeaderField(bytes: Uint8Array, field: string, random: Random): Uint8Array {
  const copy = Uint8Array.from(bytes);
  change(copy, 0, journalFileHeaderStruct as Struct<never>, field, random);
  setU32(copy, 4, crc32(copy.subarray(CHECKSUM_FROM, journalFileHeaderStruct.size)));
  return copy;
}

/** Where the frames of a journal file are that have a right checksum. */
export function framesIn(
  bytes: Uint8Array,
  storeId: Uint8Array,
  alignment = 512,
): { at: number; length: number }[] {
  const frames: { at: number; length: number }[] = [];
  for (let at = alignment; at + frameHeaderStruct.size <= bytes.length; at += alignment) {
    const header = decodeFrameHeader(bytes, at, storeId);
    if (!header || header.length > bytes.length - at || header.length < 64) continue;
    const sum = crc32(bytes.subarray(at + CHECKSUM_FROM, at + header.length));
    if (sum === header.checksum) frames.push({ at, length: header.length });
  }
  return frames;
}

/** A field of the header of a frame, or (`body`) a byte of its commits. */
export function frameField(
  bytes: Uint8Array,
  frame: { at: number; length: number },
  field: string,
  random: Random,
): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const { at, length } = frame;
  if (field === "body") {
    const index = at + 64 + Math.floor(random() * Math.min(length - 64, 60));
    copy[index] = otherNumber(random, copy[index]!, 8);
  } else change(copy, at, frameHeaderStruct as Struct<never>, field, random);
  setU32(copy, at + 4, crc32(copy.subarray(at + CHECKSUM_FROM, at + length)));
  return copy;
}
