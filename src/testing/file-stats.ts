/**
 * What `stat` and `readdir` tell of a file or folder of a simulated disk. Times, owners and the
 * number of links are not simulated: times are always 0, so that runs are the same.
 */
import type { BigIntStats, Dirent, Stats, StatOptions } from "node:fs";
import type { NodeNumber } from "./disk-image.ts";
import type { SimulatedDisk } from "./disk.ts";
import { PAGE_BYTES } from "./file-bytes.ts";

export interface FoundNode {
  node: NodeNumber;
  is: "file" | "folder";
}

const modes = { file: 0o100644, folder: 0o040755 } as const;
/** The unit in which `stat` counts what a file takes. */
const BLOCK_BYTES = 512;

export function statsOf(
  disk: SimulatedDisk,
  { node, is }: FoundNode,
  options?: StatOptions,
): Stats | BigIntStats {
  const occupiedBytes = is === "file" ? disk.occupiedBytesOf(node) : PAGE_BYTES;
  const numbers = {
    dev: 1,
    ino: node,
    mode: modes[is],
    nlink: 1,
    uid: 0,
    gid: 0,
    rdev: 0,
    size: is === "file" ? disk.sizeOf(node) : PAGE_BYTES,
    blksize: PAGE_BYTES,
    blocks: occupiedBytes / BLOCK_BYTES,
    atimeMs: 0,
    mtimeMs: 0,
    ctimeMs: 0,
    birthtimeMs: 0,
  };
  const never = new Date(0);
  const times = { atime: never, mtime: never, ctime: never, birthtime: never };
  if (!options?.bigint) return { ...numbers, ...times, ...questions(is) };
  return { ...inBigints(numbers), ...times, ...questions(is) } as BigIntStats;
}

/** An entry of a folder, as `readdir` gives it `withFileTypes`. */
export function entryOf(name: string, folder: string, is: FoundNode["is"]): Dirent {
  return { name, parentPath: folder, ...questions(is) } as Dirent;
}

function questions(
  is: FoundNode["is"],
): Pick<Stats, "isFile" | "isDirectory"> & typeof nothingElse {
  return { isFile: () => is === "file", isDirectory: () => is === "folder", ...nothingElse };
}

const no = (): boolean => false;
const nothingElse = {
  isBlockDevice: no,
  isCharacterDevice: no,
  isSymbolicLink: no,
  isFIFO: no,
  isSocket: no,
};

function inBigints(numbers: Readonly<Record<string, number>>): Record<string, bigint> {
  const converted: Record<string, bigint> = {};
  for (const [name, value] of Object.entries(numbers)) {
    converted[name] = BigInt(value);
    if (name.endsWith("Ms")) converted[name.replace(/Ms$/, "Ns")] = BigInt(value) * 1_000_000n;
  }
  return converted;
}
