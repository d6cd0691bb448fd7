/**
 * Reads journal files from front to back: in large pieces, the next one on its way while the last
 * is taken apart. Frame by frame, half of the time of a replay goes by waiting for the disk.
 *
 * A piece reaches further than anybody has asked, perhaps to where nothing can be read. Nobody is
 * told: what is in no piece is read by itself, and fails by itself.
 */
import { KiB, MiB } from "../base/units.ts";
import type { Device } from "../device/device.ts";

const PIECE_BYTES: number = MiB;
/** What is longer is not read in pieces; so much of one can be kept in front of the next. */
const MOST_KEPT: number = 256 * KiB;

/** Bytes `[from, to)` of a file. */
interface Piece {
  memory: Uint8Array;
  /** Where in the file the memory begins, perhaps before its start. */
  base: number;
  from: number;
  to: number;
}

export class ReadAhead {
  #device: Device | undefined;
  #size = 0;
  #here: Piece = newPiece();
  #coming: Piece = newPiece();
  /** Resolves with true when the piece that is coming is whole. */
  #arrival: Promise<boolean> = Promise.resolve(false);

  /** Goes on with the first `size` bytes of another file; {@link settled} first. */
  turnTo(device: Device, size: number): void {
    this.#device = device;
    this.#size = size;
    Object.assign(this.#here, { from: 0, to: 0 });
    this.#arrival = Promise.resolve(false);
  }

  /** Bytes of the file that may be read. */
  get size(): number {
    return this.#size;
  }

  /** Fills the whole target, as a device does. */
  async read(target: Uint8Array, offset: number): Promise<void> {
    const end = offset + target.length;
    const isAhead = offset >= this.#here.from && target.length <= MOST_KEPT;
    if (isAhead && !this.#holds(offset, end)) await this.#goOn(offset);
    if (!this.#holds(offset, end)) return this.#device!.read(target, offset);
    const { memory, base } = this.#here;
    target.set(memory.subarray(offset - base, end - base));
  }

  /** Resolves when nothing is being read any more. */
  async settled(): Promise<void> {
    await this.#arrival;
  }

  #holds(offset: number, end: number): boolean {
    return offset >= this.#here.from && end <= this.#here.to;
  }

  /** To the next piece, or to one that begins at `offset` when that lies elsewhere. */
  async #goOn(offset: number): Promise<void> {
    const here = this.#here;
    const kept = here.to - offset;
    const isNext = kept >= 0 && kept <= MOST_KEPT;
    if (!isNext) {
      await this.#arrival;
      this.#begin(offset);
    }
    if (!(await this.#arrival)) return;
    const next = this.#coming;
    if (isNext) {
      const rest = here.memory.subarray(offset - here.base, here.to - here.base);
      next.memory.set(rest, offset - next.base);
      next.from = offset;
    }
    this.#here = next;
    this.#coming = here;
    this.#begin(next.to);
  }

  /** Begins to read the piece at `offset`, if the file goes on there. */
  #begin(offset: number): void {
    const length = Math.min(PIECE_BYTES, this.#size - offset);
    this.#arrival = length > 0 ? this.#readPiece(offset, length) : Promise.resolve(false);
  }

  async #readPiece(offset: number, length: number): Promise<boolean> {
    const piece = this.#coming;
    // A small file takes little memory.
    const room = Math.min(MOST_KEPT + PIECE_BYTES, 2 * this.#size);
    if (piece.memory.length < room) piece.memory = new Uint8Array(room);
    const at = piece.memory.length - length;
    Object.assign(piece, { base: offset - at, from: offset, to: offset + length });
    try {
      await this.#device!.read(piece.memory.subarray(at), offset);
      return true;
    } catch {
      return false;
    }
  }
}

function newPiece(): Piece {
  return { memory: new Uint8Array(), base: 0, from: 0, to: 0 };
}
