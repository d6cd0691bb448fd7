/** Mistakes in making a store, and in the superblock. */
import type { PlantedBug } from "../bug.ts";

const STORE = "host/store.js";
const SLOTS = "host/superblock-slots.js";

export const creationBugs: readonly PlantedBug[] = [
  {
    name: "superblock-not-flushed",
    file: SLOTS,
    find: "await device.write([slot], offset);\n        await device.flush();",
    replace: "await device.write([slot], offset);",
    mistake: "the superblock gets its name before it is durable",
  },
  {
    name: "superblock-name-not-synced",
    file: STORE,
    find: "await directory.ensure();\n    await directory.sync();",
    replace: "await directory.ensure();",
    mistake: "the directory is not synced after the superblock got its name",
  },
  {
    name: "names-secured-by-the-maker-alone",
    file: "host/open.js",
    find: "await secureNames(parts);",
    replace: "if (newStore)\n                await secureNames(parts);",
    mistake: "who finds a store does not sync the names that a killed process has left",
    first: 5,
  },
  {
    name: "data-label-not-flushed",
    file: STORE,
    find: "await device.write([encodeDataLabel(uuid)], 0);\n        await device.flush();",
    replace: "await device.write([encodeDataLabel(uuid)], 0);",
    mistake: "a store exists before its data device is labelled",
  },
  {
    name: "first-journal-header-not-flushed",
    file: "journal/journal.js",
    find: "await device.write([encodeFileHeader(header, alignment)], 0);\n        await device.flush();\n    }\n    finally {",
    replace: "await device.write([encodeFileHeader(header, alignment)], 0);\n    }\n    finally {",
    mistake: "a store exists before its first journal file has a header",
  },
  {
    name: "superblock-checksum-not-checked",
    file: "format/superblock.js",
    find: "if (crc32c(blank) !== view.getUint32(CHECKSUM_AT, true)) {",
    replace: "if (crc32c(blank) === undefined) {",
    mistake: "a slot of the superblock is believed whatever its checksum",
    first: 13,
  },
  {
    name: "second-slot-not-read",
    file: SLOTS,
    find: "for (const offset of [0, SUPERBLOCK_SLOT_SIZE]) {",
    replace: "for (const offset of [0]) {",
    mistake: "a damaged first slot of the superblock is not made up for by the second",
    first: 13,
  },
];
