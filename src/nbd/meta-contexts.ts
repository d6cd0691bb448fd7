/**
 * The metadata contexts: which there are, which a query selects, and what each says of a range.
 *
 *     base:allocation              1 hole, 2 reads as zeroes
 *     qemu:allocation-depth        0 nothing here, 1 blocks of its own, 2 shared with another
 *     qemu:dirty-bitmap:SNAPSHOT   1 may differ from that snapshot
 *     x-blockspace:sharing         1 shared with a snapshot or clone, 2 a write takes new space
 *
 * Blockspace overwrites nothing in place: a write to blocks that hold data takes new ones, and may
 * fail with ENOSPC although base:allocation says that it is no hole. The protocol allows that where
 * another context says so, and x-blockspace:sharing does: wherever bit 2 is clear, and until the
 * next snapshot or clone is made, a write of whole blocks cannot fail for want of space.
 */
import type { Iomap } from "../host/iomap.ts";
import type { Subvolume } from "../host/subvolume.ts";
import type { Exports } from "./exports.ts";

/** What a context says of one run of bytes. */
export type FlagsOf = (iomap: Iomap) => number;

/** A context as a connection selected it. */
export interface Context {
  readonly name: string;
  /** From the extents of the export, or, when a snapshot is named, from what differs from it. */
  readonly source: { flagsOf: FlagsOf } | { since: Subvolume };
}

const DIRTY_BITMAP = "qemu:dirty-bitmap:";

/** Contexts that every export has, by name. */
const fixed: ReadonlyMap<string, FlagsOf> = new Map<string, FlagsOf>([
  ["base:allocation", ({ type }) => (type === "mapped" ? 0 : type === "hole" ? 3 : 2)],
  ["qemu:allocation-depth", ({ type, flags }) => (type === "hole" ? 0 : flags.shared ? 2 : 1)],
  [
    "x-blockspace:sharing",
    ({ type, flags }) => (flags.shared ? 1 : 0) | (type === "unwritten" && !flags.shared ? 0 : 2),
  ],
]);

/**
 * The names that the queries match; all when there are none. A query ends with a colon to ask for
 * everything below; whatever namespace we do not know matches nothing.
 */
export function listContexts(
  exports: Exports,
  subvolume: Subvolume,
  queries: readonly string[],
): string[] {
  const names = [...fixed.keys()];
  for (const snapshot of exports.snapshotsOf(subvolume)) names.push(DIRTY_BITMAP + snapshot);
  if (queries.length === 0) return names;
  const found = new Set<string>();
  for (const query of queries) {
    for (const name of names) {
      if (name === query || (query.endsWith(":") && name.startsWith(query))) found.add(name);
    }
    if (selectContext(exports, query)) found.add(query);
  }
  return [...found];
}

/** The one context of that name, if there is one. */
export function selectContext(exports: Exports, name: string): Context | undefined {
  const flagsOf = fixed.get(name);
  if (flagsOf) return { name, source: { flagsOf } };
  if (!name.startsWith(DIRTY_BITMAP)) return undefined;
  const since = exports.snapshotOrSubvolume(name.slice(DIRTY_BITMAP.length));
  return since?.readOnly ? { name, source: { since } } : undefined;
}
