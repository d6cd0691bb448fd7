/**
 * Opening a host: lock, superblock, data device, replay, engine. Nothing is written before replay
 * has succeeded, and whatever was opened is closed again when it has not.
 */
import { resolve } from "node:path";
import { BlockMemory } from "../base/block-memory.ts";
import { BlockspaceError } from "../base/errors.ts";
import { show } from "../base/arguments.ts";
import type { OpenEnvironment } from "../checkpoint/environment.ts";
import { lmdbEnvironments } from "../checkpoint/lmdb-environment.ts";
import { dataDevice } from "../device/data-device.ts";
import type { Device } from "../device/device.ts";
import { FileDevice } from "../device/file-device.ts";
import { FileDirectory } from "../device/file-directory.ts";
import { checkWritable, formatUuid, type Superblock } from "../format/superblock.ts";
import { journalIdentityOf } from "../journal/files.ts";
import { Journal } from "../journal/journal.ts";
import { type Recovery, replay } from "../replay/replay.ts";
import { geometryOf } from "../space/geometry.ts";
import { keepSegmentsFree } from "./cleaner.ts";
import { Engine } from "./engine.ts";
import { Growth } from "./growth.ts";
import { checkOptions, limitsOf, newStoreLayout, type OpenHostOptions } from "./options.ts";
import {
  checkpointDirectory,
  createStore,
  exists,
  journalDirectory,
  lockStore,
  type NewStore,
  openData,
  prepareDirectory,
  refusePieces,
  secureNames,
  type StoreParts,
} from "./store.ts";
import { completeSlots, newestOf, readSlots, type Slot } from "./superblock-slots.ts";
import { realWorld } from "./world.ts";

/** A store that is open: what a host is made from. */
export interface OpenedHost {
  path: string;
  uuid: string;
  engine: Engine;
  growth: Growth;
  recovery: Recovery;
  close: () => Promise<void>;
}

/** Opens a store in a directory of the file system. */
export async function openHost(path: string, options: OpenHostOptions): Promise<OpenedHost> {
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw new BlockspaceError("EINVAL", `the path is ${show(path)}; allowed is a directory's path`);
  }
  checkOptions(options);
  const { device } = options;
  const parts: StoreParts = {
    directory: new FileDirectory(resolve(path)),
    environments: (checkpoint, of) => lmdbEnvironments(checkpoint.path, of),
    ...(device === undefined ? {} : dataDevice(device)),
  };
  return openStore(parts, options, async () =>
    newStoreLayout(options, await sizeOfDevice(options)),
  );
}

/** The size of the device that the caller names, if any: it must be there. */
async function sizeOfDevice(options: OpenHostOptions): Promise<number | undefined> {
  if (options.device === undefined) return undefined;
  const device = await FileDevice.open(options.device, "read");
  try {
    return device.size;
  } finally {
    await device.close();
  }
}

/** Opens a store made of any parts; `layout` is asked for when it must be made first. */
export async function openStore(
  parts: StoreParts,
  options: OpenHostOptions,
  layout: () => Promise<NewStore>,
): Promise<OpenedHost> {
  const readOnly = options.readOnly ?? false;
  const limits = { ...limitsOf(options), ...parts.memory };
  const isThere = await exists(parts);
  if (!isThere) await refusePieces(parts);
  if (!isThere && !options.create) {
    throw new BlockspaceError("ENOENT", `there is no store in ${parts.directory.path}`, {
      path: parts.directory.path,
    });
  }
  const closers: (() => Promise<void>)[] = [];
  try {
    const newStore = isThere ? undefined : await layout();
    if (newStore) await prepareDirectory(parts);
    await takeLock(parts, readOnly, closers);
    if (newStore && !(await exists(parts))) {
      await createStore(parts, newStore);
      await closers.pop()!();
      await takeLock(parts, readOnly, closers);
    }
    const slots = await readSlots(parts.directory);
    const superblock = newestOf(parts.directory, slots);
    checkAgainst(superblock, options);
    if (!readOnly) {
      checkWritable(superblock);
      await secureNames(parts);
    }
    const device = await openData(parts, superblock, readOnly ? "read" : "write");
    closers.push(() => device.close());
    const engine = await startEngine({
      parts,
      slots,
      superblock,
      device,
      limits,
      blockingCommits: options.blockingCommits ?? true,
      readOnly,
      closers,
    });
    const uuid = formatUuid(superblock.uuid);
    return { path: parts.directory.path, uuid, ...engine, close: () => closeAll(closers) };
  } catch (error) {
    // Why it cannot be opened is the news, not what goes wrong on the way out.
    await closeAll(closers).catch(() => undefined);
    throw error;
  }
}

/** Closes everything, the lock last, whatever fails on the way; then throws the first failure. */
async function closeAll(closers: readonly (() => Promise<void>)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const close of closers.toReversed()) {
    await close().catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}

async function takeLock(
  parts: StoreParts,
  readOnly: boolean,
  closers: (() => Promise<void>)[],
): Promise<void> {
  const lock = await lockStore(parts, readOnly);
  closers.push(() => lock.release());
}

/** What an existing store cannot be any more. */
function checkAgainst(superblock: Superblock, options: OpenHostOptions): void {
  const { blockSize, capacityBlocks } = superblock;
  if (options.blockSize !== undefined && options.blockSize !== blockSize) {
    throw new BlockspaceError(
      "EINVAL",
      `blockSize is ${options.blockSize}; the store was made with ${blockSize}`,
    );
  }
  const capacity = capacityBlocks * blockSize;
  if (options.capacity !== undefined && Math.floor(options.capacity / blockSize) > capacityBlocks) {
    throw new BlockspaceError(
      "EINVAL",
      `capacity is ${options.capacity}; the store has ${capacity}, and grow() makes it larger`,
    );
  }
}

interface Start {
  parts: StoreParts;
  slots: readonly Slot[];
  superblock: Superblock;
  device: Device;
  limits: ReturnType<typeof limitsOf>;
  blockingCommits: boolean;
  readOnly: boolean;
  closers: (() => Promise<void>)[];
}

async function startEngine(
  start: Start,
): Promise<Pick<OpenedHost, "engine" | "growth" | "recovery">> {
  const { parts, slots, superblock, device, limits, blockingCommits, readOnly, closers } = start;
  const identity = journalIdentityOf(superblock);
  const { storeId } = identity;
  const open = parts.environments(checkpointDirectory(parts), { storeId, readOnly });
  const openEnvironment: OpenEnvironment = async (name, anew) => {
    const environment = await open(name, anew);
    closers.push(() => environment.close());
    return environment;
  };
  const journalFiles = journalDirectory(parts);
  const source = {
    geometry: geometryOf(superblock),
    journal: journalFiles,
    identity,
    openEnvironment,
  };
  const memory = new BlockMemory(superblock.blockSize, limits.maxDirty);
  const replayed = await replay(source, limits.cacheSize, memory);
  const { state, environments, end, recovery } = replayed;
  const journal = new Journal(journalFiles, identity, limits.journalSize, end);
  closers.push(() => journal.close());
  if (!readOnly) {
    await completeSlots(parts.directory, slots);
    if (end.doubtful) await journal.secure(end.doubtful);
    await journal.recycle(environments.olderLsn);
  }
  const engine = new Engine({
    state,
    device,
    memory,
    journal,
    environments,
    openEnvironment,
    limits,
    blockingCommits,
    readOnly,
    world: parts.world ?? realWorld,
  });
  engine.pending.restore(replayed.restored);
  if (!readOnly) {
    if (end.doubtful) engine.committer.holdUntil(engine.checkpointer.run(), end.durableLsn);
    startBackground(engine);
  }
  return { engine, growth: new Growth(engine, parts.directory, superblock), recovery };
}

/** Deletes that a crash cut short go on, and segments are kept free. */
function startBackground(engine: Engine): void {
  engine.reclaimer.start();
  engine.checkpointer.onDone = () => {
    // Whatever went wrong has been noted by the host's health, or the host is being closed.
    keepSegmentsFree(engine).catch(() => undefined);
  };
}
