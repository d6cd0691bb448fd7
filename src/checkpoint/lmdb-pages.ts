/**
 * A look at the file of an LMDB environment before it is opened to be used. LMDB believes its file:
 * a page that is not there ends the process by SIGBUS, a root that makes no sense by an assertion.
 *
 * A look costs two small reads: both meta pages have to be what lmdb 3.5 (data version 2) writes.
 * The file of a sound environment may be shorter than its meta page says, where its last pages were
 * given out and freed within one transaction. So a file that is shorter is read through, and is
 * refused only where a page that is in use lies beyond its end.
 */
import { getU48, getU64, viewOf } from "../base/bytes.ts";
import { BlockspaceError } from "../base/errors.ts";
import type { Device } from "../device/device.ts";

const MIN_PAGE = 512;
const MAX_PAGE = 65536;
const HEADER = 24;
const META_BYTES = 168;
const MAGIC = 0xbeefc0de;
const VERSION = 2;
const NO_PAGE = 0xffffffff;
const MAX_PAGES: number = 2 ** 40;
/** As many levels as lmdb can go down. */
const MAX_DEPTH = 32;
const flags = { branch: 0x01, leaf: 0x02, meta: 0x08 } as const;
/** Of a node in a leaf: its value is on pages of its own. */
const BIG = 0x01;

/** What a meta page says; a tree without pages has no root. */
export interface Meta {
  pageSize: number;
  roots: number[];
  lastPage: number;
  transaction: number;
}

/** Refuses a file that would take lmdb down, as far as a look can tell: `ECORRUPT`. */
export async function checkPages(device: Device): Promise<void> {
  const meta = await newestMeta(device);
  if ((meta.lastPage + 1) * meta.pageSize > device.size) await checkUsedPages(device, meta);
}

/** The meta page that counts, when both make sense. */
export async function newestMeta(device: Device): Promise<Meta> {
  const first = await readMeta(device, 0, 0);
  const second = await readMeta(device, 1, first.pageSize);
  if (second.pageSize !== first.pageSize) refuse(device, "has two sizes of pages");
  return second.transaction > first.transaction ? second : first;
}

async function readMeta(device: Device, number: number, offset: number): Promise<Meta> {
  if (device.size < offset + META_BYTES) refuse(device, `has only ${device.size} bytes`);
  const bytes = new Uint8Array(META_BYTES);
  await device.read(bytes, offset);
  const view = viewOf(bytes);
  if (!isMetaPage(bytes) || getU64(view, 0) !== number)
    refuse(device, `has no meta page in place of page ${number}`);
  const meta = {
    pageSize: view.getUint32(48, true),
    roots: [rootAt(view, 88), rootAt(view, 136)].filter((root) => root !== undefined),
    lastPage: getU64(view, 144),
    transaction: getU64(view, 152),
  };
  const { pageSize, lastPage } = meta;
  const isPower = (pageSize & (pageSize - 1)) === 0;
  if (!isPower || pageSize < MIN_PAGE || pageSize > MAX_PAGE)
    refuse(device, `has pages of ${pageSize}`);
  if (lastPage < 1 || lastPage > MAX_PAGES) refuse(device, `has ${lastPage} as its last page`);
  for (const root of meta.roots) {
    if (root < 2 || root > lastPage) refuse(device, `has page ${root} of ${lastPage} as a root`);
  }
  return meta;
}

/** Bytes that begin as a meta page of lmdb's data version 2 does. */
export function isMetaPage(bytes: Uint8Array): boolean {
  const view = viewOf(bytes);
  const isMeta = view.getUint16(18, true) === flags.meta && view.getUint32(24, true) === MAGIC;
  return isMeta && view.getUint32(28, true) === VERSION;
}

function rootAt(view: DataView, at: number): number | undefined {
  const none = view.getUint32(at, true) === NO_PAGE && view.getUint32(at + 4, true) === NO_PAGE;
  return none ? undefined : getU64(view, at);
}

/** Walks both trees; returns how many pages they use, all of which are within the file. */
export async function checkUsedPages(device: Device, meta: Meta): Promise<number> {
  const { pageSize, lastPage } = meta;
  let used = 0;
  const use = (page: number, count: number): void => {
    used += count;
    if (page < 2 || page + count > lastPage + 1)
      refuse(device, `refers to page ${page} of ${lastPage}`);
    if ((page + count) * pageSize > device.size)
      refuse(device, `was cut short: page ${page} is in use`);
    // As many pages cannot be, unless some are used twice; that would have no end.
    if (used > lastPage) refuse(device, "uses a page twice");
  };
  const visit = async (page: number, depth: number): Promise<void> => {
    use(page, 1);
    const bytes = new Uint8Array(pageSize);
    await device.read(bytes, page * pageSize);
    const { children, runs } = readPage(device, viewOf(bytes), page);
    for (const run of runs) use(run.page, run.count);
    if (children.length > 0 && depth >= MAX_DEPTH) refuse(device, "has a tree that is too deep");
    for (const child of children) await visit(child, depth + 1);
  };
  for (const root of meta.roots) await visit(root, 1);
  return used;
}

interface Page {
  children: number[];
  /** Pages with the values that are too large for a leaf. */
  runs: { page: number; count: number }[];
}

function readPage(device: Device, view: DataView, number: number): Page {
  const kind = view.getUint16(18, true) & (flags.leaf | flags.branch);
  const isLeaf = kind === flags.leaf;
  if (getU64(view, 0) !== number || (!isLeaf && kind !== flags.branch)) {
    refuse(device, `has no page of a tree in place of page ${number}`);
  }
  const page: Page = { children: [], runs: [] };
  const nodes = view.getUint16(20, true) >> 1;
  try {
    for (let i = 0; i < nodes; i++) {
      const at = HEADER + view.getUint16(HEADER + 2 * i, true);
      if (!isLeaf) page.children.push(getU48(view, at));
      else if ((view.getUint16(at + 4, true) & BIG) !== 0) {
        const data = at + 8 + view.getUint16(at + 6, true);
        page.runs.push({ page: getU64(view, data), count: getU64(view, data + 16) });
      }
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    refuse(device, `has a node beyond the end of page ${number}`);
  }
  return page;
}

function refuse({ path }: Device, reason: string): never {
  throw new BlockspaceError("ECORRUPT", `the file ${path} ${reason}`, { path });
}
