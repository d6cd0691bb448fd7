/** Mistakes in making a store larger. */
import type { PlantedBug } from "../bug.ts";

const GROWTH = "host/growth.js";

export const growthBugs: readonly PlantedBug[] = [
  {
    name: "longer-data-not-flushed",
    file: GROWTH,
    find: 'await health.final("a flush of the data", device.flush());',
    replace: "",
    mistake: "the superblock speaks of space before the data device has it",
    first: 27,
  },
  {
    name: "used-before-the-superblock",
    file: GROWTH,
    find: 'await health.final("a write of the superblock", replaceSuperblock(this.#directory, larger));',
    replace:
      "setImmediate(() => setImmediate(() => " +
      "replaceSuperblock(this.#directory, larger).catch(() => undefined)));",
    mistake: "the superblock is written in the background, and new space is used meanwhile",
    first: 27,
  },
  {
    name: "larger-with-the-same-sequence",
    file: GROWTH,
    find: "sequence: sequence + 1",
    replace: "sequence",
    mistake: "of two slots that differ nobody can tell which is newer",
    first: 27,
  },
  {
    name: "slots-not-completed",
    file: "host/open.js",
    find: "await completeSlots(parts.directory, slots);",
    replace: "",
    mistake: "a growth that was cut short between the slots is never completed",
    first: 27,
  },
  {
    name: "other-slot-taken-for-durable",
    file: "host/superblock-slots.js",
    find: "await device.flush();\n        await writeSlots(device, superblock, offsets);",
    replace: "await writeSlots(device, superblock, offsets);",
    mistake: "a slot is written over while the other is what a killed process has not flushed",
    first: 27,
  },
];
