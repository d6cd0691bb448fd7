/**
 * Everything that is on a simulated disk at one moment: folders of names, the bytes of files, and
 * cells. An image never changes; any number of disks can start from it.
 *
 * Files and folders are numbered, as inodes are: a name leads to a number, so a file is one thing
 * under all of its names.
 */
import {
  type Fingerprint,
  fingerprintOfText,
  placed,
  sum,
  NOTHING,
  toNumber,
} from "./fingerprint.ts";
import type { FileImage } from "./file-bytes.ts";

/** What a name leads to. */
export type NodeNumber = number;

/** The number of the topmost folder. */
export const ROOT: NodeNumber = 0;

export type Names = ReadonlyMap<string, NodeNumber>;

/**
 * A value that its medium replaces at once and durably or not at all, as a database does with a
 * transaction. The disk knows nothing of it but its fingerprint.
 */
export interface CellImage {
  readonly value: unknown;
  readonly fingerprint: number;
}

export interface DiskImage {
  readonly files: ReadonlyMap<NodeNumber, FileImage>;
  readonly folders: ReadonlyMap<NodeNumber, Names>;
  readonly cells: ReadonlyMap<string, CellImage>;
  /** No node has this number yet, nor a greater one. */
  readonly nextNode: NodeNumber;
}

export const EMPTY_IMAGE: DiskImage = {
  files: new Map(),
  folders: new Map([[ROOT, new Map()]]),
  cells: new Map(),
  nextNode: ROOT + 1,
};

const textFingerprints = new Map<string, Fingerprint>();

/** The same for two images exactly when a program that starts on them finds the same. */
export function fingerprintOfImage(image: DiskImage): number {
  const found: FoundFiles = { names: 0, nodes: new Set() };
  let total = ofFolder(image, ROOT, found);
  if (found.names > found.nodes.size) total = sum(total, placed(ofLinks(image), 2));
  for (const [name, { fingerprint }] of image.cells) {
    const own = { a: fingerprint | 0, b: Math.floor(fingerprint / 2 ** 32) | 0 };
    total = sum(total, placed(own, ofText(name).a));
  }
  return toNumber(placed(total, 0));
}

interface FoundFiles {
  names: number;
  nodes: Set<NodeNumber>;
}

function ofFolder(image: DiskImage, folder: NodeNumber, found: FoundFiles): Fingerprint {
  let total = NOTHING;
  for (const [name, node] of image.folders.get(folder) ?? []) {
    const text = ofText(name);
    const file = image.files.get(node);
    if (file) {
      found.names++;
      found.nodes.add(node);
    }
    const inner = file ? file.fingerprint : placed(ofFolder(image, node, found), 1);
    total = sum(total, placed(sum(inner, text), text.b));
  }
  return total;
}

/** Which names lead to the same file: what is written under one of them shows under the others. */
function ofLinks(image: DiskImage): Fingerprint {
  const paths = new Map<NodeNumber, string[]>();
  const visit = (folder: NodeNumber, above: string): void => {
    for (const [name, node] of image.folders.get(folder) ?? []) {
      const path = `${above}/${name}`;
      if (!image.files.has(node)) visit(node, path);
      else paths.set(node, [...(paths.get(node) ?? []), path]);
    }
  };
  visit(ROOT, "");
  let total = NOTHING;
  for (const names of paths.values()) {
    if (names.length === 1) continue;
    const all = names.reduce((one, path) => sum(one, fingerprintOfText(path)), NOTHING);
    total = sum(total, placed(all, names.length));
  }
  return total;
}

function ofText(text: string): Fingerprint {
  let known = textFingerprints.get(text);
  if (!known) textFingerprints.set(text, (known = fingerprintOfText(text)));
  return known;
}
