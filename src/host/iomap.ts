/**
 * The answer of `map` and `allocate`, with the fields of Linux's `struct iomap`.
 */
import { addressOf } from "../space/geometry.ts";
import type { Engine } from "./engine.ts";
import type { Piece } from "./pieces.ts";

export interface Iomap {
  /** Byte offset in the subvolume. */
  offset: number;
  /** Bytes. */
  length: number;
  /** Byte address on the data device; `null` for a hole. */
  addr: number | null;
  /** `hole`: nothing there; `unwritten`: allocated, reads as zeroes; `mapped`: holds data. */
  type: "hole" | "mapped" | "unwritten";
  flags: IomapFlags;
}

export interface IomapFlags {
  /** Staged just now, in no map yet. */
  new: boolean;
  /** A snapshot or clone refers to the same blocks. */
  shared: boolean;
  /** The subvolume has changes that are not durable yet. */
  dirty: boolean;
}

/** A piece of a map as an iomap, clipped to bytes `[from, to)`. */
export function iomapOf(
  engine: Engine,
  subvolume: number,
  piece: Piece,
  from: number,
  to: number,
): Iomap {
  const { geometry } = engine.state;
  const start = piece.vblock * geometry.blockSize;
  const offset = Math.max(start, from);
  const end = Math.min(start + piece.count * geometry.blockSize, to);
  const { pblock } = piece;
  const type = pblock === null ? "hole" : piece.unwritten ? "unwritten" : "mapped";
  const addr = pblock === null ? null : addressOf(geometry, pblock) + (offset - start);
  const dirty = isDirty(engine, subvolume);
  return {
    offset,
    length: end - offset,
    addr,
    type,
    flags: { new: false, shared: piece.shared, dirty },
  };
}

export function isDirty(engine: Engine, subvolume: number): boolean {
  return (engine.changedLsn.get(subvolume) ?? 0) > engine.committer.durableLsn;
}
