/**
 * Requests that have to wait for nothing: whole blocks that are read from memory or the page cache,
 * whole blocks that are written while the host has room, and flushes when all is durable. They are
 * answered on the spot, the reply made where it leaves from. A promise for each step, as in
 * `carry-out.ts`, takes longer than all that is done for such a request.
 */
import type { Target } from "./carry-out.ts";
import type { Output } from "./output.ts";
import { MOST_UNSEEN } from "./read-pieces.ts";
import {
  command,
  commandFlag,
  DATA_CHUNK_BYTES,
  DONE_CHUNK_BYTES,
  putDataChunk,
  putDoneChunk,
  putSimpleReply,
  type Request,
  SIMPLE_REPLY_BYTES,
} from "./wire.ts";

/**
 * Carries a request out and sends its reply, or returns `false` and has done nothing. `payload` is
 * the data of a write; `held` are the bytes of memory that the request holds.
 */
export function answerNow(
  target: Target,
  request: Request,
  payload: Uint8Array,
  output: Output,
  held: number,
): boolean {
  if (request.type === command.read) return readNow(target, request, output, held);
  if (!changeNow(target, request, payload)) return false;
  answerDone(target, request, output, held);
  return true;
}

/** Replies that a request is done, when there is nothing else to say. */
export function answerDone(
  target: Target,
  { cookie }: Request,
  output: Output,
  held: number,
): void {
  const length = target.structured ? DONE_CHUNK_BYTES : SIMPLE_REPLY_BYTES;
  const { bytes, at } = output.reserve(length);
  if (target.structured) putDoneChunk(bytes, at, cookie);
  else putSimpleReply(bytes, at, cookie, 0);
  output.replyReserved(length, held);
}

function changeNow({ host, subvolume }: Target, request: Request, payload: Uint8Array): boolean {
  if (request.type === command.flush) return host.isFlushed;
  const isPlainWrite = request.type === command.write && (request.flags & commandFlag.fua) === 0;
  return isPlainWrite && subvolume.writeNow(request.offset, payload);
}

function readNow(target: Target, request: Request, output: Output, held: number): boolean {
  const { cookie, offset, length } = request;
  if (length === 0 || length > MOST_UNSEEN) return false;
  const header = target.structured ? DATA_CHUNK_BYTES : SIMPLE_REPLY_BYTES;
  const { bytes, at } = output.reserve(header + length);
  const data = bytes.subarray(at + header, at + header + length);
  if (!target.subvolume.readNow(data, offset)) return false;
  if (target.structured) putDataChunk(bytes, at, { cookie, offset, length, done: true });
  else putSimpleReply(bytes, at, cookie, 0);
  output.replyReserved(header + length, held);
  return true;
}
