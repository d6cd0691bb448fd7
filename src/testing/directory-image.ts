/**
 * Between an image of a simulated disk and a directory of a real file system: to start a simulation
 * from what a program has left, and to let a real program open a crash state.
 */
import { link, lstat, mkdir, open, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { BlockspaceError } from "../base/errors.ts";
import { type DiskImage, type NodeNumber, ROOT } from "./disk-image.ts";
import { FileBytes, type FileImage, PAGE_BYTES } from "./file-bytes.ts";

/**
 * Writes all files and folders of the image into a directory, which is created if need be; holes
 * stay holes, and a file with several names is one file. What else is in the directory stays. Cells
 * are not files and are passed over.
 */
export async function writeImage(image: DiskImage, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFolder(image, ROOT, directory, new Map());
}

async function writeFolder(
  image: DiskImage,
  folder: NodeNumber,
  path: string,
  written: Map<NodeNumber, string>,
): Promise<void> {
  for (const [name, node] of image.folders.get(folder) ?? []) {
    const file = image.files.get(node);
    const below = join(path, name);
    const first = written.get(node);
    if (first !== undefined) {
      await rm(below, { force: true });
      await link(first, below);
    } else if (file) {
      await writeFile(file, below);
      written.set(node, below);
    } else {
      await mkdir(below, { recursive: true });
      await writeFolder(image, node, below, written);
    }
  }
}

async function writeFile(image: FileImage, path: string): Promise<void> {
  const file = await open(path, "w");
  try {
    for (const [number, page] of image.pages) {
      const start = number * PAGE_BYTES;
      const length = Math.min(PAGE_BYTES, image.size - start);
      if (length > 0) await file.write(page, 0, length, start);
    }
    await file.truncate(image.size);
  } finally {
    await file.close();
  }
}

/** All that is in a directory, as an image; `EINVAL` for what is neither file nor folder. */
export async function readImage(directory: string): Promise<DiskImage> {
  const files = new Map<NodeNumber, FileImage>();
  const folders = new Map<NodeNumber, ReadonlyMap<string, NodeNumber>>();
  /** By inode: a file may have several names. */
  const known = new Map<bigint, NodeNumber>();
  let nextNode = ROOT + 1;
  const read = async (folder: NodeNumber, path: string): Promise<void> => {
    const names = new Map<string, NodeNumber>();
    folders.set(folder, names);
    for (const name of (await readdir(path)).toSorted()) {
      const below = join(path, name);
      const stats = await lstat(below, { bigint: true });
      const node = known.get(stats.ino) ?? nextNode++;
      names.set(name, node);
      if (stats.isDirectory()) await read(node, below);
      else if (!stats.isFile()) throw notAFile(below);
      else if (!files.has(node)) files.set(node, imageOf(await readFile(below)));
      known.set(stats.ino, node);
    }
  };
  await read(ROOT, directory);
  return { files, folders, cells: new Map(), nextNode };
}

function imageOf(bytes: Uint8Array): FileImage {
  const file = new FileBytes();
  const zeroes = new Uint8Array(PAGE_BYTES);
  file.resize(bytes.length);
  for (let offset = 0; offset < bytes.length; offset += PAGE_BYTES) {
    const page = bytes.subarray(offset, offset + PAGE_BYTES);
    if (Buffer.compare(page, zeroes.subarray(0, page.length)) !== 0) file.write(page, offset);
  }
  return file.freeze();
}

function notAFile(path: string): BlockspaceError {
  return new BlockspaceError("EINVAL", `${path} is neither a file nor a folder`, { path });
}
