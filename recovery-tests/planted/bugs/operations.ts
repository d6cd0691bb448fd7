/** Mistakes in what a write, a read or a discard does to bytes. */
import type { PlantedBug } from "../bug.ts";

const PLANNER = "host/planner.js";

export const operationBugs: readonly PlantedBug[] = [
  {
    name: "checksum-not-checked-on-reading",
    file: "host/reading.js",
    find: "if (crc32(block) !== checksum)",
    replace: "if (image.length === 0)",
    mistake: "data is handed out whatever its checksum",
    first: 13,
  },
  {
    name: "read-past-pending-data",
    file: "host/reading.js",
    find: "const waiting = pending.get(pblock + i);",
    replace: "const waiting = count > 1 ? pending.get(pblock + i) : undefined;",
    mistake: "a read of one block does not see data that is still in memory",
  },
  {
    name: "tail-not-merged",
    file: PLANNER,
    find: "partial.push(last - 1);",
    replace: "partial.length += 0;",
    mistake: "a write that ends within a block leaves zeroes behind its end",
  },
  {
    name: "merge-ignores-its-own-plan",
    file: PLANNER,
    find: "const block = this.#draft.contents(entry.id, vblock) ??\n                (await",
    replace: "const block = (await",
    mistake: "a partial write in a transaction merges what was there before the transaction",
  },
  {
    name: "write-into-what-a-snapshot-shares",
    file: "host/draft.js",
    find: "if (index < this.#open)",
    replace: "if (index < 0)",
    mistake: "a transaction's snapshot gets what is written behind it in the same transaction",
  },
  {
    name: "cut-off-bytes-come-back",
    file: PLANNER,
    find: "if (size < entry.size && rest > 0) {",
    replace: "if (size < entry.size && rest > entry.size) {",
    mistake: "a subvolume that shrinks within a block and grows again shows its old bytes",
  },
  {
    name: "discard-forgets-its-ends",
    file: PLANNER,
    find: "if (last * blockSize < end) {",
    replace: "if (last * blockSize < end && first === last) {",
    mistake: "a discard that ends within a block leaves the rest as it was",
  },
];
