/**
 * Where an export goes: a file, which is made with the size of the subvolume so that only its data
 * has to be written, or a block device, which gets every byte. What fails half-way leaves no file.
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

export interface ImageTarget {
  readonly device: Device;
  /** What is not written reads as zeroes. */
  readonly sparse: boolean;
  /** Makes everything durable and closes the target. */
  finish(): Promise<void>;
  /** Closes the target and removes the file. */
  abandon(): Promise<void>;
}

export interface TargetOptions {
  /** Bytes. */
  size: number;
  /** Overwrite what is there. */
  force: boolean;
  /** What must not be overwritten: the store, and its data device if that lies elsewhere. */
  store: { path: string; uuid: string };
  dataDevice: string | undefined;
}

/** Opens the target at `path`; `EEXIST` when something is there and it is not to be overwritten. */
export async function openTarget(path: string, options: TargetOptions): Promise<ImageTarget> {
  const found = await statOf(path);
  if (found && !options.force) throw alreadyThere(path);
  await refuseOwnFiles(path, options);
  if (found) await refuseOwnData(path, options.store);
  return found?.isBlockDevice() ? blockTarget(path, options) : fileTarget(path, options, found);
}

async function blockTarget(path: string, { size }: TargetOptions): Promise<ImageTarget> {
  const device = await FileDevice.open(path, "write");
  if (device.size < size) {
    const room = device.size;
    await device.close();
    throw new BlockspaceError("ENOSPC", `${path} has ${room} bytes; the subvolume has ${size}`, {
      path,
    });
  }
  return {
    device,
    sparse: false,
    async finish() {
      await device.flush();
      await device.close();
    },
    abandon: () => device.close(),
  };
}

async function fileTarget(
  path: string,
  { size }: TargetOptions,
  found: Stats | undefined,
): Promise<ImageTarget> {
  if (!found) await claim(path);
  else if (!found.isFile()) {
    throw new BlockspaceError("EINVAL", `${path} is neither a file nor a block device`, { path });
  }
  // Of a symbolic link the file is to go, if any: the link itself holds nothing.
  const file = await realpath(path);
  const device = await FileDevice.create(file, { size, layout: "sparse" }).catch(
    async (error: unknown) => {
      if (!found) await rm(file);
      throw error;
    },
  );
  return {
    device,
    sparse: true,
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

/** An export over the store's own files would destroy what it reads. */
async function refuseOwnFiles(path: string, options: TargetOptions): Promise<void> {
  const target = await realPathOf(path);
  const store = await realPathOf(options.store.path);
  const device = options.dataDevice && (await realPathOf(options.dataDevice));
  if (target !== device && !target.startsWith(store + sep)) return;
  throw new BlockspaceError("EINVAL", `${path} belongs to the store`, { path });
}

/** The server of a store knows where its data lies, and who goes through it need not. */
async function refuseOwnData(path: string, { uuid }: TargetOptions["store"]): Promise<void> {
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

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
