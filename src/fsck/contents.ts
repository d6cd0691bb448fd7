/**
 * The values of an image, decoded one by one with the codecs of `format/`, none believed before its
 * seal and its shape were found right. What cannot be decoded becomes a finding and is left out;
 * the rest is there to be looked at.
 */
import {
  decodeBusy,
  decodeLivePage,
  decodeNumberPage,
  decodeReferences,
  decodeState,
  decodeSubvolume,
  kinds,
  PAGE_ENTRIES,
  type StateValue,
  type SubvolumeEntry,
} from "../format/checkpoint-values.ts";
import { CLOSING_ID, type ClosingRecord, decodeClosing } from "../format/closing-record.ts";
import { decodeNode, entriesPerNode, type MapNode } from "../format/map-node.ts";
import { open as openSealed, SEAL_BYTES } from "../format/sealed-value.ts";
import { decodeSegmentRecord, type SegmentRecord } from "../format/segment-record.ts";
import { type Geometry, segmentsOnPage } from "../space/geometry.ts";
import type { FindingPlace } from "./finding.ts";
import { reasonOf, type Report } from "./findings.ts";
import type { Image } from "./image.ts";

/**
 * Values of one kind by their ids; `null` where there is one that makes no sense. Most of a store
 * are map nodes and segment records, of which each look decodes one anew.
 */
export interface Values<T> extends Iterable<[id: number, value: T | null]> {
  get(id: number): T | null | undefined;
  keys(): Iterable<number>;
}

/** What of an image makes sense. */
export interface Contents {
  closing: ClosingRecord | undefined;
  state: StateValue | undefined;
  subvolumes: Map<number, SubvolumeEntry>;
  nodes: Values<MapNode>;
  references: Map<number, number>;
  segments: Values<SegmentRecord>;
  /** By segment. */
  live: Uint16Array;
  busy: Map<number, Uint8Array>;
  dead: number[];
  changedKeys: number[];
  /** Subvolumes whose values make no sense. */
  lostSubvolumes: number[];
}

const names = new Map<number, string>(Object.entries(kinds).map(([name, kind]) => [kind, name]));

/** A value by kind and id, as findings name it. */
function valueName(kind: number, id: number): string {
  return `${names.get(kind) ?? `kind ${kind}`} ${id}`;
}

/** Decodes everything; findings go to `report`. */
export function readContents(image: Image, geometry: Geometry, report: Report): Contents {
  const reader = new ValueReader(image, report);
  const capacity = entriesPerNode(geometry.nodeSize);
  const { segments, segmentBlocks } = geometry;
  const subvolumes = reader.all(kinds.subvolume, (body, id) => {
    const entry = decodeSubvolume(body);
    if (entry.id !== id) throw new Error(`it says that it is subvolume ${entry.id}`);
    return entry;
  });
  const contents: Contents = {
    closing: readClosing(image, report),
    state: reader.all(kinds.state, decodeState, 1).get(0) ?? undefined,
    subvolumes: new Map(),
    nodes: reader.each(kinds.node, (body) => decodeNode(body, capacity)),
    references: new Map(),
    segments: reader.each(
      kinds.segment,
      (body) => decodeSegmentRecord(body, segmentBlocks),
      segments,
    ),
    live: readLive(reader, geometry),
    busy: new Map(),
    dead: readPages(reader, kinds.deadNodes, report),
    changedKeys: readPages(reader, kinds.changedKeys, report),
    lostSubvolumes: [],
  };
  for (const [id, entry] of subvolumes) {
    if (entry) contents.subvolumes.set(id, entry);
    else contents.lostSubvolumes.push(id);
  }
  for (const [id, count] of reader.all(kinds.nodeReferences, decodeReferences)) {
    if (count !== null) contents.references.set(id, count);
  }
  const busy = reader.all(kinds.busy, (body) => decodeBusy(body, segmentBlocks), segments);
  for (const [id, bitmap] of busy) {
    if (bitmap) contents.busy.set(id, bitmap);
  }
  for (const kind of image.kinds()) {
    if (!names.has(kind)) report("C007", `there are values of the unknown kind ${kind}`);
  }
  for (const [id] of image.scan(kinds.closing)) {
    if (id !== CLOSING_ID) report("C007", `there is a closing record under the id ${id}`);
  }
  return contents;
}

class ValueReader {
  readonly #image: Image;
  readonly #report: Report;

  constructor(image: Image, report: Report) {
    this.#image = image;
    this.#report = report;
  }

  /** Every value of a kind, `null` where it makes no sense; ids from `limit` on cannot be. */
  all<T>(
    kind: number,
    decode: (body: Uint8Array, id: number) => T,
    limit = Infinity,
  ): Map<number, T | null> {
    const values = new Map<number, T | null>();
    for (const { id, value } of this.#possible(kind, limit)) {
      values.set(id, this.#decode(kind, id, value, decode));
    }
    return values;
  }

  /** As {@link all}, but a value that makes sense is forgotten, and decoded again when wanted. */
  each<T>(kind: number, decode: (body: Uint8Array, id: number) => T, limit = Infinity): Values<T> {
    const ids = new Set<number>();
    const bad = new Set<number>();
    for (const { id, value } of this.#possible(kind, limit)) {
      ids.add(id);
      if (this.#decode(kind, id, value, decode) === null) bad.add(id);
    }
    const image = this.#image;
    const get = (id: number): T | null | undefined => {
      if (!ids.has(id)) return undefined;
      if (bad.has(id)) return null;
      const value = image.get(kind, id)!;
      return decode(value.subarray(0, value.length - SEAL_BYTES), id);
    };
    return {
      get,
      keys: () => ids,
      *[Symbol.iterator]() {
        for (const id of ids) yield [id, get(id) ?? null];
      },
    };
  }

  *#possible(kind: number, limit: number): Generator<{ id: number; value: Uint8Array }> {
    for (const [id, value] of this.#image.scan(kind)) {
      if (id < limit) yield { id, value };
      else {
        const what = valueName(kind, id);
        this.#report("C010", `${what} is beyond the last possible id`, { value: what });
      }
    }
  }

  #decode<T>(
    kind: number,
    id: number,
    value: Uint8Array,
    decode: (body: Uint8Array, id: number) => T,
  ): T | null {
    const where: FindingPlace = { value: valueName(kind, id) };
    let body: Uint8Array;
    try {
      body = openSealed(kind, id, value);
    } catch {
      this.#report("C005", `${valueName(kind, id)} does not match its seal`, where);
      return null;
    }
    try {
      return decode(body, id);
    } catch (error) {
      this.#report("C006", `${valueName(kind, id)} makes no sense: ${reasonOf(error)}`, where);
      return null;
    }
  }
}

function readLive(reader: ValueReader, geometry: Geometry): Uint16Array {
  const live = new Uint16Array(geometry.segments);
  const pages = Math.ceil(geometry.segments / PAGE_ENTRIES);
  const read = reader.all(
    kinds.segmentLive,
    (body, page) => decodeLivePage(body, segmentsOnPage(geometry, page)),
    pages,
  );
  for (const [page, counts] of read) if (counts) live.set(counts, page * PAGE_ENTRIES);
  return live;
}

/** All numbers on the pages of a list, which begin with page 0 and are full but for the last. */
function readPages(reader: ValueReader, kind: number, report: Report): number[] {
  const numbers: number[] = [];
  const pages = [...reader.all(kind, decodeNumberPage)];
  pages.forEach(([id, page], i) => {
    const full = page === null || i === pages.length - 1 || page.length === PAGE_ENTRIES;
    if (id !== i || !full || page?.length === 0) {
      report("C011", `the pages of ${names.get(kind)} have a gap at page ${i}`, {
        value: valueName(kind, i),
      });
    }
    for (const number of page ?? []) numbers.push(number);
  });
  return numbers;
}

function readClosing(image: Image, report: Report): ClosingRecord | undefined {
  const value = image.closing;
  if (!value) {
    if (image.size > 0) report("C002", "there are values, and no closing record");
    return undefined;
  }
  try {
    const closing = decodeClosing(value);
    checkClosing(image, closing, report);
    return closing;
  } catch (error) {
    report("C003", `the closing record makes no sense: ${reasonOf(error)}`, {
      value: valueName(kinds.closing, 0),
    });
    return undefined;
  }
}

function checkClosing(image: Image, closing: ClosingRecord, report: Report): void {
  if (closing.count !== image.size) {
    report("C004", `there are ${image.size} values, and the closing record says ${closing.count}`);
  } else if (closing.digest !== image.digest) {
    report("C004", "the digest of the values is not that of the closing record");
  }
}
