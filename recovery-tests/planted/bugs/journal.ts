/** Mistakes in writing the journal and in reading it back. */
import type { PlantedBug } from "../bug.ts";

const WRITER = "journal/journal.js";
/** Frames are what is written durably; only what cannot do both in one call is simulated. */
const DEVICE = "device/device.js";
const READER = "journal/reader.js";

export const journalBugs: readonly PlantedBug[] = [
  {
    name: "journal-not-flushed",
    file: DEVICE,
    find: "await device.write(chunks, offset);\n        await device.flush();",
    replace: "await device.write(chunks, offset);",
    mistake: "a frame is written and not flushed",
  },
  {
    name: "journal-flush-not-awaited",
    file: DEVICE,
    find: "await device.write(chunks, offset);\n        await device.flush();",
    replace: "await device.write(chunks, offset);\n        device.flush().catch(() => undefined);",
    mistake: "the journal's flush is begun and not waited for",
    first: 9,
  },
  {
    name: "journal-flush-before-write",
    file: DEVICE,
    find: "await device.write(chunks, offset);\n        await device.flush();",
    replace: "await device.flush();\n        await device.write(chunks, offset);",
    mistake: "flush and write of a frame are swapped",
  },
  {
    name: "durable-lsn-too-high",
    file: WRITER,
    find: "durableLsn: this.#durableLsn,",
    replace: "durableLsn: batch.firstLsn + batch.commits - 1,",
    mistake: "a frame claims that it is durable itself",
    first: 6,
  },
  {
    name: "durable-lsn-stands-still",
    file: WRITER,
    find: "this.#durableLsn = batch.firstLsn + batch.commits - 1;",
    replace: "",
    mistake: "frames do not tell what was durable before them",
    first: 13,
  },
  {
    name: "file-header-not-flushed",
    file: WRITER,
    find: "await device.flush();\n        this.#used.push(",
    replace: "this.#used.push(",
    mistake: "a journal file's header is not durable before its first frame",
  },
  {
    name: "journal-name-not-synced",
    file: WRITER,
    find: "await directory.sync();\n        return device;",
    replace: "return device;",
    mistake: "the directory is not synced after a journal file was made",
  },
  {
    name: "sequence-starts-anew",
    file: WRITER,
    find: "this.#sequence = Math.max(this.#sequence, header?.sequence ?? 0);",
    replace: "",
    mistake: "an opened journal counts its files from one again",
  },
  {
    name: "header-alone-counts",
    file: WRITER,
    find: "header && !end.unproven.includes(file)",
    replace: "header",
    mistake: "a file with nothing but a header, which may not be durable, is taken for a successor",
    first: 6,
  },
  {
    name: "newest-file-recycled-on-opening",
    file: WRITER,
    find: "        }\n    }\n    /** Checksum of the last frame written. */",
    replace:
      "        }\n        if (this.#used.length > 1) this.#spare.push(this.#used.pop());\n    }\n" +
      "    /** Checksum of the last frame written. */",
    mistake: "an opened journal writes over its newest file instead of beginning a new one",
    first: 6,
  },
  {
    name: "recycled-one-commit-early",
    file: WRITER,
    find: "this.#used[1].firstLsn <= lsn + 1",
    replace: "this.#used[1].firstLsn <= lsn + 2",
    mistake: "a file is recycled while the last of its commits is needed",
    first: 23,
  },
  {
    name: "active-file-recycled",
    file: WRITER,
    find: "while (this.#used.length > 1 && this.#used[1].firstLsn <= lsn + 1) {",
    replace: "while (this.#used.length > 0 && this.#used[0].firstLsn <= lsn + 1) {",
    mistake: "a file is recycled by the first of its commits, not by the last",
  },
  {
    name: "frame-checksum-not-checked",
    file: "journal/frame-reader.js",
    find: "header?.length === length && header.checksum === crc32(bytes.subarray(CHECKSUM_FROM))",
    replace: "header?.length === length",
    mistake: "a frame is believed whatever its checksum",
  },
  {
    name: "frame-data-not-covered",
    file: "format/journal-frame.js",
    find: "for (const chunk of data)\n        checksum = crc32(chunk, checksum);",
    replace: "",
    mistake: "the checksum of a frame leaves out the data that it carries",
  },
  {
    name: "header-checksum-not-checked",
    file: "format/journal-frame.js",
    find: "header.checksum === crc32(covered) &&",
    replace: "covered.length > 0 &&",
    mistake: "the header of a journal file is believed whatever its checksum",
    first: 6,
  },
  {
    name: "old-frames-accepted",
    file: READER,
    find: "return header.firstLsn === this.#due && header.previous === this.#checksum;",
    replace: "return header.firstLsn <= this.#due;",
    mistake: "an older frame of a recycled file is accepted as the next one",
  },
  {
    name: "damage-taken-for-a-torn-tail",
    file: READER,
    find: "await this.#refuseDamage(place);",
    replace: "",
    mistake: "replay ends quietly before a damaged frame that was durable",
    first: 13,
  },
  {
    name: "cut-file-taken-for-its-end",
    file: READER,
    find: "if (place.file.isCut) {",
    replace: "if (place.file.isCut && place.file.size === 0) {",
    mistake: "a journal file that was cut off is read as if it ended there",
    first: 14,
  },
  {
    name: "last-frame-never-doubted",
    file: READER,
    find: "doubtful: this.#durableLsn < lsn ? this.#last : undefined,",
    replace: "doubtful: undefined,",
    mistake: "a frame that was read is taken to be durable",
    first: 6,
  },
  {
    name: "next-file-not-read",
    file: READER,
    find: "if (!this.#continuesIn(next))\n                    return await this.#end(place);",
    replace: "return await this.#end(place);",
    mistake: "replay ends with the file that it began with",
  },
];
