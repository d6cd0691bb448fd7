/**
 * The sizes of subvolumes whose maps reach beyond them. Who cuts the map loses data, who makes the
 * subvolume larger loses nothing; so it grows, to the size that the other checkpoint knows or to
 * the end of its map, for as long as that is a size at all.
 */
import type { SubvolumeEntry } from "../format/checkpoint-values.ts";
import type { Contents } from "./contents.ts";

/** The entry with a size that its map fits into, which ends before block `end`. */
export function grown(
  entry: SubvolumeEntry,
  end: number,
  blockSize: number,
  twins: readonly Contents[],
): SubvolumeEntry {
  if (entry.size >= end * blockSize) return entry;
  if (Math.ceil(entry.size / blockSize) >= end) return entry;
  const known = twins.map(({ subvolumes }) => subvolumes.get(entry.id)?.size ?? 0);
  const size = Math.max(entry.size, end * blockSize, ...known);
  return Number.isSafeInteger(size) ? { ...entry, size } : entry;
}
