/**
 * The cleaner makes segments wholly free again: it copies the live blocks of the emptiest ones to
 * new places, and one `relocate` record moves every map that refers to them, snapshots included.
 *
 * A run is copied and its record made as one task in the order of submission, so nothing changes
 * between the look at a block and its move. What cannot be read or does not match its checksum
 * stays where it is, for fsck to see.
 */
import { crc32 } from "../base/checksum.ts";
import { BlockspaceError, isBlockspaceError, messageOf } from "../base/errors.ts";
import type { BlockRun } from "../space/busy.ts";
import { addressOf, blocksIn } from "../space/geometry.ts";
import type { Engine } from "./engine.ts";

/** A segment this full is not worth copying. */
const FULL_ENOUGH = 0.75;
/** In the background two segments are emptied into one, or it is not worth the writes. */
const HALF_FULL = 0.5;
/** The background begins when less than this part of the segments, one in so many, is free. */
const FREE_SHARE = 16;
const SEGMENTS_AT_ONCE = 4;
/** Segments that are looked at in one turn of the event loop; 16 TiB have four million. */
const LOOKS_PER_TURN = 65_536;

/** What a run of the cleaner did; sizes in bytes. */
export interface CleanerReport {
  segments: number;
  bytesMoved: number;
  /** Why blocks were left where they are, if any were. */
  problems: string[];
}

/** Empties the emptiest segments until no more can be gained, or the caller's signal aborts. */
export async function compact(engine: Engine, signal?: AbortSignal): Promise<CleanerReport> {
  const report: CleanerReport = { segments: 0, bytesMoved: 0, problems: [] };
  for (const segment of await candidates(engine, FULL_ENOUGH)) {
    if (signal?.aborted) break;
    const empty = (): Promise<boolean> => emptyInTurn(engine, segment, report);
    const done = (await empty()) || (await afterRelease(engine, empty));
    if (!done) break;
    report.segments++;
  }
  await releaseBusy(engine);
  await engine.releaser.giveBack();
  return report;
}

/**
 * Empties a few of the emptiest segments, when hardly any are wholly free; called after a
 * checkpoint. Does nothing while there are enough, and nothing that would not gain a segment: what
 * it moves makes a checkpoint due where memory is small, and so would never come to an end.
 */
export async function keepSegmentsFree(engine: Engine): Promise<void> {
  const { geometry } = engine.state;
  const enough = Math.max(2, geometry.segments / FREE_SHARE);
  let free = 0;
  await lookAtAll(engine, (segment) => {
    if (engine.allocator.used(segment) === 0) free++;
    return free < enough;
  });
  if (free === 0 || free >= enough) return;
  const chosen = (await candidates(engine, HALF_FULL)).slice(0, SEGMENTS_AT_ONCE);
  const { live } = engine.state.segments;
  const blocks = chosen.reduce((sum, segment) => sum + live[segment]!, 0);
  if (Math.ceil(blocks / geometry.segmentBlocks) >= chosen.length) return;
  const report: CleanerReport = { segments: 0, bytesMoved: 0, problems: [] };
  for (const segment of chosen) {
    if (!(await emptyInTurn(engine, segment, report))) return;
  }
}

/** Emptied segments come free with the second checkpoint; then there may be room again. */
async function afterRelease(engine: Engine, empty: () => Promise<boolean>): Promise<boolean> {
  await releaseBusy(engine);
  return empty();
}

async function releaseBusy(engine: Engine): Promise<void> {
  for (let i = 0; i < 2; i++) {
    engine.checkOpen();
    await engine.checkpointer.runAnew();
  }
}

/** Segments that are used, and less than `full`, the emptiest first. */
async function candidates(engine: Engine, full: number): Promise<number[]> {
  const { geometry, live } = engine.state.segments;
  const byLive = Array.from({ length: geometry.segmentBlocks + 1 }, (): number[] => []);
  await lookAtAll(engine, (segment) => {
    const blocks = live[segment]!;
    if (blocks > 0 && blocks / blocksIn(geometry, segment) < full) byLive[blocks]!.push(segment);
    return true;
  });
  return byLive.flat();
}

/** Calls `look` for each segment for as long as it returns true; the event loop turns between. */
async function lookAtAll(engine: Engine, look: (segment: number) => boolean): Promise<void> {
  const { segments } = engine.state.geometry;
  for (let segment = 0; segment < segments && look(segment); segment++) {
    if ((segment + 1) % LOOKS_PER_TURN === 0) await new Promise(setImmediate);
  }
}

/** Waits first for maps that are being taken apart: in the turn everybody would wait for them. */
async function emptyInTurn(
  engine: Engine,
  segment: number,
  report: CleanerReport,
): Promise<boolean> {
  await engine.reclaimer.settled();
  return engine.sequencer.run(() => emptySegment(engine, segment, report));
}

/** Moves the live runs of a segment away; false when there is no room for one. */
async function emptySegment(
  engine: Engine,
  segment: number,
  report: CleanerReport,
): Promise<boolean> {
  engine.checkOpen();
  await engine.reclaimer.reclaim();
  for (const run of liveRuns(engine, segment)) {
    const target = engine.allocator.takeWhole(run.count, segment);
    if (!target || engine.ledger.free < run.count) return false;
    engine.allocator.hold(target);
    try {
      await copyRun(engine, run, target);
    } catch (error) {
      if (engine.health.failure || !isBlockspaceError(error)) throw error;
      report.problems.push(messageOf(error));
      continue;
    } finally {
      engine.allocator.unhold(target);
    }
    const { pblock: from, count } = run;
    const record = { type: "relocate", from, to: target.pblock, count } as const;
    engine.commitNow({ changes: [{ type: "record", record, submitted: true }] });
    report.bytesMoved += count * engine.state.geometry.blockSize;
  }
  return true;
}

/** Maximal runs of live blocks; a run with a pinned block is left alone. */
function liveRuns(engine: Engine, segment: number): BlockRun[] {
  const { geometry } = engine.state;
  const record = engine.state.segments.record(segment);
  const base = segment * geometry.segmentBlocks;
  const runs: BlockRun[] = [];
  for (let i = 0; i < blocksIn(geometry, segment); i++) {
    if (!record?.refs.get(i)) continue;
    const last = runs.at(-1);
    if (last && last.pblock + last.count === base + i) last.count++;
    else runs.push({ pblock: base + i, count: 1 });
  }
  const isPinned = ({ pblock, count }: BlockRun): boolean =>
    Array.from({ length: count }, (_, i) => pblock + i).some((at) => engine.pinned.has(at));
  return runs.filter((run) => !isPinned(run));
}

async function copyRun(engine: Engine, run: BlockRun, target: BlockRun): Promise<void> {
  const { geometry, segments } = engine.state;
  const { blockSize, segmentBlocks } = geometry;
  const image = new Uint8Array(run.count * blockSize);
  // Asked for first: what is on its way now may be home before the device has been read.
  const waiting = Array.from({ length: run.count }, (_, i) => engine.pending.get(run.pblock + i));
  const pending = waiting.map((block) => block && Uint8Array.from(block));
  await engine.device.read(image, addressOf(geometry, run.pblock));
  const record = segments.record(Math.floor(run.pblock / segmentBlocks))!;
  for (let i = 0; i < run.count; i++) {
    const block = image.subarray(i * blockSize, (i + 1) * blockSize);
    const held = pending[i];
    if (held) block.set(held);
    const index = (run.pblock + i) % segmentBlocks;
    if (record.written[index] === 1 && crc32(block) !== record.checksums[index]) {
      const address = addressOf(geometry, run.pblock + i);
      throw new BlockspaceError(
        "EBADSUM",
        `the block at address ${address} does not match its checksum`,
        {
          address,
          length: blockSize,
        },
      );
    }
  }
  await engine.writeData(image, target.pblock);
}
