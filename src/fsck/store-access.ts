/**
 * How fsck gets at the parts of a store. On disk: files, and for each environment a child process
 * that reads it. In tests: memory. Everything above is the same for both.
 */
import { join } from "node:path";
import { show } from "../base/arguments.ts";
import { BlockspaceError } from "../base/errors.ts";
import { GiB } from "../base/units.ts";
import type { Environment } from "../checkpoint/environment.ts";
import { dumpEnvironment } from "../checkpoint/lmdb-dump.ts";
import { DATA_FILE, isRegularFile } from "../checkpoint/lmdb-files.ts";
import { dataDevice } from "../device/data-device.ts";
import type { Device, Directory, Lock, LockMode } from "../device/device.ts";
import { removeEntries } from "../device/directory-paths.ts";
import { FileDirectory } from "../device/file-directory.ts";
import { decodeKey } from "../format/checkpoint-key.ts";
import { reasonOf } from "./findings.ts";
import { Image } from "./image.ts";
import {
  CHECKPOINT,
  DATA,
  JOURNAL,
  LOCK,
  RESTORING,
  SUPERBLOCK,
  SUPERBLOCK_AWAY,
  UNDO,
  UNDO_DRAFT,
  UNFINISHED,
} from "./store-parts.ts";

export type EnvironmentName = "a" | "b";

/** What could be read of an environment. */
export interface EnvironmentReading {
  present: boolean;
  image: Image;
  /** Keys that are none of ours. */
  foreignKeys: string[];
  /** Why not all of it could be read. */
  failure?: string;
  /** What keeps a host from opening it to write. */
  obstacle?: string;
}

export interface StoreAccess {
  readonly directory: Directory;
  /** The parts of the store in whose place there is a symbolic link; none where there are none. */
  symbolicLinks?(): Promise<string[]>;
  /** Opens a data device that lies elsewhere. */
  openDevice?: (mode: "read" | "write") => Promise<Device>;
  /** Locks that device: a copy of the store may lead to it as well. */
  lockDevice?: (mode: LockMode) => Promise<Lock>;
  /**
   * Reads an environment. Where a value is the same in `twin`, its bytes are those of the twin: two
   * checkpoints hold nearly the same, and take little more memory than one.
   */
  readEnvironment(
    name: EnvironmentName,
    options?: { signal?: AbortSignal | undefined; twin?: Image | undefined },
  ): Promise<EnvironmentReading>;
  /** Removes all that is in the directory, but for the names that were there before we came. */
  clear?(kept?: ReadonlySet<string>): Promise<void>;
  /** Makes an environment of a store anew; what is there is taken away. */
  makeEnvironment(name: EnvironmentName, storeId: Uint8Array): Promise<Environment>;
  /** All of an environment as bytes, to be put back as it was; nothing when there is none. */
  saveEnvironment(name: EnvironmentName): Promise<Uint8Array | undefined>;
  /** Puts saved bytes back, or takes the environment away. */
  restoreEnvironment(name: EnvironmentName, bytes: Uint8Array | undefined): Promise<void>;
}

/** Where the data of a store lies, when not in the store. */
export interface AccessOptions {
  device?: string;
}

/** A store in a directory of the file system. */
export function storeAccess(path: string, options: AccessOptions = {}): StoreAccess {
  if (path === "") {
    throw new BlockspaceError("EINVAL", `the path is ${show(path)}; allowed is a directory's path`);
  }
  const directory = new FileDirectory(path, "refuse");
  const checkpoint = directory.directory(CHECKPOINT);
  const { device } = options;
  return {
    directory,
    ...(device === undefined ? {} : dataDevice(device)),
    symbolicLinks: () => linksIn(directory, device !== undefined),
    clear: (kept) => removeEntries(directory.path, kept),
    readEnvironment: (name, given = {}) => readLmdb(join(checkpoint.path, name), given),
    async makeEnvironment(name, storeId) {
      const { lmdbEnvironments } = await import("../checkpoint/lmdb-environment.ts");
      return lmdbEnvironments(checkpoint.path, { storeId })(name, true);
    },
    async saveEnvironment(name) {
      const place = checkpoint.directory(name);
      // What stands there and is no file has nothing that could be put back.
      if (!(await isRegularFile(join(place.path, DATA_FILE)))) return undefined;
      return readWhole(place, DATA_FILE);
    },
    async restoreEnvironment(name, bytes) {
      const { removeEnvironment } = await import("../checkpoint/lmdb-environment.ts");
      await removeEnvironment(checkpoint.path, name);
      if (bytes) await writeWhole(checkpoint.directory(name), DATA_FILE, bytes);
      await checkpoint.sync();
    },
  };
}

/** What of the root directory is none of the store's may be a link; it is never looked at. */
const parts: ReadonlySet<string> = new Set([
  SUPERBLOCK,
  UNFINISHED,
  RESTORING,
  SUPERBLOCK_AWAY,
  LOCK,
  DATA,
  UNDO,
  UNDO_DRAFT,
  JOURNAL,
  CHECKPOINT,
]);

async function linksIn(root: FileDirectory, isDataElsewhere: boolean): Promise<string[]> {
  const found = (await root.symbolicLinks()).filter((name) => parts.has(name));
  for (const place of [JOURNAL, CHECKPOINT, `${CHECKPOINT}/a`, `${CHECKPOINT}/b`]) {
    if (found.some((link) => place.startsWith(link))) continue;
    const links = await root.directory(place).symbolicLinks();
    found.push(...links.map((name) => `${place}/${name}`));
  }
  return isDataElsewhere ? found.filter((name) => name !== DATA) : found;
}

async function readLmdb(
  path: string,
  { signal, twin }: { signal?: AbortSignal | undefined; twin?: Image | undefined },
): Promise<EnvironmentReading> {
  const image = new Image();
  const foreignKeys: string[] = [];
  const take = (key: Uint8Array, value: Uint8Array): void => {
    try {
      const { kind, id } = decodeKey(key);
      const same = twin?.get(kind, id);
      const isSame = same && Buffer.compare(same, value) === 0;
      image.set(kind, id, isSame ? same : Uint8Array.from(value));
    } catch (error) {
      if (foreignKeys.length < 100) foreignKeys.push(reasonOf(error));
    }
  };
  const end = await dumpEnvironment(path, take, signal ? { signal } : {});
  return { ...end, image, foreignKeys };
}

/** More than this is not taken into memory at once. */
const MAX_WHOLE: number = 2 * GiB;

/** The bytes of a whole file; `ENOTSUP` for one that is too large to be kept in memory. */
export async function readWhole(directory: Directory, name: string): Promise<Uint8Array> {
  const device = await directory.open(name, "read");
  try {
    if (device.size > MAX_WHOLE) {
      const { path, size } = device;
      const message = `${path} has ${size} bytes; ${MAX_WHOLE} are what a repair in place can undo`;
      throw new BlockspaceError("ENOTSUP", message, { path });
    }
    const bytes = new Uint8Array(device.size);
    await device.read(bytes, 0);
    return bytes;
  } finally {
    await device.close();
  }
}

/** Makes a file of these bytes; it and its name are durable when it resolves. */
export async function writeWhole(
  directory: Directory,
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  await directory.ensure();
  const device = await directory.create(name, { size: bytes.length, layout: "sparse" });
  try {
    await device.write([bytes], 0);
    await device.flush();
  } finally {
    await device.close();
  }
  await directory.sync();
}
