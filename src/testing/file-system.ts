/**
 * The face of a simulated disk that looks like `node:fs/promises`, to be handed to a program under
 * test in its place.
 *
 * It has the calls that code for storage uses, in all their shapes, with the results and the errors
 * that node gives on Linux. A call does its first step when it is made and is done when its promise
 * resolves; a flush covers only what was done before it was called, names and bytes alike. Paths
 * are absolute, or begin at the root. Symbolic links, owners, modes and times are not simulated,
 * nor are streams; an `AbortSignal` is not looked at, for no call waits.
 */
import { constants, type OpenMode, type PathLike, type StatOptions } from "node:fs";
import type * as promises from "node:fs/promises";
import {
  type ContentArgument,
  contentOf,
  contentOptions,
  type FolderArgument,
  isRecursive,
  type ListOptions,
  type RemoveOptions,
} from "./call-options.ts";
import type { SimulatedDisk } from "./disk.ts";
import { listOf } from "./folder-listing.ts";
import { SimulatedFileHandle } from "./simulated-file-handle.ts";
import { runInTurns, type Steps } from "./steps.ts";
import { bytesOf } from "./transfer-arguments.ts";
import { WholeCalls } from "./whole-calls.ts";

/** The part of `node:fs/promises` that is simulated. */
export type SimulatedFileSystem = Pick<
  typeof promises,
  | "access"
  | "appendFile"
  | "chmod"
  | "chown"
  | "constants"
  | "copyFile"
  | "lchown"
  | "link"
  | "lstat"
  | "lutimes"
  | "mkdir"
  | "mkdtemp"
  | "open"
  | "readFile"
  | "readdir"
  | "realpath"
  | "rename"
  | "rm"
  | "rmdir"
  | "stat"
  | "truncate"
  | "unlink"
  | "utimes"
  | "writeFile"
>;

type File = PathLike | SimulatedFileHandle;

/** What a program that expects `node:fs/promises` is given instead. */
export function fileSystem(disk: SimulatedDisk): SimulatedFileSystem {
  const calls = new WholeCalls(disk);
  const face = { constants, ...ofContent(disk, calls), ...ofNames(disk, calls) };
  // The overloads of node cannot be written down twice; the suite that runs against both faces
  // holds the shapes together.
  return face satisfies Record<
    keyof SimulatedFileSystem,
    unknown
  > as unknown as SimulatedFileSystem;
}

/** Calls that read and write. */
function ofContent(disk: SimulatedDisk, calls: WholeCalls) {
  const run = async <T>(steps: Steps<T>): Promise<T> => runInTurns(disk, steps);
  const write = async (file: File, data: unknown, given: ContentArgument, flag: OpenMode) => {
    const options = contentOptions(given);
    const bytes = bytesOf(data, options.encoding);
    // Of a handle that it is given, node does not flush anything.
    const flush = options.flush === true && !(file instanceof SimulatedFileHandle);
    await run(calls.writeFile(opened(file), bytes, { flag: options.flag ?? flag, flush }));
  };
  return {
    open: async (path: PathLike, flags?: OpenMode | null) =>
      new SimulatedFileHandle(disk, calls, await run(calls.names.open(path, flags))),
    readFile: async (file: File, options?: ContentArgument) =>
      contentOf(await run(calls.readFile(opened(file), contentOptions(options).flag)), options),
    writeFile: async (file: File, data: unknown, options?: ContentArgument) =>
      write(file, data, options, "w"),
    appendFile: async (file: File, data: unknown, options?: ContentArgument) =>
      write(file, data, options, "a"),
    truncate: async (path: PathLike, size?: number | null) => run(calls.truncate(path, size ?? 0)),
    copyFile: async (from: PathLike, to: PathLike, mode?: number) =>
      run(calls.copyFile(from, to, mode)),
  };
}

/** Calls that change or look up names. */
function ofNames(disk: SimulatedDisk, calls: WholeCalls) {
  const { names } = calls;
  const run = async <T>(steps: Steps<T>): Promise<T> => runInTurns(disk, steps);
  return {
    rename: async (from: PathLike, to: PathLike) => run(names.rename(from, to)),
    link: async (from: PathLike, to: PathLike) => run(names.link(from, to)),
    unlink: async (path: PathLike) => run(names.unlink(path)),
    rmdir: async (path: PathLike) => run(names.rmdir(path)),
    rm: async (path: PathLike, options?: RemoveOptions) => run(calls.remove(path, options ?? {})),
    mkdir: async (path: PathLike, options?: FolderArgument) =>
      run<string | undefined | void>(isRecursive(options) ? calls.mkdirs(path) : names.mkdir(path)),
    mkdtemp: async (prefix: string) => run(calls.mkdtemp(prefix)),
    readdir: async (path: PathLike, options?: ListOptions | string | null) =>
      listOf(calls, path, options),
    stat: async (path: PathLike, options?: StatOptions) => names.stat(path, options),
    lstat: async (path: PathLike, options?: StatOptions) => names.stat(path, options, "lstat"),
    access: async (path: PathLike) => void names.find(path, "access"),
    realpath: async (path: PathLike) => names.realpath(path),
    chmod: async (path: PathLike) => void names.find(path, "chmod"),
    chown: async (path: PathLike) => void names.find(path, "chown"),
    lchown: async (path: PathLike) => void names.find(path, "lchown"),
    utimes: async (path: PathLike) => void names.find(path, "utime"),
    lutimes: async (path: PathLike) => void names.find(path, "lutime"),
  };
}

function opened(file: File): PathLike | number {
  return file instanceof SimulatedFileHandle ? file.fd : file;
}
