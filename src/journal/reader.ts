/**
 * Reads the journal behind a checkpoint, frame by frame, and says why it stopped (promise I10).
 *
 * It starts in the file that holds the commit after the checkpoint's LSN and follows the chain:
 * each frame names the checksum of the one before it and begins with the LSN that is due. A file
 * ends where the next one says that it begins, whatever stands behind. Where the chain ends, one
 * question is left: was there ever more? Only one frame is in flight at a time, and each frame and
 * file header tells what was durable when it was written. So:
 *
 *  - nothing proves that what is missing was durable: the journal ends here. What stands behind is
 *    a torn frame that nobody was told of, or old frames of a recycled file.
 *  - a later frame or file does: the missing frame is damaged, and reading on would tell a story
 *    with a hole in it. `ECORRUPT`. So does the missing frame itself, sound, at the beginning of a
 *    file whose header does not lead to it: the header was durable before the frame was written.
 *
 * Frames at or before the checkpoint's LSN are only passed through; when they are damaged, the
 * first frame that is needed is searched for by the checksum that the checkpoint remembers.
 */
import { BlockspaceError } from "../base/errors.ts";
import { MiB } from "../base/units.ts";
import type { Device, Directory } from "../device/device.ts";
import {
  type Commit,
  decodeFrame,
  type FrameHeader,
  type JournalFileHeader,
} from "../format/journal-frame.ts";
import { type JournalFile, type JournalIdentity, listJournalFiles } from "./files.ts";
import {
  findFrame,
  type FrameSpace,
  readFrame,
  readFrameHeader,
  SearchBudget,
  type SoundFrame,
} from "./frame-reader.ts";
import { ReadAhead } from "./read-ahead.ts";

/** Where the journal is read from: behind this commit, whose frame had this checksum. */
export interface JournalStart {
  lsn: number;
  checksum: number;
}

/** One frame behind the start. */
export interface JournalBatch {
  header: FrameHeader;
  commits: Commit[];
  /**
   * The blocks of the written records in their order, where the frame carries them. A reader's
   * batches share the memory of it: it is to be copied before the next batch is asked for.
   */
  data: Uint8Array;
}

/** Frames that a host writes are not longer, but for the rare one. */
const FRAME_MEMORY: number = MiB;

/** Where the last frame is, when nothing proves that it was durable. */
export interface DoubtfulFrame {
  file: string;
  position: number;
}

/** Where and how the journal ended. */
export interface JournalEnd {
  lsn: number;
  /** Checksum of the last frame. */
  checksum: number;
  files: JournalFile[];
  /**
   * Files behind the last one that is known to hold a frame, or to have been there before the rest.
   * They have a header; whether it is durable nobody knows, since no frame stands behind it.
   */
  unproven: JournalFile[];
  /** The greatest LSN that the journal proves to have been durable. */
  durableLsn: number;
  doubtful: DoubtfulFrame | undefined;
  /** Bytes of a torn frame behind the end. */
  discardedBytes: number;
}

interface Place {
  device: FrameSpace;
  file: JournalFile;
  position: number;
}

export class JournalReader {
  readonly #directory: Directory;
  readonly #identity: JournalIdentity;
  readonly #start: JournalStart;
  #files: JournalFile[] = [];
  /** The files read so far. */
  readonly #chain: JournalFile[] = [];
  /** The next LSN due, and the checksum that its frame must name. */
  #due = 1;
  #checksum = 0;
  #durableLsn = 0;
  #last: DoubtfulFrame | undefined;
  /** The last file in which a frame was found. */
  #lastWithFrame: JournalFile | undefined;
  readonly #budget = new SearchBudget();
  readonly #ahead = new ReadAhead();
  /** Where one frame after the other is taken apart. */
  #memory = new Uint8Array();

  constructor(directory: Directory, identity: JournalIdentity, start: JournalStart) {
    this.#directory = directory;
    this.#identity = identity;
    this.#start = start;
  }

  /** Every batch behind the start; returns how the journal ended, or throws `ECORRUPT`. */
  async *batches(): AsyncGenerator<JournalBatch, JournalEnd> {
    this.#files = await listJournalFiles(this.#directory, this.#identity);
    let index = this.#firstFile();
    const first = this.#files[index]!.header!;
    this.#durableLsn = Math.max(this.#start.lsn, first.firstLsn - 1);
    this.#moveTo(first.firstLsn, first.previous);
    for (;;) {
      const file = this.#files[index]!;
      const next = this.#files[index + 1]?.header;
      this.#chain.push(file);
      const device = await this.#directory.open(file.name, "read");

      this.#ahead.turnTo(device, file.size);
      const mostFrame = Math.min(FRAME_MEMORY, file.size);
      if (this.#memory.length < mostFrame) this.#memory = new Uint8Array(mostFrame);
      try {
        const place = { device: this.#ahead, file, position: this.#identity.alignment };
        yield* this.#readFile(place, next);
        if (!this.#continuesIn(next)) return await this.#end(place);
      } finally {
        await this.#ahead.settled();
        await device.close();
      }
      index++;
      this.#durableLsn = this.#due - 1;
    }
  }

  #firstFile(): number {
    const { lsn } = this.#start;
    const index = this.#files.findLastIndex(
      (file) => (file.header?.firstLsn ?? Infinity) <= lsn + 1,
    );
    if (index >= 0) return index;
    throw new BlockspaceError(
      "ECORRUPT",
      `the journal does not reach back to commit ${lsn + 1}, which follows the checkpoint`,
      { path: this.#directory.path, lsn: lsn + 1 },
    );
  }

  /** The chain has come this far; on its way it must pass through the start. */
  #moveTo(due: number, checksum: number): void {
    const { lsn } = this.#start;
    const passesBy = this.#due <= lsn && due > lsn + 1;
    if (passesBy || (due === lsn + 1 && checksum !== this.#start.checksum)) {
      throw new BlockspaceError(
        "ECORRUPT",
        `the journal does not continue the checkpoint at commit ${lsn}`,
        { path: this.#directory.path, lsn },
      );
    }
    this.#due = due;
    this.#checksum = checksum;
  }

  #continuesIn(next: JournalFileHeader | undefined): boolean {
    return next?.firstLsn === this.#due && next.previous === this.#checksum;
  }

  async *#readFile(
    place: Place,
    next: JournalFileHeader | undefined,
  ): AsyncGenerator<JournalBatch> {
    while (!this.#continuesIn(next)) {
      const frame = (await this.#next(place)) ?? (await this.#skipToNeeded(place));
      if (!frame) return;
      const { header } = frame;
      const last = header.firstLsn + header.commits - 1;
      this.#moveTo(last + 1, header.checksum);
      this.#durableLsn = Math.max(this.#durableLsn, header.durableLsn);
      this.#last = { file: place.file.name, position: place.position };
      this.#lastWithFrame = place.file;
      place.position += this.#aligned(header.length);
      if (last > this.#start.lsn) yield { header, ...this.#decode(frame) };
    }
  }

  async #next(place: Place): Promise<SoundFrame | undefined> {
    const frame = await readFrame(place.device, place.position, this.#identity, this.#memory);
    return frame && this.#isDue(frame.header) ? frame : undefined;
  }

  #isDue(header: FrameHeader): boolean {
    return header.firstLsn === this.#due && header.previous === this.#checksum;
  }

  /** Damage before the start does no harm: finds the first frame behind it. */
  async #skipToNeeded(place: Place): Promise<SoundFrame | undefined> {
    const { lsn, checksum } = this.#start;
    if (this.#due > lsn) return undefined;
    this.#moveTo(lsn + 1, checksum);
    const found = await this.#find(place.device, place.position, (header) => this.#isDue(header));
    if (found) place.position = found.position;
    return found?.frame;
  }

  #decode(frame: SoundFrame): { commits: Commit[]; data: Uint8Array } {
    try {
      return decodeFrame(frame.header, frame.bytes);
    } catch (cause) {
      throw this.#damage(frame.header.firstLsn, "cannot be decoded", cause);
    }
  }

  async #end(place: Place): Promise<JournalEnd> {
    await this.#refuseDamage(place);
    const torn = await readFrameHeader(place.device, place.position, this.#identity);
    const rest = place.device.size - place.position;
    const lsn = this.#due - 1;
    return {
      lsn,
      checksum: this.#checksum,
      files: this.#files,
      unproven: this.#unproven(),
      durableLsn: Math.min(this.#durableLsn, lsn),
      doubtful: this.#durableLsn < lsn ? this.#last : undefined,
      discardedBytes: torn && this.#isDue(torn) ? Math.min(torn.length, rest) : 0,
    };
  }

  /** All of a journal may be without a frame; then what was there first is its beginning. */
  #unproven(): JournalFile[] {
    const before = this.#files.indexOf(this.#chain[0]!) - 1;
    const last = this.#lastWithFrame ? this.#files.indexOf(this.#lastWithFrame) : before;
    return this.#files.slice(Math.max(0, last) + 1).filter(({ header }) => header !== undefined);
  }

  /** Looks for anything that proves the frame that is due to have been durable. */
  async #refuseDamage(place: Place): Promise<void> {
    const proves = (header: FrameHeader): boolean => header.durableLsn >= this.#due;
    if (await this.#find(place.device, place.position, proves)) {
      throw this.#damage(this.#due, "is damaged, and it was durable");
    }
    if (place.file.isCut) {
      throw this.#damage(this.#due, `may be missing: the end of ${place.file.name} was cut off`);
    }
    const later = this.#files[this.#files.indexOf(place.file) + 1];
    if (later?.header) throw this.#damage(this.#due, `is missing, but ${later.name} follows it`);
    for (const file of this.#files) {
      if (this.#chain.includes(file)) continue;
      const device = await this.#directory.open(file.name, "read");
      try {
        if (await this.#holdsMissing(file, spaceOf(file, device), proves)) {
          throw this.#damage(this.#due, `is missing: the header of ${file.name} is damaged`);
        }
      } finally {
        await device.close();
      }
    }
  }

  /**
   * True when a file outside of the chain belongs into it. A file without a header is searched as a
   * whole; one with an old header may have lost the write of a new one, and then begins anew.
   */
  async #holdsMissing(
    file: JournalFile,
    device: FrameSpace,
    proves: (header: FrameHeader) => boolean,
  ): Promise<boolean> {
    const wanted = (header: FrameHeader): boolean => proves(header) || this.#isDue(header);
    if (!file.header) return (await this.#find(device, 0, wanted)) !== undefined;
    const position = this.#identity.alignment;
    const header = await readFrameHeader(device, position, this.#identity);
    if (!header || !wanted(header)) return false;
    return (await readFrame(device, position, this.#identity)) !== undefined;
  }

  #find(
    device: FrameSpace,
    from: number,
    wanted: (header: FrameHeader) => boolean,
  ): ReturnType<typeof findFrame> {
    return findFrame(device, from, this.#identity, wanted, this.#budget);
  }

  #damage(lsn: number, what: string, cause?: unknown): BlockspaceError {
    return new BlockspaceError("ECORRUPT", `the journal frame at commit ${lsn} ${what}`, {
      path: this.#directory.path,
      lsn,
      cause,
    });
  }

  #aligned(length: number): number {
    const { alignment } = this.#identity;
    return Math.ceil(length / alignment) * alignment;
  }
}

/** What lies behind the end that a file's header states is none of the journal's. */
function spaceOf(file: JournalFile, device: Device): FrameSpace {
  return { size: file.size, read: (target, offset) => device.read(target, offset) };
}
