/**
 * The answer to `BLOCK_STATUS`: runs of bytes in the same state, neighbours that say the same made
 * one, cut off after a few thousand so that an answer stays small; the client asks on from there.
 */
import type { ByteRange, Host } from "../host/host.ts";
import type { Subvolume } from "../host/subvolume.ts";
import { MAX_DESCRIPTORS } from "./limits.ts";
import type { Context } from "./meta-contexts.ts";
import type { Descriptor } from "./wire.ts";

const DIRTY = 1;

/** A map is looked at in pieces; after so many an answer is cut short, however few it makes. */
const MOST_PIECES = 8192;

interface Run {
  /** Where it ends. */
  end: number;
  flags: number;
}

/** What a context says of `[offset, offset + length)`, from the start on; at least one run. */
export function describeRange(
  host: Host,
  subvolume: Subvolume,
  context: Context,
  range: ByteRange,
  one: boolean,
): Descriptor[] {
  const { source } = context;
  const runs =
    "since" in source
      ? differing(host, subvolume, source.since, range)
      : allocated(subvolume, source.flagsOf, range);
  return merge(runs, range.offset, one ? 1 : MAX_DESCRIPTORS);
}

function* allocated(
  subvolume: Subvolume,
  flagsOf: (iomap: ReturnType<Subvolume["map"]>) => number,
  { offset, length }: ByteRange,
): Generator<Run, void> {
  for (const iomap of subvolume.extents(offset, length)) {
    yield { end: iomap.offset + iomap.length, flags: flagsOf(iomap) };
  }
}

function* differing(
  host: Host,
  subvolume: Subvolume,
  since: Subvolume,
  range: ByteRange,
): Generator<Run, void> {
  const end = range.offset + range.length;
  for (const { offset, length } of host.diff(since.name, subvolume.name, range)) {
    if (offset > range.offset) yield { end: offset, flags: 0 };
    yield { end: Math.min(end, offset + length), flags: DIRTY };
  }
  yield { end, flags: 0 };
}

/** Equal neighbours become one. */
function merge(runs: Iterable<Run>, from: number, most: number): Descriptor[] {
  const descriptors: Descriptor[] = [];
  let at = from;
  let pieces = 0;
  for (const { end, flags } of runs) {
    if (end <= at) continue;
    const last = descriptors.at(-1);
    if (last?.flags === flags) last.length += end - at;
    else if (descriptors.length === most) break;
    else descriptors.push({ length: end - at, flags });
    at = end;
    if (++pieces === MOST_PIECES) break;
  }
  return descriptors;
}
