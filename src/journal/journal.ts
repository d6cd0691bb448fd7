/**
 * The journal as it is written: frames go out one at a time, each with one write and one flush,
 * into files that are preallocated once and recycled when no checkpoint needs them any more.
 *
 * A new file is begun when a frame does not fit into the rest of the current one, and whenever the
 * journal is opened: so nothing is ever written behind a torn frame, and no sector that was durable
 * is written again.
 *
 * A file's header is durable before its first frame is written. Otherwise a crash could keep the
 * frame and lose the header. The frame would be gone for the host that opens next, whose own first
 * frame then goes to the same place under the same header; and should a crash lose that one, the
 * frame that was gone would be back.
 *
 * A failed write or flush is final (promise I7): the journal takes no more batches.
 */
import { BlockspaceError, isBlockspaceError } from "../base/errors.ts";
import { MiB } from "../base/units.ts";
import { type Device, type Directory, writeDurably } from "../device/device.ts";
import { codeOf } from "../device/medium-error.ts";
import { encodeFileHeader, encodeFrame } from "../format/journal-frame.ts";
import { journalFileName, type JournalIdentity } from "./files.ts";
import { Pace } from "./pace.ts";
import type { DoubtfulFrame, JournalEnd } from "./reader.ts";

/** A batch of commits on its way into the journal. */
export interface OutgoingBatch {
  firstLsn: number;
  commits: number;
  /** The encoded commits. */
  bytes: Uint8Array;
  /** Blocks that travel in the frame. */
  data: readonly Uint8Array[];
  /** The calling thread waits while it is written, where the medium offers that. */
  inPlace: boolean;
}

interface UsedFile {
  name: string;
  size: number;
  firstLsn: number;
}

/** Files that a journal is cut into. */
const FILES = 8;
/** A file that the file system has no space for is tried so many times smaller. */
const SHRINKAGE = 4;

/** The most bytes of commits that fit into one journal frame. */
export const MAX_COMMIT_BYTES: number = 16 * MiB;

export class Journal {
  readonly #directory: Directory;
  readonly #identity: JournalIdentity;
  readonly #fileSize: number;
  #active: Device | undefined;
  #position = 0;
  #sequence: number;
  #checksum: number;
  #durableLsn: number;
  /** Files with frames that a checkpoint may need, oldest first; the active one is last. */
  #used: UsedFile[];
  /** Files to write into next; their names are durable. */
  #spare: { name: string; size: number }[] = [];
  /**
   * Found without a header, or with one that may not be durable: a crash has cut their beginning
   * short. They are given up. If such a file counted as used, the one before it could be recycled,
   * and after another crash no header might be left at all.
   */
  #unfinished: string[] = [];
  #nextName = 1;
  #failure: unknown;
  readonly #pace: Pace = new Pace();
  /** Bytes of frames written since the journal was opened. */
  bytesWritten = 0;

  /** Goes on behind `end`; `size` in bytes is what the files should take up together. */
  constructor(directory: Directory, identity: JournalIdentity, size: number, end: JournalEnd) {
    this.#directory = directory;
    this.#identity = identity;
    this.#fileSize = fileSizeOf(size, identity.alignment);
    this.#checksum = end.checksum;
    this.#durableLsn = end.lsn;
    this.#used = [];
    this.#sequence = 0;
    for (const file of end.files) {
      const { name, size: bytes, header } = file;
      this.#nextName = Math.max(this.#nextName, Number.parseInt(name, 10) + 1 || 0);
      this.#sequence = Math.max(this.#sequence, header?.sequence ?? 0);
      if (header && !end.unproven.includes(file)) {
        this.#used.push({ name, size: bytes, firstLsn: header.firstLsn });
      } else {
        this.#unfinished.push(name);
      }
    }
  }

  /** Checksum of the last frame written. */
  get checksum(): number {
    return this.#checksum;
  }

  /** Bytes of all files that a checkpoint may still need. */
  get usedBytes(): number {
    return this.#used.reduce((sum, file) => sum + file.size, 0);
  }

  /** To wait in place for a frame costs less than to have another thread wait. */
  get isQuick(): boolean {
    return this.#active?.writeThroughNow !== undefined && this.#pace.isQuick;
  }

  /**
   * Flushes the last frame of an unclosed journal, which may be no further than the system's cache.
   * After a sync that failed it may be there and nowhere else, and no flush brings it to disk: the
   * host makes a checkpoint of what it has read before it acknowledges anything.
   */
  async secure(frame: DoubtfulFrame): Promise<void> {
    const device = await this.#directory.open(frame.file, "write");
    try {
      await device.flush();
    } finally {
      await device.close();
    }
  }

  /** Writes one batch and resolves when it is durable. */
  async append(batch: OutgoingBatch): Promise<void> {
    if (this.#failure !== undefined) {
      throw new BlockspaceError("EIO", "the journal failed before, and takes no more batches", {
        path: this.#directory.path,
        cause: this.#failure,
      });
    }
    const facts = {
      firstLsn: batch.firstLsn,
      commits: batch.commits,
      durableLsn: this.#durableLsn,
      previous: this.#checksum,
      storeId: this.#identity.storeId,
    };
    const frame = encodeFrame(facts, batch.bytes, batch.data, this.#identity.alignment);
    try {
      const device = await this.#deviceFor(frame.size, batch.firstLsn);
      await this.#write(device, frame.chunks, batch.inPlace);
    } catch (error) {
      this.#failure = error;
      throw error;
    }
    this.#position += frame.size;
    this.#checksum = frame.checksum;
    this.#durableLsn = batch.firstLsn + batch.commits - 1;
    this.bytesWritten += frame.size;
  }

  /** Files whose commits are all at or before `lsn` may be used again. */
  async recycle(lsn: number): Promise<void> {
    while (this.#used.length > 1 && this.#used[1]!.firstLsn <= lsn + 1) {
      const { name, size } = this.#used.shift()!;
      this.#spare.push({ name, size });
    }
    // Files of another size were made for one great frame, or for another setting.
    const usual = this.#spare.filter((file) => file.size === this.#fileSize);
    const kept = usual.slice(0, Math.max(0, FILES - this.#used.length));
    const names = this.#spare.filter((file) => !kept.includes(file)).map((file) => file.name);
    const surplus = names.concat(this.#unfinished);
    this.#spare = kept;
    this.#unfinished = [];
    for (const name of surplus) await this.#directory.remove(name);
    if (surplus.length > 0) await this.#directory.sync();
  }

  async close(): Promise<void> {
    await this.#active?.close();
    this.#active = undefined;
  }

  async #write(device: Device, chunks: readonly Uint8Array[], inPlace: boolean): Promise<void> {
    const began = performance.now();
    if (!inPlace || device.writeThroughNow?.(chunks, this.#position) !== true) {
      await writeDurably(device, chunks, this.#position);
    }
    this.#pace.note(performance.now() - began);
  }

  /** The active file if the frame fits, else the next one, with its header durable. */
  async #deviceFor(frameSize: number, firstLsn: number): Promise<Device> {
    if (this.#active && this.#position + frameSize <= this.#active.size) return this.#active;
    await this.#active?.close();
    this.#active = undefined;
    const { alignment, storeId } = this.#identity;
    const { name, device } = await this.#takeFile(alignment + frameSize);
    this.#sequence++;
    const previous = this.#checksum;
    const blocks = blocksOf(device, alignment);
    const header = { sequence: this.#sequence, firstLsn, previous, blocks, storeId };
    this.#active = device;
    this.#position = alignment;
    await device.write([encodeFileHeader(header, alignment)], 0);
    await device.flush();
    this.#used.push({ name, size: device.size, firstLsn });
    return device;
  }

  async #takeFile(needed: number): Promise<{ name: string; device: Device }> {
    const index = this.#spare.findIndex((file) => file.size >= needed);
    if (index >= 0) {
      const [file] = this.#spare.splice(index, 1);
      return { name: file!.name, device: await this.#directory.open(file!.name, "write") };
    }
    return this.#makeFile(needed);
  }

  /**
   * A new file. The first of an opening may be a smaller one, where the file system is full: it is
   * the one in which somebody deletes what takes all the space, and the checkpoint needs some too.
   */
  async #makeFile(needed: number): Promise<{ name: string; device: Device }> {
    const { alignment } = this.#identity;
    for (let size = Math.max(this.#fileSize, needed); ;) {
      const name = journalFileName(this.#nextName++);
      try {
        return { name, device: await createJournalFile(this.#directory, name, size) };
      } catch (error) {
        if (this.bytesWritten > 0 || size === needed || !isFull(error)) throw error;
        const smaller = Math.floor(size / SHRINKAGE / alignment) * alignment;
        size = Math.max(smaller, needed);
      }
    }
  }
}

/** Bytes of one file of a journal of `size` bytes. */
function fileSizeOf(size: number, alignment: number): number {
  return Math.max(4, Math.floor(size / FILES / alignment)) * alignment;
}

/** What a header says of the size; more than its 32 bits can say is not used. */
function blocksOf({ size }: Device, alignment: number): number {
  return Math.min(Math.floor(size / alignment), 2 ** 32 - 1);
}

/** A preallocated file whose name and size are durable; none when it cannot be made. */
async function createJournalFile(
  directory: Directory,
  name: string,
  size: number,
): Promise<Device> {
  let device: Device | undefined;
  try {
    device = await directory.create(name, { size, layout: "preallocated" });
    await device.flush();
    await directory.sync();
    return device;
  } catch (error) {
    // Where the file system is full it would take what little there is. Without a header it is of
    // no meaning, should it be back after a crash.
    await device?.close().catch(() => undefined);
    await directory.remove(name).catch(() => undefined);
    throw error;
  }
}

/** The file system had no space for it. */
function isFull(error: unknown): boolean {
  return isBlockspaceError(error, "EIO") && codeOf(error.cause) === "ENOSPC";
}

/** The first file of a new store's journal, with its header; durable when it resolves. */
export async function createJournal(
  directory: Directory,
  identity: JournalIdentity,
  size: number,
): Promise<void> {
  const { alignment, storeId } = identity;
  await directory.ensure();
  const device = await createJournalFile(
    directory,
    journalFileName(1),
    fileSizeOf(size, alignment),
  );
  try {
    const blocks = blocksOf(device, alignment);
    const header = { sequence: 1, firstLsn: 1, previous: 0, blocks, storeId };
    await device.write([encodeFileHeader(header, alignment)], 0);
    await device.flush();
  } finally {
    await device.close();
  }
}

/** Refuses a commit that no frame can hold. */
export function checkCommitSize(bytes: number): void {
  if (bytes <= MAX_COMMIT_BYTES) return;
  throw new BlockspaceError(
    "E2BIG",
    `one commit takes ${bytes} bytes of records; allowed are ${MAX_COMMIT_BYTES}`,
  );
}
