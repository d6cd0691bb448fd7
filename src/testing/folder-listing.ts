/** What `readdir` gives: names or entries, of one folder or of all below it. */
import type { Dirent, PathLike } from "node:fs";
import { join, relative } from "node:path/posix";
import type { ListOptions } from "./call-options.ts";
import { nameOf } from "./path-names.ts";
import type { WholeCalls } from "./whole-calls.ts";

export function listOf(
  calls: WholeCalls,
  path: PathLike,
  options?: ListOptions | string | null,
): string[] | Dirent[] {
  const given = typeof options === "object" ? options : undefined;
  if (given?.recursive) {
    const entries = calls.entriesBelow(path);
    if (given.withFileTypes) return entries;
    const above = nameOf(path).given;
    return entries.map(({ parentPath, name }) => relative(above, join(parentPath, name)));
  }
  return given?.withFileTypes ? calls.names.entries(path) : calls.names.list(path);
}
