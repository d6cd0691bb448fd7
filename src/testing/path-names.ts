/**
 * Paths as programs give them, and what they lead to on a simulated disk. Relative paths begin at
 * the root. There are no symbolic links, so the text alone says what a path leads to.
 */
import type { PathLike } from "node:fs";
import { resolve } from "node:path/posix";
import { fileURLToPath } from "node:url";
import { systemError } from "./disk-errors.ts";
import type { SimulatedDisk } from "./disk.ts";
import type { FoundNode } from "./file-stats.ts";

export interface PathName {
  /** As the program gave it, for its errors. */
  given: string;
  /** From the root on, for the disk and its hook. */
  path: string;
}

export function nameOf(path: PathLike): PathName {
  const given = textOf(path);
  if (given.includes("\0")) {
    const error = new TypeError("The argument 'path' must be a string without null bytes");
    throw Object.assign(error, { code: "ERR_INVALID_ARG_VALUE" });
  }
  return { given, path: resolve("/", given) };
}

function textOf(path: PathLike): string {
  if (typeof path === "string") return path;
  if (path instanceof URL) return fileURLToPath(path);
  if (path instanceof Uint8Array) return Buffer.from(path).toString();
  const error = new TypeError(`The "path" argument must be a string, a Buffer or a URL`);
  throw Object.assign(error, { code: "ERR_INVALID_ARG_TYPE" });
}

/** The longest name that Linux takes, in bytes. */
const MOST_NAME_BYTES = 255;

/**
 * All on the way must be folders: `ENOENT`, or `ENOTDIR` where a file stands in the way. No name
 * may be too long: `ENAMETOOLONG`.
 */
export function checkAbove(disk: SimulatedDisk, { given }: PathName): void {
  if (given === "") throw systemError("ENOENT", "stat");
  const parts = given.split("/").filter((part) => part !== "");
  let above = "/";
  for (const part of parts.slice(0, -1)) {
    checkLength(part);
    above = resolve(above, part);
    const found = disk.find(above);
    if (!found) throw systemError("ENOENT", "stat");
    if (found.is === "file") throw systemError("ENOTDIR", "stat");
  }
  checkLength(parts.at(-1) ?? "");
}

function checkLength(part: string): void {
  if (Buffer.byteLength(part) > MOST_NAME_BYTES) throw systemError("ENAMETOOLONG", "stat");
}

/** What is there, if the folder above is. A slash at the end asks for a folder. */
export function lookup(disk: SimulatedDisk, name: PathName): FoundNode | undefined {
  checkAbove(disk, name);
  const found = disk.find(name.path);
  if (found?.is === "file" && endsInSlash(name)) throw systemError("ENOTDIR", "stat");
  return found;
}

/** The same, where something must be. */
export function existing(disk: SimulatedDisk, name: PathName): FoundNode {
  const found = lookup(disk, name);
  if (!found) throw systemError("ENOENT", "stat");
  return found;
}

/** The last name as it is written, which may be `.` or `..`. */
export function lastPart({ given }: PathName): string {
  return given.split("/").findLast((part) => part !== "") ?? "";
}

export function endsInSlash({ given }: PathName): boolean {
  return given.endsWith("/");
}
