/**
 * Where an export goes: a file, which is made with the size of the subvolume so that only its data
 * has to be written, or a block device, which gets every byte. What fails half-way leaves no file.
 * `image-update.ts` has the ones that hold an earlier export.
 */
import { open, realpath, rm, stat } from "node:fs/promises";
import { basename, dirname, resolve, sep } from "node:path";
import type { Stats } from "node:fs";
import { BlockspaceError } from "../base/errors.ts";
import type { Device } from "../device/device.ts";
import { FileDevice } from "../device/file-device.ts";
import { FileDirectory } from "../device/file-directory.ts";
import { codeOf, isMissing } from "../device/medium-error.ts";
import { DATA_LABEL_SIZE, decodeDataLabel, formatUuid } from "../format/superblock.ts";
import type { ByteRange } from "../host/host.ts";
import { type Chunk, cut, nonZeroRuns, ZEROES } from "./chunks.ts";

export interface ImageTarget {
  /** Puts data in its place; resolves with the bytes that were written for it. */
  put(chunk: Chunk): Promise<number>;
  /** Makes a range read as zeroes; resolves with the bytes that were written for it. */
  clear(range: ByteRange): Promise<number>;
  /** Makes everything durable and closes the target. */
  finish(): Promise<void>;
  /** Closes the target, and removes a file that was made for it. */
  abandon(): Promise<void>;
}

/** What must not be overwritten: the store, and its data device if that lies elsewhere. */
export interface Protected {
  store: { path: string; uuid: string };
  dataDevice: string | undefined;
}

export interface TargetOptions extends Protected {
  /** Bytes. */
  size: number;
  /** Of so many zeroes at least a hole is made: the block size of the store. */
  unit: number;
  /** Overwrite what is there. */
  force: boolean;
}

/** Opens the target at `path`; `EEXIST` when something is there and it is not to be overwritten. */
export async function openTarget(path: string, options: TargetOptions): Promise<ImageTarget> {
  const found = await statOf(path);
  if (found && !options.force) throw alreadyThere(path);
  await refuseOwn(path, found, options);
  if (found?.isBlockDevice()) return blockTarget(path, options.size);
  return fileTarget(path, options, found);
}

/** A block device of at least `size` bytes. */
export async function blockTarget(path: string, size: number): Promise<ImageTarget> {
  const device = await FileDevice.open(path, "write");
  if (device.size < size) {
    const room = device.size;
    await device.close();
    throw new BlockspaceError("ENOSPC", `${path} has ${room} bytes; the subvolume has ${size}`, {
      path,
    });
  }
  return {
    put: (chunk) => putAll(device, chunk),
    clear: (range) => writeZeroes(device, range),
    async finish() {
      await device.flush();
      await device.close();
    },
    abandon: () => device.close(),
  };
}

/** Writes all of a chunk. */
export async function putAll(device: Device, { offset, bytes }: Chunk): Promise<number> {
  await device.write([bytes], offset);
  return bytes.length;
}

/** Zeroes where there may be other bytes. */
export async function writeZeroes(device: Device, range: ByteRange): Promise<number> {
  for (const { offset, length } of cut([range])) {
    await device.write([ZEROES.subarray(0, length)], offset);
  }
  return range.length;
}

async function fileTarget(
  path: string,
  { size, unit }: TargetOptions,
  found: Stats | undefined,
): Promise<ImageTarget> {
  if (!found) await claim(path);
  else if (!found.isFile()) throw noImage(path);
  // Of a symbolic link the file is to go, if any: the link itself holds nothing.
  const file = await realpath(path);
  const device = await FileDevice.create(file, { size, layout: "sparse" }).catch(
    async (error: unknown) => {
      if (!found) await rm(file);
      throw error;
    },
  );
  return {
    async put(chunk) {
      let written = 0;
      for (const run of nonZeroRuns(chunk, unit)) written += await putAll(device, run);
      return written;
    },
    clear: async () => 0,
    async finish() {
      await device.flush();
      await device.close();
      await new FileDirectory(dirname(file)).sync();
    },
    async abandon() {
      await device.close();
      await rm(file, { force: true });
    },
  };
}

/** Makes an empty file where none is, whoever else tries the same. */
async function claim(path: string): Promise<void> {
  try {
    await (await open(path, "wx")).close();
  } catch (error) {
    if (codeOf(error) === "EEXIST") throw alreadyThere(path);
    throw error;
  }
}

function alreadyThere(path: string): BlockspaceError {
  return new BlockspaceError("EEXIST", `${path} is there already; --force overwrites it`, { path });
}

/** What is neither a file nor a block device holds no image. */
export function noImage(path: string): BlockspaceError {
  return new BlockspaceError("EINVAL", `${path} is neither a file nor a block device`, { path });
}

/** An export over the store's own files would destroy what it reads. */
export async function refuseOwn(
  path: string,
  found: Stats | undefined,
  options: Protected,
): Promise<void> {
  await refuseOwnFiles(path, options);
  if (found) await refuseOwnData(path, options.store);
}

async function refuseOwnFiles(path: string, options: Protected): Promise<void> {
  const target = await realPathOf(path);
  const store = await realPathOf(options.store.path);
  const device = options.dataDevice && (await realPathOf(options.dataDevice));
  if (target !== device && !target.startsWith(store + sep)) return;
  throw new BlockspaceError("EINVAL", `${path} belongs to the store`, { path });
}

/** The server of a store knows where its data lies, and who goes through it need not. */
async function refuseOwnData(path: string, { uuid }: Protected["store"]): Promise<void> {
  const device = await FileDevice.open(path, "read").catch(() => undefined);
  // What cannot be opened or read is told of by whoever writes it.
  if (!device) return;
  try {
    const label = new Uint8Array(Math.min(DATA_LABEL_SIZE, device.size));
    await device.read(label, 0);
    const owner = decodeDataLabel(label);
    if (!owner || formatUuid(owner) !== uuid) return;
  } finally {
    await device.close();
  }
  throw new BlockspaceError("EINVAL", `${path} holds the data of the store, or a copy of it`, {
    path,
  });
}

/** The real path of what is there, or of where it would be. */
async function realPathOf(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
    return resolve(await realpath(dirname(resolve(path))), basename(path));
  }
}

/** What is at a path, if anything is. */
export async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
