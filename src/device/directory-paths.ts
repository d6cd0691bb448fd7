/** What concerns directories of the file system as a whole: where they lie, and emptying them. */
import { readdir, realpath, rm } from "node:fs/promises";
import { basename, dirname, join, relative, sep } from "node:path";

/** True when `path`, which need not be there, lies below `directory`, wherever links lead. */
export async function liesBelow(path: string, directory: string): Promise<boolean> {
  const way = relative(await realPathOf(directory), await realPathOf(path));
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`);
}

/** Where a path really leads, as far as it is there. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch {
    const parent = dirname(path);
    return parent === path ? path : join(await realPathOf(parent), basename(path));
  }
}

/** Removes what is in a directory, but for the names that are to be kept. */
export async function removeEntries(
  path: string,
  kept: ReadonlySet<string> = new Set(),
): Promise<void> {
  for (const name of await readdir(path)) {
    if (!kept.has(name)) await rm(join(path, name), { recursive: true, force: true });
  }
}
