/** Mistakes in giving space away and in taking it back (promise I4). */
import type { PlantedBug } from "../bug.ts";

const BUSY = "space/busy.js";
const SEGMENTS = "space/segments.js";

export const spaceBugs: readonly PlantedBug[] = [
  {
    name: "freed-block-reused-at-once",
    file: SEGMENTS,
    find: "this.busy.add(segment * this.geometry.segmentBlocks + index, count);",
    replace: "",
    mistake: "a block is free the moment that its last reference is gone",
    first: 1,
  },
  {
    name: "busy-blocks-given-out",
    file: "space/allocator.js",
    find: "!busy.has(segment, index) &&\n            held",
    replace: "held",
    mistake: "the allocator does not look whether a block is busy",
    first: 1,
  },
  {
    name: "staged-blocks-given-out",
    file: "space/allocator.js",
    find: " &&\n            held?.[index] !== 1;",
    replace: ";",
    mistake: "the allocator does not look whether a block is held",
    first: 1,
  },
  {
    name: "busy-one-generation-too-short",
    file: BUSY,
    find: "for (const [segment, bitmap] of this.#leaving) {\n            const blocks = blocksSet(bitmap);",
    replace:
      "for (const [segment, bitmap] of [...this.#leaving, ...this.#former]) {\n" +
      "            const blocks = blocksSet(bitmap);\n            bitmap.fill(0);",
    mistake: "blocks come free when the newest checkpoint needs them no more, the older one does",
    first: 24,
  },
  {
    name: "busy-not-stored-anew",
    file: BUSY,
    find: "this.#frozen = this.#current;\n        this.#current = new Map();",
    replace: "this.#frozen = new Map();",
    mistake: "a checkpoint does not store which blocks it has just stopped using",
    first: 24,
  },
  {
    name: "busy-forgotten-on-opening",
    file: "replay/state.js",
    find: "segments.busy.load(id, bitmap);",
    replace: "segments.busy.load(id, new Uint8Array(bitmap.length));",
    mistake: "an opened store gives out blocks that the older checkpoint refers to",
    first: 24,
  },
  {
    name: "hole-over-live-blocks",
    file: "host/releaser.js",
    find: "return this.#parts.allocator.used(segment) === blocksOf(leaving);",
    replace: "return true;",
    mistake: "a segment is punched as a whole although blocks of it live",
  },
  {
    name: "cleaner-frees-at-once",
    file: SEGMENTS,
    find: "source.refs.set(i, 0);\n        this.#free(sourceSegment, i, 1);",
    replace: "source.refs.set(i, 0);\n        this.#count(sourceSegment, -1);",
    mistake: "where the cleaner has moved a block from is free at once",
  },
  {
    name: "copies-not-flushed",
    file: "host/cleaner.js",
    find: "record, submitted: true }",
    replace: "record }",
    mistake: "the cleaner's move becomes durable before the copies do",
  },
  {
    name: "copies-not-written",
    file: "host/cleaner.js",
    find: "await engine.writeData(image, target.pblock);",
    replace: "engine.pending.put(target.pblock, image.subarray(0, blockSize));",
    mistake: "the cleaner leaves its copies to the next write-out",
  },
  {
    name: "shared-block-freed",
    file: SEGMENTS,
    find: "if (references === 1) {\n                    freed++;",
    replace: "if (references <= 2) {\n                    freed++;",
    mistake: "a discard frees a block that a snapshot still has",
  },
  {
    name: "checksum-not-renewed",
    file: SEGMENTS,
    find: "record.written[i] = 1;\n                record.checksums[i] = checksums[done];",
    replace:
      "record.written[i] = 1;\n                record.checksums[i] ||= checksums[done] & 0xffff;",
    mistake: "a write to a preallocated block keeps half of its checksum",
  },
  {
    name: "shared-preallocation-written-in-place",
    file: "host/pieces.js",
    find: "unwritten && !isShared(i) && record?.written[first + i] !== 1",
    replace: "unwritten && !isShared(i)",
    mistake: "a preallocated block that held a clone's data is written in place",
    first: 24,
  },
];
