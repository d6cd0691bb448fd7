/**
 * The face of a simulated disk that looks like the synchronous half of `node:fs`. A call is done
 * when it returns. Descriptors are shared with the other face, so that `fsyncSync(handle.fd)` works
 * as it does in node.
 */
import { constants, type OpenMode, type PathLike, type StatOptions } from "node:fs";
import type * as fs from "node:fs";
import {
  type ContentArgument,
  contentOf,
  type ContentOptions,
  contentOptions,
  type FolderArgument,
  isRecursive,
  type ListOptions,
  type RemoveOptions,
} from "./call-options.ts";
import type { SimulatedDisk } from "./disk.ts";
import { listOf } from "./folder-listing.ts";
import { runNow } from "./steps.ts";
import {
  bytesOf,
  placeOf,
  readTransfer,
  type TransferOptions,
  viewOf,
  writeTransfer,
} from "./transfer-arguments.ts";
import { type PathOrDescriptor, WholeCalls } from "./whole-calls.ts";

type View = NodeJS.ArrayBufferView;

/** The part of the synchronous half of `node:fs` that is simulated. */
export type SimulatedFileSystemSync = Pick<
  typeof fs,
  | "accessSync"
  | "appendFileSync"
  | "chmodSync"
  | "chownSync"
  | "closeSync"
  | "constants"
  | "copyFileSync"
  | "existsSync"
  | "fchmodSync"
  | "fchownSync"
  | "fdatasyncSync"
  | "fstatSync"
  | "fsyncSync"
  | "ftruncateSync"
  | "futimesSync"
  | "lchownSync"
  | "linkSync"
  | "lstatSync"
  | "lutimesSync"
  | "mkdirSync"
  | "mkdtempSync"
  | "openSync"
  | "readFileSync"
  | "readSync"
  | "readdirSync"
  | "readvSync"
  | "realpathSync"
  | "renameSync"
  | "rmSync"
  | "rmdirSync"
  | "statSync"
  | "truncateSync"
  | "unlinkSync"
  | "utimesSync"
  | "writeFileSync"
  | "writeSync"
  | "writevSync"
>;

/** What a program that expects `node:fs` is given instead. */
export function fileSystemSync(disk: SimulatedDisk): SimulatedFileSystemSync {
  const calls = new WholeCalls(disk);
  const face = { constants, ...ofDescriptors(calls), ...ofContent(calls), ...ofNames(calls) };
  // As with the other face: node's overloads are not written down twice.
  return face satisfies Record<
    keyof SimulatedFileSystemSync,
    unknown
  > as unknown as SimulatedFileSystemSync;
}

/** Calls that take a descriptor. */
function ofDescriptors({ descriptors, names }: WholeCalls) {
  return {
    openSync: (path: PathLike, flags?: OpenMode | null) => runNow(names.open(path, flags)),
    closeSync: (fd: number) => descriptors.close(fd),
    readSync: (
      fd: number,
      buffer: View,
      offsetOrOptions?: number | TransferOptions | null,
      length?: number | null,
      position?: number | bigint | null,
    ) => {
      const { bytes, position: at } = readTransfer(buffer, offsetOrOptions, length, position);
      return runNow(descriptors.readSome(fd, bytes, at));
    },
    readvSync: (fd: number, buffers: readonly View[], position?: number | null) =>
      runNow(descriptors.readv(fd, buffers.map(viewOf), placeOf(position))),
    writeSync: (
      fd: number,
      data: View | string,
      offsetOrOptions?: number | TransferOptions | null,
      lengthOrEncoding?: number | string | null,
      position?: number | null,
    ) => {
      const place = writeTransfer(data, offsetOrOptions, lengthOrEncoding, position);
      return runNow(descriptors.write(fd, place.bytes, place.position));
    },
    writevSync: (fd: number, buffers: readonly View[], position?: number | null) =>
      runNow(descriptors.write(fd, Buffer.concat(buffers.map(viewOf)), placeOf(position))),
    ftruncateSync: (fd: number, size?: number | null) =>
      runNow(descriptors.truncate(fd, size ?? 0)),
    fsyncSync: (fd: number) => runNow(descriptors.sync(fd, "fsync")),
    fdatasyncSync: (fd: number) => runNow(descriptors.sync(fd, "fdatasync")),
    fstatSync: (fd: number, options?: StatOptions) => descriptors.stat(fd, options),
    fchmodSync: (fd: number) => descriptors.check(fd, "fchmod"),
    fchownSync: (fd: number) => descriptors.check(fd, "fchown"),
    futimesSync: (fd: number) => descriptors.check(fd, "futime"),
  };
}

/** Calls that read and write whole files. */
function ofContent(calls: WholeCalls) {
  const write = (file: PathOrDescriptor, data: unknown, given: ContentArgument, flag: OpenMode) => {
    const options = contentOptions(given);
    const bytes = bytesOf(data, options.encoding);
    const flush = options.flush === true && !isForgotten(data, options);
    runNow(calls.writeFile(file, bytes, { flag: options.flag ?? flag, flush }));
  };
  return {
    readFileSync: (file: PathOrDescriptor, options?: ContentArgument) =>
      contentOf(runNow(calls.readFile(file, contentOptions(options).flag)), options),
    writeFileSync: (file: PathOrDescriptor, data: unknown, options?: ContentArgument) =>
      write(file, data, options, "w"),
    appendFileSync: (file: PathOrDescriptor, data: unknown, options?: ContentArgument) =>
      write(file, data, options, "a"),
    truncateSync: (path: PathLike, size?: number | null) => runNow(calls.truncate(path, size ?? 0)),
    copyFileSync: (from: PathLike, to: PathLike, mode?: number) =>
      runNow(calls.copyFile(from, to, mode)),
  };
}

/** Calls that change or look up names. */
function ofNames(calls: WholeCalls) {
  const { names } = calls;
  const refusalOf = (path: PathLike): unknown => {
    try {
      names.find(path, "access");
      return undefined;
    } catch (error) {
      return error;
    }
  };
  const isThere = (path: PathLike): boolean => refusalOf(path) === undefined;
  const isMissing = (path: PathLike): boolean =>
    (refusalOf(path) as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
  const realpath = (path: PathLike): string => names.realpath(path);
  const statBy =
    (syscall: string) => (path: PathLike, options?: StatOptions & { throwIfNoEntry?: boolean }) =>
      options?.throwIfNoEntry === false && isMissing(path)
        ? undefined
        : names.stat(path, options, syscall);
  return {
    renameSync: (from: PathLike, to: PathLike) => runNow(names.rename(from, to)),
    linkSync: (from: PathLike, to: PathLike) => runNow(names.link(from, to)),
    unlinkSync: (path: PathLike) => runNow(names.unlink(path)),
    rmdirSync: (path: PathLike) => runNow(names.rmdir(path)),
    rmSync: (path: PathLike, options?: RemoveOptions) => runNow(calls.remove(path, options ?? {})),
    mkdirSync: (path: PathLike, options?: FolderArgument) =>
      runNow<string | undefined | void>(
        isRecursive(options) ? calls.mkdirs(path) : names.mkdir(path),
      ),
    mkdtempSync: (prefix: string) => runNow(calls.mkdtemp(prefix)),
    readdirSync: (path: PathLike, options?: ListOptions | string | null) =>
      listOf(calls, path, options),
    statSync: statBy("stat"),
    lstatSync: statBy("lstat"),
    existsSync: isThere,
    accessSync: (path: PathLike) => void names.find(path, "access"),
    realpathSync: Object.assign(realpath, { native: realpath }),
    chmodSync: (path: PathLike) => void names.find(path, "chmod"),
    chownSync: (path: PathLike) => void names.find(path, "chown"),
    lchownSync: (path: PathLike) => void names.find(path, "lchown"),
    utimesSync: (path: PathLike) => void names.find(path, "utime"),
    lutimesSync: (path: PathLike) => void names.find(path, "lutime"),
  };
}

/** Node's short way for text does not look at `flush` (nodejs/node#60552). */
function isForgotten(data: unknown, { encoding }: ContentOptions): boolean {
  return typeof data === "string" && (encoding === "utf8" || encoding === "utf-8");
}
