/**
 * A look at the file of an LMDB environment before it is opened to be used. LMDB believes its file:
 * a page that is not there ends the process by SIGBUS, a root or a page of a tree that makes no
 * sense by an assertion or worse, or later, in the middle of a commit.
 *
 * Both meta pages have to be what lmdb 3.5 (data version 2) writes, and both trees of the newer one
 * are walked, that of the free pages too. Values are not looked at: ours have pages of their own
 * and are sealed, so the trees are a hundredth of the file. A sound file may be shorter than its
 * meta page says, where its last pages were given out and freed within one transaction; it is
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
/** All bits that tell what a page is; the others tell what a transaction did with it. */
const KIND_BITS = 0x6f;
/** Bytes of a node before its key, and of the reference to a value on pages of its own. */
const NODE_BYTES = 8;
const REFERENCE_BYTES = 24;
/** Of a node in a leaf: its value is on pages of its own. No other flag is in use here. */
const BIG = 0x01;

/** What a meta page says; a tree without pages is left out. */
export interface Meta {
  pageSize: number;
  trees: Tree[];
  lastPage: number;
  transaction: number;
}

interface Tree {
  root: number;
  /** Levels; every leaf is on the last one. */
  depth: number;
  /** What a branch has at least; lmdb is not as strict with the tree of the free pages. */
  leastChildren: number;
}

/** Refuses a file that would take lmdb down, as far as a look can tell: `ECORRUPT`. */
export async function checkPages(device: Device): Promise<void> {
  await checkUsedPages(device, await newestMeta(device));
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
    trees: [...treeAt(view, 48, 1), ...treeAt(view, 96, 2)],
    lastPage: getU64(view, 144),
    transaction: getU64(view, 152),
  };
  const { pageSize, lastPage } = meta;
  const isPower = (pageSize & (pageSize - 1)) === 0;
  if (!isPower || pageSize < MIN_PAGE || pageSize > MAX_PAGE)
    refuse(device, `has pages of ${pageSize}`);
  if (lastPage < 1 || lastPage > MAX_PAGES) refuse(device, `has ${lastPage} as its last page`);
  for (const { root, depth } of meta.trees) {
    if (root < 2 || root > lastPage) refuse(device, `has page ${root} of ${lastPage} as a root`);
    if (depth < 1 || depth > MAX_DEPTH) refuse(device, `has a tree of ${depth} levels`);
  }
  return meta;
}

/** Bytes that begin as a meta page of lmdb's data version 2 does. */
export function isMetaPage(bytes: Uint8Array): boolean {
  const view = viewOf(bytes);
  const isMeta = view.getUint16(18, true) === flags.meta && view.getUint32(24, true) === MAGIC;
  return isMeta && view.getUint32(28, true) === VERSION;
}

/** The tree that lmdb describes at `at`, in 48 bytes; none where it has no pages. */
function treeAt(view: DataView, at: number, leastChildren: number): Tree[] {
  const root = at + 40;
  const none = view.getUint32(root, true) === NO_PAGE && view.getUint32(root + 4, true) === NO_PAGE;
  if (none) return [];
  return [{ root: getU64(view, root), depth: view.getUint16(at + 6, true), leastChildren }];
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
  const visit = async (page: number, levels: number, leastChildren: number): Promise<void> => {
    use(page, 1);
    const bytes = new Uint8Array(pageSize);
    await device.read(bytes, page * pageSize);
    const { isLeaf, children, runs } = readPage(bytes, page) ?? refusePage(device, page);
    if (isLeaf !== (levels === 1)) refusePage(device, page);
    if (!isLeaf && children.length < leastChildren) refusePage(device, page);
    for (const run of runs) use(run.page, run.count);
    for (const child of children) await visit(child, levels - 1, leastChildren);
  };
  for (const { root, depth, leastChildren } of meta.trees) await visit(root, depth, leastChildren);
  return used;
}

interface Page {
  isLeaf: boolean;
  children: number[];
  /** Pages with the values that are too large for a leaf. */
  runs: { page: number; count: number }[];
}

/**
 * What page `number` of a tree refers to; `undefined` when it is no such page, or has anything in
 * it that would lead lmdb out of it. Between a list of places, which ends at `lower`, and the end
 * of the page are its nodes, none of which begins before `upper`.
 */
function readPage(bytes: Uint8Array, number: number): Page | undefined {
  const view = viewOf(bytes);
  const kind = view.getUint16(18, true) & KIND_BITS;
  const isLeaf = kind === flags.leaf;
  if (getU64(view, 0) !== number || (!isLeaf && kind !== flags.branch)) return undefined;
  const lower = view.getUint16(20, true);
  const upper = view.getUint16(22, true);
  if (lower % 2 !== 0 || lower > upper || HEADER + upper > bytes.length) return undefined;
  const page: Page = { isLeaf, children: [], runs: [] };
  for (let at = 0; at < lower; at += 2) {
    const place = view.getUint16(HEADER + at, true);
    const node = HEADER + place;
    if (place < upper || node + NODE_BYTES > bytes.length) return undefined;
    const data = node + NODE_BYTES + view.getUint16(node + 6, true);
    if (!isLeaf) {
      if (data > bytes.length) return undefined;
      page.children.push(getU48(view, node));
      continue;
    }
    const nodeFlags = view.getUint16(node + 4, true);
    const length = nodeFlags === BIG ? REFERENCE_BYTES : view.getUint32(node, true);
    if ((nodeFlags !== 0 && nodeFlags !== BIG) || data + length > bytes.length) return undefined;
    if (nodeFlags === BIG) {
      page.runs.push({ page: getU64(view, data), count: getU64(view, data + 16) });
    }
  }
  return page;
}

function refusePage(device: Device, number: number): never {
  refuse(device, `has no page of a tree in place of page ${number}`);
}

function refuse({ path }: Device, reason: string): never {
  throw new BlockspaceError("ECORRUPT", `the file ${path} ${reason}`, { path });
}
