/**
 * From the lines of a dump to an image. They were written by anybody: every number is looked at,
 * nothing is taken for what it is not, and what comes out is checked like the values of any other
 * checkpoint before it is written.
 */
import { MAX_NAME_BYTES } from "../base/arguments.ts";
import { BlockspaceError, isBlockspaceError, messageOf } from "../base/errors.ts";
import { MiB } from "../base/units.ts";
import { MAX_ID } from "../format/checkpoint-key.ts";
import { MAX_SUBVOLUME_ID, type SubvolumeEntry } from "../format/checkpoint-values.ts";
import {
  entriesPerNode,
  LENGTH_MASK,
  type MapNode,
  newBranch,
  newLeaf,
  UNWRITTEN,
} from "../format/map-node.ts";
import { newSegmentRecord, type SegmentRecord } from "../format/segment-record.ts";
import { decodeSuperblock, encodeSuperblock, type Superblock } from "../format/superblock.ts";
import { type Geometry, geometryOf } from "../space/geometry.ts";
import {
  DUMP_FORMAT,
  DUMP_VERSION,
  type DumpHeader,
  type DumpNode,
  type DumpSegment,
} from "./dump.ts";
import { Image } from "./image.ts";
import { writeImage } from "./image-writing.ts";

/** A longer line is none of ours. */
const MAX_LINE: number = 64 * MiB;
const MAX_LEVEL = 255;
/** Of a pblock, a family in a segment, a checksum or a count of references. */
const MAX_U32: number = 2 ** 32 - 1;

/** What a dump says. */
export interface Restored {
  superblock: Superblock;
  skeleton: boolean;
  lsn: number;
  image: Image;
}

/** Reads the lines of a dump; `ECORRUPT` with the number of the line that makes no sense. */
export async function readDump(lines: AsyncIterable<string>): Promise<Restored> {
  let reader: DumpReader | undefined;
  let number = 0;
  for await (const line of lines) {
    number++;
    try {
      if (line.length > MAX_LINE) refuse(`it has ${line.length} characters`);
      const value: unknown = JSON.parse(line);
      if (typeof value !== "object" || value === null) refuse("it is no object");
      if (reader) reader.take(value as Record<string, unknown>, number);
      else reader = new DumpReader(value as Record<string, unknown>);
    } catch (error) {
      if (isBlockspaceError(error, "ENOTSUP")) throw error;
      const reason = messageOf(error).replace(/^[A-Z]+: /, "");
      throw new BlockspaceError("ECORRUPT", `line ${number} of the dump makes no sense: ${reason}`);
    }
  }
  if (!reader) throw new BlockspaceError("ECORRUPT", "the dump is empty");
  return reader.end();
}

function refuse(reason: string): never {
  throw new BlockspaceError("ECORRUPT", reason);
}

/** A whole number up to `most`. */
function whole(what: string, value: unknown, most: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= most) {
    return value;
  }
  return refuse(`${what} is ${JSON.stringify(value)}; allowed are whole numbers up to ${most}`);
}

function rowsOf(what: string, value: unknown, most: number): unknown[][] {
  if (!Array.isArray(value) || value.length > most || !value.every(Array.isArray)) {
    refuse(`${what} is no list of at most ${most} lists`);
  }
  return value as unknown[][];
}

class DumpReader {
  readonly #superblock: Superblock;
  readonly #geometry: Geometry;
  readonly #header: DumpHeader;
  readonly #capacity: number;
  readonly #entries: SubvolumeEntry[] = [];
  readonly #nodes = new Map<number, MapNode>();
  readonly #segments = new Map<number, SegmentRecord>();
  #ended = false;

  constructor(header: Record<string, unknown>) {
    if (header["type"] !== "store" || header["format"] !== DUMP_FORMAT) refuse("it begins no dump");
    if (header["version"] !== DUMP_VERSION) {
      const version = JSON.stringify(header["version"]);
      const message = `the dump has version ${version}; this library knows ${DUMP_VERSION}`;
      throw new BlockspaceError("ENOTSUP", message);
    }
    this.#header = header as unknown as DumpHeader;
    for (const name of ["lsn", "nextNode"] as const) whole(name, header[name]);
    whole("nextSubvolume", header["nextSubvolume"], MAX_SUBVOLUME_ID + 1);
    const { uuid } = this.#header.superblock;
    if (!/^[0-9a-f]{32}$/.test(uuid)) refuse("its uuid is none");
    const superblock = { ...this.#header.superblock, uuid: Buffer.from(uuid, "hex") };
    this.#superblock = decodeSuperblock(encodeSuperblock(superblock));
    this.#geometry = geometryOf(this.#superblock);
    this.#capacity = entriesPerNode(this.#geometry.nodeSize);
  }

  take(line: Record<string, unknown>, number: number): void {
    if (this.#ended) refuse("it follows the end");
    switch (line["type"]) {
      case "subvolume":
        this.#entries.push(this.#subvolume(line));
        return;
      case "node":
        this.#node(line as unknown as DumpNode);
        return;
      case "segment":
        this.#segment(line as unknown as DumpSegment);
        return;
      case "end":
        if (line["lines"] !== number - 1) refuse(`${JSON.stringify(line["lines"])} lines are due`);
        this.#ended = true;
        return;
      default:
        refuse(`it is of the unknown type ${JSON.stringify(line["type"])}`);
    }
  }

  end(): Restored {
    if (!this.#ended) throw new BlockspaceError("ECORRUPT", "the dump is cut short");
    const image = new Image();
    const parts = { entries: this.#entries, nodes: this.#nodes, segments: this.#segments };
    const { lsn, nextNode, nextSubvolume, skeleton } = this.#header;
    const counters = { lsn, nextNode, nextSubvolume, journalChecksum: 0 };
    writeImage(image, this.#geometry, parts, counters);
    return { superblock: this.#superblock, skeleton, lsn, image };
  }

  #subvolume(line: Record<string, unknown>): SubvolumeEntry {
    const { name, readOnly } = line;
    if (typeof name !== "string" || Buffer.byteLength(name) > MAX_NAME_BYTES)
      refuse("its name is none");
    if (typeof readOnly !== "boolean") refuse("readOnly is neither true nor false");
    const numbers = { size: 0, source: 0, family: 0, root: 0, created: 0, id: 0 };
    for (const key of Object.keys(numbers) as (keyof typeof numbers)[]) {
      numbers[key] = whole(key, line[key]);
    }
    for (const key of ["id", "source", "family"] as const) whole(key, line[key], MAX_SUBVOLUME_ID);
    return { name, readOnly, ...numbers };
  }

  #node(line: DumpNode): void {
    const id = whole("id", line.id, MAX_ID);
    const level = whole("level", line.level, MAX_LEVEL);
    const rows = rowsOf("entries", line.entries, this.#capacity);
    if (rows.length === 0) refuse("it has no entries");
    if (level === 0) {
      const leaf = newLeaf(this.#capacity);
      for (const [vblock, pblock, count, written] of rows) {
        leaf.vblocks[leaf.count] = whole("a vblock", vblock, MAX_ID);
        leaf.pblocks[leaf.count] = whole("a pblock", pblock, MAX_U32);
        const length = whole("a count", count, LENGTH_MASK);
        leaf.lengths[leaf.count] = whole("written", written, 1) === 1 ? length : length | UNWRITTEN;
        leaf.count++;
      }
      this.#nodes.set(id, leaf);
      return;
    }
    const branch = newBranch(level, this.#capacity);
    for (const [key, child] of rows) {
      branch.keys[branch.count] = whole("a key", key, MAX_ID);
      branch.children[branch.count] = whole("a child", child, MAX_ID);
      branch.count++;
    }
    this.#nodes.set(id, branch);
  }

  #segment(line: DumpSegment): void {
    const { segments, segmentBlocks } = this.#geometry;
    const id = whole("id", line.id, segments - 1);
    const record = newSegmentRecord(segmentBlocks);
    for (const [index, references, family, vblock, checksum] of rowsOf(
      "blocks",
      line.blocks,
      segmentBlocks,
    )) {
      const i = whole("an index", index, segmentBlocks - 1);
      record.refs.set(i, whole("references", references, MAX_U32));
      record.families.set(i, whole("a family", family, MAX_U32));
      record.vblocks.set(i, whole("a vblock", vblock, MAX_ID));
      if (checksum === undefined) continue;
      record.written[i] = 1;
      record.checksums[i] = whole("a checksum", checksum, MAX_U32);
    }
    this.#segments.set(id, record);
  }
}
