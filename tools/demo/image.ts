/**
 * The input of the demo: an ext4 image of this repository's own sources, made by the system's
 * `mke2fs -d`; where that is missing, a plain file that holds them one after the other.
 */
import { appendFile, cp, mkdir, open, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { MiB } from "blockspace";
import { findProgram, run } from "./programs.ts";

const MOST_IN_ONE_READ: number = 4 * MiB;

/** Makes an image of the repository at `root` in `scratch`; its path, and what it is. */
export async function makeImage(
  root: string,
  scratch: string,
): Promise<{ path: string; what: string }> {
  const tree = join(scratch, "tree");
  await mkdir(tree);
  const names = ["src", "test", "tools", ...(await readdir(root)).filter((n) => n.endsWith(".md"))];
  for (const name of names) await cp(join(root, name), join(tree, name), { recursive: true });
  const path = join(scratch, "source.img");
  const mke2fs = findProgram("mke2fs");
  if (mke2fs) {
    await run(mke2fs, ["-q", "-t", "ext4", "-d", tree, path, "32M"]);
    return { path, what: "an ext4 image of the source tree" };
  }
  const entries = await readdir(tree, { recursive: true, withFileTypes: true });
  for (const entry of entries) {
    if (entry.isFile()) await appendFile(path, await readFile(join(entry.parentPath, entry.name)));
  }
  return { path, what: "a plain file of all sources" };
}

/** True when the image holds an ext file system in which `e2fsck -fn` finds nothing. */
export async function isCleanExt(path: string): Promise<boolean> {
  const e2fsck = findProgram("e2fsck");
  if (!e2fsck) return false;
  try {
    await run(e2fsck, ["-fn", path]);
    return true;
  } catch {
    return false;
  }
}

/** Throws unless two files are the same, byte for byte. */
export async function compareFiles(a: string, b: string): Promise<void> {
  const size = (await stat(a)).size;
  if ((await stat(b)).size !== size) throw new Error(`${a} and ${b} differ in size`);
  const [left, right] = [await open(a), await open(b)];
  try {
    const buffers = [Buffer.alloc(MOST_IN_ONE_READ), Buffer.alloc(MOST_IN_ONE_READ)] as const;
    for (let offset = 0; offset < size; offset += MOST_IN_ONE_READ) {
      const length = Math.min(MOST_IN_ONE_READ, size - offset);
      await Promise.all([
        left.read(buffers[0], 0, length, offset),
        right.read(buffers[1], 0, length, offset),
      ]);
      if (buffers[0].compare(buffers[1], 0, length, 0, length) === 0) continue;
      throw new Error(`${a} and ${b} differ between ${offset} and ${offset + length}`);
    }
  } finally {
    await left.close();
    await right.close();
  }
}
