/**
 * Superblock and data label: read back as written, every damage seen, other versions told from it.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "../../src/base/checksum.ts";
import { isBlockspaceError } from "../../src/base/errors.ts";
import {
  checkWritable,
  DATA_LABEL_SIZE,
  dataLabelStruct,
  decodeDataLabel,
  decodeSuperblock,
  encodeDataLabel,
  encodeSuperblock,
  isPowerOfTwo,
  type Superblock,
  SUPERBLOCK_SLOT_SIZE,
  superblockStruct,
} from "../../src/format/superblock.ts";
import { flipped, superblock } from "./samples.ts";

const uuid = Uint8Array.from({ length: 16 }, (_, i) => i + 1);
const example: Superblock = {
  sequence: 3,
  uuid,
  compatibleFeatures: 0,
  readOnlyFeatures: 0,
  requiredFeatures: 0,
  blockSize: 4096,
  segmentBlocks: 1024,
  nodeSize: 4080,
  capacityBlocks: 65_536,
  dataOffset: 1_048_576,
  journalAlignment: 4096,
  created: 1_700_000_000_000,
};

/** Where a field of the superblock lies. */
function offsetOf(field: string): number {
  return superblockStruct.fields.find(({ name }) => name === field)!.offset;
}

/** The example with its bytes changed and the checksum made right again. */
function resealed(change: (slot: Buffer) => void): Buffer {
  const slot = Buffer.from(encodeSuperblock(example));
  change(slot);
  slot.writeUInt32LE(0, offsetOf("checksum"));
  slot.writeUInt32LE(crc32c(slot), offsetOf("checksum"));
  return slot;
}

const withNumber = (field: string, value: number): Buffer =>
  resealed((slot) => {
    const size = superblockStruct.fields.find(({ name }) => name === field)!.size;
    if (size === 4) slot.writeUInt32LE(value, offsetOf(field));
    else slot.writeBigUInt64LE(BigInt(value), offsetOf(field));
  });

describe("a superblock slot", () => {
  it("reads back as written", () => {
    fc.assert(
      fc.property(superblock, (fields) => {
        const slot = encodeSuperblock(fields);
        expect(slot.length).toBe(SUPERBLOCK_SLOT_SIZE);
        expect(decodeSuperblock(slot)).toEqual(fields);
      }),
    );
  });

  it("is refused with any one bit flipped", () => {
    const slot = encodeSuperblock(example);
    // Plain code, since 32,768 expectations would take longer than what they look at.
    const refused = (bit: number): boolean => {
      try {
        decodeSuperblock(flipped(slot, bit));
        return false;
      } catch (error) {
        return isBlockspaceError(error, "ECORRUPT");
      }
    };
    const silent = Array.from({ length: slot.length * 8 }, (_, bit) => bit).filter(
      (bit) => !refused(bit),
    );
    expect(silent).toEqual([]);
  });

  it("is refused at every length but its own", () => {
    const slot = encodeSuperblock(example);
    for (let length = 0; length < slot.length; length++) {
      expect(() => decodeSuperblock(slot.subarray(0, length))).toThrow(/^ECORRUPT/);
    }
    expect(() => decodeSuperblock(Buffer.concat([slot, Buffer.alloc(1)]))).toThrow(/^ECORRUPT/);
  });

  it("is left as it is by reading it, also in a Buffer", () => {
    const slot = Buffer.from(encodeSuperblock(example));
    expect(decodeSuperblock(slot)).toEqual(example);
    expect(slot.equals(encodeSuperblock(example))).toBe(true);
  });

  it("of zeroes is none", () => {
    expect(() => decodeSuperblock(new Uint8Array(SUPERBLOCK_SLOT_SIZE))).toThrow(
      "ECORRUPT: a superblock slot does not start with BLKSPACE",
    );
  });

  it.each([1, 2, 4])("of version %i is told from damage, whatever else it changes", (version) => {
    const other = resealed((slot) => {
      slot.writeUInt32LE(version, offsetOf("version"));
      slot.fill(0xff, offsetOf("sequence"));
    });
    expect(() => decodeSuperblock(other)).toThrow(
      `ENOTSUP: the store has format version ${version}; this library knows 3`,
    );
  });

  it("that requires a feature is refused by name, also when reserved bytes are used", () => {
    const later = resealed((slot) => {
      slot.writeUInt32LE(0x12, offsetOf("requiredFeatures"));
      slot.writeUInt32LE(1, offsetOf("reserved"));
    });
    expect(() => decodeSuperblock(later)).toThrow(
      "ENOTSUP: the store requires unknown features 0x12",
    );
  });

  it("with reserved bytes that nothing explains is damaged", () => {
    const slot = resealed((each) => each.writeUInt8(1, offsetOf("reserved") + 3));
    expect(() => decodeSuperblock(slot)).toThrow("ECORRUPT: superblock.reserved is reserved");
  });

  it.each([
    ["blockSize", 256],
    ["blockSize", 0],
    ["blockSize", 5000],
    ["blockSize", 131_072],
    ["segmentBlocks", 0],
    ["segmentBlocks", 1000],
    ["segmentBlocks", 32_768],
    ["capacityBlocks", 0],
    ["capacityBlocks", 2 ** 32 + 1],
    ["dataOffset", 0],
    ["dataOffset", 4097],
    ["dataOffset", 2 ** 53 - 4096],
    ["nodeSize", 59],
    ["nodeSize", 65_537],
    ["journalAlignment", 256],
    ["journalAlignment", 0],
    ["journalAlignment", 131_072],
    ["journalAlignment", 3072],
  ])("with the impossible %s of %d is damaged", (field, value) => {
    const slot = withNumber(field, value);
    expect(() => decodeSuperblock(slot)).toThrow("ECORRUPT: a superblock slot has impossible");
  });

  it.each([
    ["blockSize", 512],
    ["blockSize", 65_536],
    ["segmentBlocks", 1],
    ["segmentBlocks", 16_384],
    ["capacityBlocks", 2 ** 32],
    ["dataOffset", 4096],
    ["nodeSize", 60],
    ["nodeSize", 65_536],
    ["journalAlignment", 512],
    ["journalAlignment", 65_536],
  ])("may have a %s of %d", (field, value) => {
    expect(decodeSuperblock(withNumber(field, value))).toEqual({ ...example, [field]: value });
  });

  it("may have compatible features that nobody knows", () => {
    expect(decodeSuperblock(withNumber("compatibleFeatures", 0xffffffff))).toMatchObject({
      compatibleFeatures: 0xffffffff,
    });
  });

  it("may be read, not written, with features that only a reader may ignore", () => {
    const later = decodeSuperblock(withNumber("readOnlyFeatures", 0x80));
    expect(() => checkWritable(later)).toThrow(
      "ENOTSUP: the store requires of a writer unknown features 0x80",
    );
    expect(() => checkWritable(example)).not.toThrow();
  });
});

describe("the data label", () => {
  it("gives back the uuid it was made with", () => {
    const label = encodeDataLabel(uuid);
    expect(label.length).toBe(DATA_LABEL_SIZE);
    expect([...(decodeDataLabel(label) ?? [])]).toEqual([...uuid]);
  });

  it("is none with any bit of its structure flipped, or cut short", () => {
    const label = encodeDataLabel(uuid);
    for (let bit = 0; bit < dataLabelStruct.size * 8; bit++) {
      expect(decodeDataLabel(flipped(label, bit))).toBeUndefined();
    }
    for (let length = 0; length < dataLabelStruct.size; length++) {
      expect(decodeDataLabel(label.subarray(0, length))).toBeUndefined();
    }
    expect(decodeDataLabel(new Uint8Array(DATA_LABEL_SIZE))).toBeUndefined();
  });

  it("of a later version is not taken for none, so that nobody writes over it", () => {
    const label = Buffer.from(encodeDataLabel(uuid));
    label.writeUInt8(1, 24);
    label.writeUInt32LE(crc32c(label.subarray(0, 28)), 28);
    expect(() => decodeDataLabel(label)).toThrow("ECORRUPT: data label.reserved is reserved");
  });
});

describe("isPowerOfTwo", () => {
  it("knows them, and what is next to them", () => {
    for (let power = 2; power <= 32; power++) {
      expect([2 ** power - 1, 2 ** power, 2 ** power + 1].map(isPowerOfTwo)).toEqual([
        false,
        true,
        false,
      ]);
    }
    expect([0, -2, NaN, 1, 2].map(isPowerOfTwo)).toEqual([false, false, false, true, true]);
  });
});
