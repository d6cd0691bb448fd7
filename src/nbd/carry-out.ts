/**
 * What each command but the flush does, on a request that has passed its checks. Replies are the
 * parts of a message; nothing is sent before everything that could fail has been done.
 *
 * Order: the protocol promises none between requests under way. FUA is the request and then a flush
 * of the host, which covers what `flushes.ts` says.
 */
import type { Host } from "../host/host.ts";
import type { Subvolume } from "../host/subvolume.ts";
import { MiB } from "../base/units.ts";
import { describeRange } from "./block-status.ts";
import { MAX_PAYLOAD } from "./limits.ts";
import type { Context } from "./meta-contexts.ts";
import { readPieces, type ReadPiece } from "./read-pieces.ts";
import { RequestError } from "./request-error.ts";
import type { Turns } from "./turns.ts";
import {
  blockStatusChunk,
  command,
  commandFlag,
  type Cookie,
  dataChunkHeader,
  doneChunk,
  holeChunk,
  type Request,
  simpleReply,
} from "./wire.ts";

/** What allocation is cut into, so that others get their turn in between. */
const ALLOCATION_BYTES: number = 64 * MiB;
/** What warming the cache is cut into. */
const CACHE_BYTES: number = MiB;

/** What commands are carried out on. */
export interface Target {
  readonly host: Host;
  readonly subvolume: Subvolume;
  readonly blockSize: number;
  readonly structured: boolean;
  readonly contexts: readonly Context[];
  /** For descriptions of ranges, which may each take tens of milliseconds. */
  readonly turns: Turns;
}

/**
 * Carries a request out and returns its reply; `payload` is the data of a write, which stays as it
 * is meanwhile. Promises are chained by hand where most requests go, which takes half the time that
 * an `async` function for each step takes.
 */
export function carryOut(
  target: Target,
  request: Request,
  payload: Uint8Array,
): Promise<readonly Uint8Array[]> {
  if (request.type === command.read) return read(target, request);
  if (request.type === command.blockStatus) return blockStatus(target, request);
  const { host, subvolume } = target;
  const changed = change(target, request, payload);
  const wantsFlush = (request.flags & commandFlag.fua) !== 0 && !subvolume.readOnly;
  const done = wantsFlush ? changed.then(() => host.flush()) : changed;
  return done.then(() => [doneReply(target, request)]);
}

function doneReply({ structured }: Target, { cookie }: Request): Buffer {
  return structured ? doneChunk(cookie) : simpleReply(cookie, 0);
}

function change(target: Target, request: Request, payload: Uint8Array): Promise<void> {
  const { subvolume } = target;
  const { type, offset, length } = request;
  switch (type) {
    case command.write:
      return subvolume.write(offset, payload);
    case command.trim:
      return trim(target, offset, length);
    case command.writeZeroes:
      return writeZeroes(target, request);
    case command.cache:
      return cache(subvolume, offset, length);
    default:
      return Promise.reject(new RequestError("EINVAL", `there is no command ${type}`));
  }
}

async function read(target: Target, request: Request): Promise<readonly Uint8Array[]> {
  const { cookie, offset, length, flags } = request;
  if (!target.structured) {
    const data = await target.subvolume.read(offset, length);
    return length === 0 ? [simpleReply(cookie, 0)] : [simpleReply(cookie, 0), data];
  }
  if (length === 0) return [doneChunk(cookie)];
  const whole = (flags & commandFlag.df) !== 0;
  const pieces = await readPieces(target.subvolume, offset, length, whole);
  return pieces.flatMap((piece, i) => chunkOf(cookie, piece, i === pieces.length - 1));
}

function chunkOf(cookie: Cookie, { offset, length, data }: ReadPiece, done: boolean): Uint8Array[] {
  if (!data) return [holeChunk(cookie, offset, length, done)];
  return [dataChunkHeader(cookie, offset, length, done), data];
}

async function blockStatus(target: Target, request: Request): Promise<readonly Uint8Array[]> {
  const { host, subvolume, contexts, turns } = target;
  const { cookie, flags } = request;
  const one = (flags & commandFlag.reqOne) !== 0;
  const described = contexts.map((context) =>
    turns.run(() => describeRange(host, subvolume, context, request, one)),
  );
  const last = contexts.length - 1;
  return (await Promise.all(described)).map((descriptors, id) =>
    blockStatusChunk(cookie, id, descriptors, id === last),
  );
}

/** Whole blocks only: what is trimmed may hold anything, so no block needs to be read for it. */
async function trim({ subvolume, blockSize }: Target, from: number, length: number): Promise<void> {
  const to = from + length;
  const first = Math.ceil(from / blockSize) * blockSize;
  const last = to === subvolume.size ? to : Math.floor(to / blockSize) * blockSize;
  if (first < last) await subvolume.discard(first, last - first);
}

async function writeZeroes(target: Target, request: Request): Promise<void> {
  const { subvolume, blockSize } = target;
  const { offset, length, flags } = request;
  const end = offset + length;
  const wholeBlocks = Math.floor(end / blockSize) - Math.ceil(offset / blockSize);
  if ((flags & commandFlag.fastZero) !== 0 && wholeBlocks < 1 && end !== subvolume.size) {
    throw new RequestError("ENOTSUP", "zeroes within one block are no faster than a write");
  }
  await subvolume.writeZeroes(offset, length);
  if ((flags & commandFlag.noHole) === 0) return;
  for (let at = offset; at < end; at += ALLOCATION_BYTES) {
    await subvolume.preallocate(at, Math.min(ALLOCATION_BYTES, end - at));
    await new Promise(setImmediate);
  }
}

/** Reads ahead, so that the system has it in memory; a long range only in part. */
async function cache(subvolume: Subvolume, offset: number, length: number): Promise<void> {
  const end = offset + Math.min(length, MAX_PAYLOAD);
  for (let at = offset; at < end; at += CACHE_BYTES) {
    await subvolume.read(at, Math.min(CACHE_BYTES, end - at));
  }
}
