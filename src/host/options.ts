/**
 * The options of `Host.open`, their defaults and limits, and the geometry of a new store that
 * follows from them.
 */
import { checkWhole, show } from "../base/arguments.ts";
import { BlockspaceError } from "../base/errors.ts";
import { GiB, KiB, MiB } from "../base/units.ts";
import {
  isPowerOfTwo,
  MAX_BLOCK_SIZE,
  MAX_CAPACITY_BLOCKS,
  MIN_BLOCK_SIZE,
} from "../format/superblock.ts";
import type { Limits } from "./engine.ts";
import type { NewStore } from "./store.ts";

/** All sizes in bytes. */
export interface OpenHostOptions {
  /** Make the store when there is none. */
  create?: boolean;
  /** Replay into memory and write nothing to the store; other readers may have it open too. */
  readOnly?: boolean;
  /**
   * Space for data in a new store; 64 GiB, or all of `device`, unless given. One that is there must
   * have as much, and may have more (`grow`).
   */
  capacity?: number;
  /** Unit of mapping in a new store: a power of two from 512 to 65536; 4096 unless given. */
  blockSize?: number;
  /**
   * A block device or file that holds the data in place of the store's own file. For a new store
   * its beginning must be zeroes (`EEXIST`).
   */
  device?: string;
  /**
   * What the journal's files should take up, from 64 KiB to 8 GiB; 128 MiB unless given, whatever
   * was given before. Each opening reads up to an eighth of it, besides what has to be replayed. An
   * opening after a crash holds the data in memory that the journal alone has, up to about half of
   * this, until it is written home; a `readOnly` one for as long as it is open.
   */
  journalSize?: number;
  /** Memory for map nodes and segment records; 128 MiB unless given. */
  cacheSize?: number;
  /** Memory for data and records that have not been written yet; 32 MiB unless given. */
  maxDirty?: number;
  /**
   * A commit of at most 128 KiB that one caller waits for keeps the event loop until it is durable,
   * while nobody reads and the disk answers within a millisecond on average. The quicker the disk,
   * the more that saves: up to a third of the time by way of another thread. True unless given.
   */
  blockingCommits?: boolean;
}

const DEFAULT_CAPACITY: number = 64 * GiB;
const DEFAULT_BLOCK_SIZE = 4096;
/**
 * Each opening searches the rest of the journal's last file, an eighth of all, so that a torn tail
 * is told from damage. More than this would make opening slow, and then, where the search reaches
 * what it may read, impossible.
 */
const MOST_JOURNAL: number = 8 * GiB;
const LEAST_CAPACITY_BLOCKS = 64;
const MOST_SEGMENT_BLOCKS = 1024;
const LEAST_SEGMENT_BLOCKS = 8;
/** A map node with its seal fills one page of LMDB exactly. */
const NODE_SIZE = 4072;

const flags = ["create", "readOnly", "blockingCommits"] as const;
const sizes = ["capacity", "blockSize", "journalSize", "cacheSize", "maxDirty"] as const;
const known: ReadonlySet<string> = new Set([...flags, ...sizes, "device"]);

/** Refuses options that are unknown, of the wrong type, or contradict each other. */
export function checkOptions(options: OpenHostOptions): void {
  if (typeof options !== "object" || options === null) {
    throw new BlockspaceError("EINVAL", `the options are ${show(options)}; allowed is an object`);
  }
  for (const name of Object.keys(options)) {
    if (known.has(name)) continue;
    const allowed = [...known].join(", ");
    throw new BlockspaceError("EINVAL", `there is no option "${name}"; allowed are ${allowed}`);
  }
  for (const name of flags) {
    const value = options[name];
    if (value === undefined || typeof value === "boolean") continue;
    throw new BlockspaceError("EINVAL", `${name} is ${show(value)}; allowed are true and false`);
  }
  for (const name of sizes) if (options[name] !== undefined) checkWhole(name, options[name], 1);
  const { device } = options;
  if (device !== undefined && (typeof device !== "string" || device === "")) {
    throw new BlockspaceError("EINVAL", `device is ${show(device)}; allowed is a path`);
  }
  if (options.create && options.readOnly) {
    throw new BlockspaceError("EINVAL", "create and readOnly exclude each other");
  }
}

export function limitsOf(options: OpenHostOptions): Limits {
  const limits = {
    journalSize: options.journalSize ?? 128 * MiB,
    cacheSize: options.cacheSize ?? 128 * MiB,
    maxDirty: options.maxDirty ?? 32 * MiB,
  };
  for (const [name, value] of Object.entries(limits)) {
    if (value >= 64 * KiB) continue;
    throw new BlockspaceError("EINVAL", `${name} is ${value} bytes; allowed are 65536 and more`);
  }
  const { journalSize } = limits;
  if (journalSize > MOST_JOURNAL) {
    throw new BlockspaceError(
      "EINVAL",
      `journalSize is ${journalSize} bytes; allowed are 65536 to ${MOST_JOURNAL}`,
    );
  }
  return limits;
}

/** The layout of a new store; `deviceSize` is that of a device which is there already. */
export function newStoreLayout(options: OpenHostOptions, deviceSize: number | undefined): NewStore {
  const blockSize = options.blockSize ?? DEFAULT_BLOCK_SIZE;
  if (!isPowerOfTwo(blockSize) || blockSize < MIN_BLOCK_SIZE || blockSize > MAX_BLOCK_SIZE) {
    throw new BlockspaceError(
      "EINVAL",
      `blockSize is ${blockSize}; ` +
        `allowed are powers of two from ${MIN_BLOCK_SIZE} to ${MAX_BLOCK_SIZE}`,
    );
  }
  const dataOffset = Math.max(4096, blockSize);
  const room = deviceSize === undefined ? DEFAULT_CAPACITY : deviceSize - dataOffset;
  const capacityBlocks = Math.floor((options.capacity ?? room) / blockSize);
  if (capacityBlocks < LEAST_CAPACITY_BLOCKS || capacityBlocks > MAX_CAPACITY_BLOCKS) {
    throw new BlockspaceError(
      "EINVAL",
      `capacity is ${options.capacity ?? room} bytes; allowed are ` +
        `${LEAST_CAPACITY_BLOCKS * blockSize} to ${MAX_CAPACITY_BLOCKS * blockSize}`,
    );
  }
  if (deviceSize !== undefined && capacityBlocks * blockSize > room) {
    throw new BlockspaceError(
      "ENOSPC",
      `capacity is ${options.capacity}; a device of ${deviceSize} bytes has room for ${room}`,
    );
  }
  let segmentBlocks = MOST_SEGMENT_BLOCKS;
  while (segmentBlocks > LEAST_SEGMENT_BLOCKS && capacityBlocks / segmentBlocks < 64) {
    segmentBlocks /= 2;
  }
  return {
    blockSize,
    segmentBlocks,
    capacityBlocks,
    dataOffset,
    nodeSize: NODE_SIZE,
    journalAlignment: Math.min(4096, blockSize),
    journalSize: limitsOf(options).journalSize,
  };
}
