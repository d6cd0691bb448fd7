/**
 * The half of the audit that looks at blocks instead of maps: counts of references, and that no
 * block is in two states at once (promises I4 and I5).
 */
import type { State } from "../replay/state.ts";
import type { Allocator } from "../space/allocator.ts";
import { blocksIn } from "../space/geometry.ts";
import { fail } from "./audit-failure.ts";

/** Holds the segments of a state against `mapped`, the references that its leaves make. */
export function auditSpace(
  state: State,
  mapped: ReadonlyMap<number, Uint32Array>,
  allocator: Allocator | undefined,
): void {
  const { segments, geometry } = state;
  const totals = { live: 0, busy: 0, held: 0 };
  for (let segment = 0; segment < geometry.segments; segment++) {
    const counts = countSegment(state, segment, mapped.get(segment), allocator);
    expectCount(`allocated blocks of segment ${segment}`, segments.live[segment]!, counts.live);
    expectCount(
      `busy blocks of segment ${segment}`,
      segments.busy.perSegment[segment]!,
      counts.busy,
    );
    const used = counts.live + counts.busy + counts.held;
    if (allocator) expectCount(`used blocks of segment ${segment}`, allocator.used(segment), used);
    totals.live += counts.live;
    totals.busy += counts.busy;
    totals.held += counts.held;
  }
  expectCount("allocated blocks", segments.allocated, totals.live);
  expectCount("busy blocks", segments.busy.count, totals.busy);
  if (allocator) expectCount("held blocks", allocator.held, totals.held);
}

function countSegment(
  state: State,
  segment: number,
  mapped: Uint32Array | undefined,
  allocator: Allocator | undefined,
): { live: number; busy: number; held: number } {
  const { segments, geometry } = state;
  const counts = { live: 0, busy: 0, held: 0 };
  const quiet = !mapped && segments.live[segment] === 0 && segments.busy.perSegment[segment] === 0;
  const record = segments.record(segment);
  if (quiet && !record && !allocator) return counts;
  const blocks = blocksIn(geometry, segment);
  for (let i = 0; i < geometry.segmentBlocks; i++) {
    const pblock = segment * geometry.segmentBlocks + i;
    const references = record?.refs.get(i) ?? 0;
    expectCount(`references to block ${pblock}`, references, mapped?.[i] ?? 0);
    const live = references > 0;
    const busy = segments.busy.has(segment, i);
    const held = allocator?.isHeld(pblock) ?? false;
    if (live && busy) fail(`block ${pblock} is live and busy`);
    if (live && held) fail(`block ${pblock} is live and held`);
    if (busy && held) fail(`block ${pblock} is busy and held`);
    if (i >= blocks && (live || busy || held)) fail(`block ${pblock} is beyond the capacity`);
    if (live) counts.live++;
    if (busy) counts.busy++;
    if (held) counts.held++;
  }
  return counts;
}

function expectCount(what: string, stored: number, counted: number): void {
  if (stored !== counted) fail(`${what}: the state says ${stored}, the maps say ${counted}`);
}
