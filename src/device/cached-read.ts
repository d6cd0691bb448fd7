/**
 * Reads what the system's page cache has at hand, without a thread and without a wait.
 *
 * A read through node's thread pool costs some ten times what the copy costs. Linux tells whether a
 * read would have to wait for the disk: `preadv2` with `RWF_NOWAIT` (Linux 4.14) reads what is
 * cached and refuses the rest. Node does not offer it, so `koffi` calls it. Where that cannot be
 * done, nothing is ever at hand, and all reads go the usual way.
 */
import { viewOf } from "../base/bytes.ts";
import { KiB } from "../base/units.ts";
import { nativeFunction } from "./native-function.ts";

/** Reads all of `target` at `offset`; `false` when it would have to wait. */
export type CachedRead = (fd: number, target: Uint8Array, offset: number) => boolean;

const RWF_NOWAIT = 8;
/** Longer reads are worth a thread, and would keep the event loop waiting. */
const MOST_BYTES: number = 256 * KiB;
/** A read of so many bytes goes by way of a buffer whose address is known. */
const SCRATCH_BYTES: number = 16 * KiB;

type Preadv2 = (
  fd: number,
  vectors: Uint8Array,
  count: number,
  at: number,
  flags: number,
) => number;

/** The system's own; `undefined` where there is none. */
export async function loadCachedRead(): Promise<CachedRead | undefined> {
  const types = ["int", "void *", "int", "int64_t", "int"];
  const preadv2 = await nativeFunction<Preadv2>("preadv2", "int64_t", types);
  return preadv2 && cachedReadWith(preadv2.call, preadv2.addressOf);
}

function cachedReadWith(preadv2: Preadv2, addressOf: (bytes: Uint8Array) => bigint): CachedRead {
  const scratch = new Uint8Array(SCRATCH_BYTES);
  const scratchVector = vectorOf(addressOf(scratch), 0);
  const scratchLength = viewOf(scratchVector);
  let filled = scratch;
  return (fd, target, offset) => {
    const { length } = target;
    if (length > MOST_BYTES) return false;
    if (length > SCRATCH_BYTES) {
      return preadv2(fd, vectorOf(addressOf(target), length), 1, offset, RWF_NOWAIT) === length;
    }
    // To ask for an address costs as much as to copy 4 KiB twice.
    scratchLength.setUint32(8, length, true);
    if (preadv2(fd, scratchVector, 1, offset, RWF_NOWAIT) !== length) return false;
    if (filled.length !== length) filled = scratch.subarray(0, length);
    target.set(filled);
    return true;
  };
}

/** A `struct iovec`: where, and how many bytes. */
function vectorOf(address: bigint, length: number): Uint8Array {
  const vector = new Uint8Array(16);
  const view = viewOf(vector);
  view.setBigUint64(0, address, true);
  view.setUint32(8, length, true);
  return vector;
}
