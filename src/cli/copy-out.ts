/**
 * The way of a subvolume's bytes out of the store: what holds data is read, several chunks at once;
 * what reads as zeroes is never asked for.
 */
import { MiB } from "../base/units.ts";
import type { ByteRange } from "../host/host.ts";
import { CHUNK_BYTES, cut, ZEROES } from "./chunks.ts";
import type { Series, SubvolumeAccess } from "./control/store-access.ts";
import type { ImageTarget } from "./image-target.ts";
import { InFlight } from "./in-flight.ts";
import type { Progress } from "./progress.ts";

/** Of a hole there may be terabytes, and clearing it may mean to write zeroes. */
const HOLE_BYTES: number = 64 * MiB;

/** A range that holds data, or reads as zeroes. */
export interface Stretch extends ByteRange {
  isData: boolean;
}

/** Ranges of a subvolume, in order, by what is there; neighbours of the same kind are one. */
export async function* stretchesOf(
  subvolume: SubvolumeAccess,
  ranges: Series<ByteRange> = [{ offset: 0, length: subvolume.size }],
): AsyncGenerator<Stretch, void> {
  let open: Stretch | undefined;
  for await (const range of ranges) {
    for await (const { type, offset, length } of subvolume.extents(range.offset, range.length)) {
      const isData = type === "mapped";
      if (open && open.isData === isData && open.offset + open.length === offset) {
        open.length += length;
      } else {
        if (open) yield open;
        open = { offset, length, isData };
      }
    }
  }
  if (open) yield open;
}

/** Copies stretches to where they go; resolves with the bytes that were written. */
export async function copyOut(
  subvolume: SubvolumeAccess,
  stretches: AsyncIterable<Stretch>,
  target: ImageTarget,
  { progress, signal }: { progress: Progress; signal: AbortSignal },
): Promise<number> {
  const transfers = new InFlight();
  try {
    for await (const stretch of stretches) {
      const { isData } = stretch;
      for (const { offset, length } of cut([stretch], isData ? CHUNK_BYTES : HOLE_BYTES)) {
        signal.throwIfAborted();
        await transfers.add(async () => {
          if (!isData) return target.clear({ offset, length });
          return target.put({ offset, bytes: await subvolume.read(offset, length) });
        });
        progress.update(offset + length);
      }
    }
    return await transfers.done();
  } finally {
    await transfers.settled();
  }
}

/** Every byte in order, with where it ends. */
export async function* allBytes(
  subvolume: SubvolumeAccess,
): AsyncGenerator<{ bytes: Uint8Array; end: number }, void> {
  for await (const stretch of stretchesOf(subvolume)) {
    for (const { offset, length } of cut([stretch])) {
      const bytes = stretch.isData
        ? await subvolume.read(offset, length)
        : ZEROES.subarray(0, length);
      yield { bytes, end: offset + length };
    }
  }
}
