/**
 * The changes of a commit on their way to the thread that writes them: packed into chunks of
 * bounded size, whose memory is handed over instead of copied, and comes back to be filled again.
 * A chunk is read by `lmdb-worker.js` and never stored.
 *
 * One change is the key (8 bytes), the length of the value (i32 little-endian, -1 to remove it) and
 * the value. The number of changes in a chunk is bounded as well, so that a chunk of removals does
 * not keep the event loop for long either.
 */
import { viewOf } from "../base/bytes.ts";
import { KiB } from "../base/units.ts";
import { CHECKPOINT_KEY_BYTES, encodeKey } from "../format/checkpoint-key.ts";
import type { Change } from "./environment.ts";

const CHUNK_BYTES: number = 256 * KiB;
const CHUNK_CHANGES = 256;
const HEAD_BYTES: number = CHECKPOINT_KEY_BYTES + 4;
const REMOVED = -1;

/**
 * Packs the changes one chunk at a time; nothing is read ahead of the chunk that is asked for.
 * `spare` has memory for a chunk, if there is some; it is taken from there.
 */
export function* packChanges(
  changes: Iterable<Change>,
  spare: ArrayBuffer[] = [],
): Generator<Uint8Array<ArrayBuffer>> {
  let chunk = new Uint8Array(0);
  let view = viewOf(chunk);
  let used = 0;
  let count = 0;
  for (const { kind, id, value } of changes) {
    const size = HEAD_BYTES + (value?.length ?? 0);
    if (used + size > chunk.length || count === CHUNK_CHANGES) {
      if (used > 0) yield chunk.subarray(0, used);
      chunk = memoryFor(size, spare);
      view = viewOf(chunk);
      used = 0;
      count = 0;
    }
    encodeKey(kind, id, chunk.subarray(used, used + CHECKPOINT_KEY_BYTES));
    view.setInt32(used + CHECKPOINT_KEY_BYTES, value?.length ?? REMOVED, true);
    if (value) chunk.set(value, used + HEAD_BYTES);
    used += size;
    count++;
  }
  if (used > 0) yield chunk.subarray(0, used);
}

function memoryFor(size: number, spare: ArrayBuffer[]): Uint8Array<ArrayBuffer> {
  const buffer = spare.pop();
  if (buffer && buffer.byteLength >= size) return new Uint8Array(buffer);
  return new Uint8Array(Math.max(CHUNK_BYTES, size));
}
