/**
 * The face of a simulated disk that looks like all of `node:fs`: the calls that end in `Sync`,
 * those that take a callback, and `promises`. Descriptors work in all three.
 *
 * A call with a callback does what the one with a promise does, and at the same moments. What takes
 * a descriptor is a call of a handle that is made for it. Streams are made of these calls.
 */
import { createReadStream, createWriteStream, type OpenMode, type PathLike } from "node:fs";
import type * as fs from "node:fs";
import { callbackify, promisify } from "node:util";
import type { SimulatedDisk } from "./disk.ts";
import { fileSystem, type SimulatedFileSystem } from "./file-system.ts";
import { fileSystemSync, type SimulatedFileSystemSync } from "./file-system-sync.ts";
import { SimulatedFileHandle } from "./simulated-file-handle.ts";
import { WholeCalls } from "./whole-calls.ts";

/** The part of `node:fs` that is simulated. */
export type SimulatedNodeFileSystem = SimulatedFileSystemSync &
  Pick<
    typeof fs,
    | Exclude<keyof SimulatedFileSystem, "constants">
    | "close"
    | "createReadStream"
    | "createWriteStream"
    | "exists"
    | "fchmod"
    | "fchown"
    | "fdatasync"
    | "fstat"
    | "fsync"
    | "ftruncate"
    | "futimes"
    | "read"
    | "readv"
    | "write"
    | "writev"
  > & { promises: SimulatedFileSystem };

type Call = (...given: unknown[]) => Promise<unknown>;
type WithCallback = (...given: unknown[]) => void;
type StreamOptions = BufferEncoding | Record<string, unknown>;
type HandleCall = Exclude<keyof SimulatedFileHandle, "fd" | typeof Symbol.asyncDispose>;

/** What a program that expects the whole of `node:fs` is given instead. */
export function nodeFileSystem(disk: SimulatedDisk): SimulatedNodeFileSystem {
  const promises = fileSystem(disk);
  const calls: Record<string, unknown> = { ...fileSystemSync(disk), promises };
  // As with the other faces: node's overloads are not written down twice.
  const face = calls as unknown as SimulatedNodeFileSystem;
  for (const [name, call] of Object.entries(promises)) {
    if (typeof call === "function") calls[name] = callbackify(call as Call);
  }
  const realpath = callbackify(promises.realpath as Call);
  const isThere: Call = async (path) =>
    promises.access(path as PathLike).then(
      () => true,
      () => false,
    );
  return Object.assign(face, ofDescriptors(disk, promises), {
    exists: telling(isThere, (callback, _, found) => callback(found)),
    realpath: Object.assign(realpath, { native: realpath }),
    // Node's own streams, which stand on the calls that they are given.
    createReadStream: (path: PathLike, given?: StreamOptions) =>
      createReadStream(path, { ...optionsOf(given), fs: face }),
    createWriteStream: (path: PathLike, given?: StreamOptions) =>
      createWriteStream(path, { ...optionsOf(given), fs: face }),
  });
}

/** Calls that take a descriptor, or give one. */
function ofDescriptors(disk: SimulatedDisk, { open }: SimulatedFileSystem): object {
  const calls = new WholeCalls(disk);
  const on =
    (name: HandleCall): Call =>
    async (fd, ...given) => {
      const handle = new SimulatedFileHandle(disk, calls, fd as number);
      return (handle[name] as Call).apply(handle, given);
    };
  return {
    open: callbackify(async (path: PathLike, flags?: OpenMode) => (await open(path, flags)).fd),
    close: callbackify(on("close")),
    fstat: callbackify(on("stat")),
    fsync: callbackify(on("sync")),
    fdatasync: callbackify(on("datasync")),
    ftruncate: callbackify(on("truncate")),
    fchmod: callbackify(on("chmod")),
    fchown: callbackify(on("chown")),
    futimes: callbackify(on("utimes")),
    read: withTwo(on("read"), "bytesRead", "buffer"),
    readv: withTwo(on("readv"), "bytesRead", "buffers"),
    write: withTwo(on("write"), "bytesWritten", "buffer"),
    writev: withTwo(on("writev"), "bytesWritten", "buffers"),
  };
}

/** A word alone is an encoding. */
function optionsOf(given: StreamOptions | undefined): object {
  return typeof given === "string" ? { encoding: given } : (given ?? {});
}

function withTwo(call: Call, first: string, second: string): WithCallback {
  return telling(call, (callback, error, result) => {
    const results = result as Record<string, unknown> | undefined;
    callback(error, results?.[first], results?.[second]);
  });
}

/** `tell` gives a callback what node gives it; `promisify` makes of the call what it does there. */
function telling(
  call: Call,
  tell: (callback: WithCallback, error: unknown, result: unknown) => void,
): WithCallback {
  const later = callbackify(call) as WithCallback;
  const face: WithCallback = (...given) => {
    const callback = given.at(-1) as WithCallback;
    if (typeof callback !== "function") return later(...given);
    later(...given.slice(0, -1), (error: unknown, result: unknown) =>
      tell(callback, error, result),
    );
  };
  return Object.assign(face, { [promisify.custom]: call });
}
