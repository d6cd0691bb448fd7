/**
 * The phase in which requests are carried out: headers are read one after the other, requests run
 * side by side, and replies leave as they are ready. Ends when the client says so or is gone.
 */
import { Slab } from "../base/slab.ts";
import { KiB } from "../base/units.ts";
import { carryOut, type Target } from "./carry-out.ts";
import { type Negotiated, refusalOf } from "./check-request.ts";
import { InFlight } from "./in-flight.ts";
import type { Input } from "./input.ts";
import { MAX_PAYLOAD } from "./limits.ts";
import type { Context } from "./meta-contexts.ts";
import type { Output } from "./output.ts";
import { asRequestError, ProtocolError, RequestError } from "./request-error.ts";
import type { RequestWatcher } from "./watch.ts";
import {
  command,
  errorChunk,
  readRequest,
  type Request,
  REQUEST_BYTES,
  simpleReply,
} from "./wire.ts";

/** The data of small writes shares an allocation: one for each takes 1.7 times as long. */
const SLAB_BYTES: number = 128 * KiB;
const MOST_SHARED: number = 32 * KiB;

const nothing: Buffer = Buffer.alloc(0);
/** What an answer to `BLOCK_STATUS` holds, about. */
const STATUS_BYTES: number = 64 * KiB;

export interface TransmissionParts {
  input: Input;
  output: Output;
  target: Target;
  negotiated: Negotiated & { readonly contexts: readonly Context[] };
  watcher: RequestWatcher;
}

export class Transmission {
  readonly #parts: TransmissionParts;
  readonly #inFlight = new InFlight();
  readonly #payloads = new Slab(SLAB_BYTES, MOST_SHARED);
  #draining = false;

  constructor(parts: TransmissionParts) {
    this.#parts = parts;
  }

  /** Serves until the client disconnects; resolves when nothing is under way any more. */
  async run(): Promise<void> {
    const { input, negotiated } = this.#parts;
    try {
      // Nothing here waits for what has arrived already.
      while (input.available >= REQUEST_BYTES || (await input.has(REQUEST_BYTES))) {
        const request = input.parse(REQUEST_BYTES, readRequest);
        if (!request) throw new ProtocolError("a request does not begin with its magic number");
        if (request.type === command.disconnect) return;
        const refusal = this.#draining ? shuttingDown() : refusalOf(request, negotiated);
        const held = refusal ? 0 : bytesHeld(request);
        if (!this.#inFlight.hasRoom(held)) await this.#inFlight.room(held);
        let payload = nothing;
        if (request.type === command.write) {
          payload = this.#payloadFor(request, refusal);
          const isHere = payload.length <= input.available;
          if (isHere) input.fillAtOnce(payload);
          else if (!(await input.fill(payload))) return;
          if (refusal && !(await input.skip(request.length))) return;
        }
        this.#begin(request, payload, held, refusal);
      }
    } finally {
      await this.#inFlight.settled();
    }
  }

  /** Refuses what comes from now on, and resolves when nothing is under way. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.#inFlight.settled();
  }

  /** Memory for the data of a write, none when it is refused. */
  #payloadFor({ offset, length }: Request, refusal: RequestError | undefined): Buffer {
    if (length > MAX_PAYLOAD) {
      const most = `allowed are ${MAX_PAYLOAD}`;
      throw new ProtocolError(`a write announces ${length} bytes; ${most}`);
    }
    if (refusal) return nothing;
    const { blockSize } = this.#parts.target;
    // Only what the host keeps: anything else would keep a whole slab alive.
    const isKept = offset % blockSize === 0 && length % blockSize === 0;
    return isKept ? this.#payloads.take(length) : Buffer.allocUnsafeSlow(length);
  }

  #begin(request: Request, payload: Buffer, held: number, refusal: RequestError | undefined): void {
    const { target, watcher } = this.#parts;
    const began = watcher.began();
    this.#inFlight.begin(held);
    const carriedOut = refusal ? Promise.reject(refusal) : carryOut(target, request, payload);
    carriedOut
      .then(
        (reply) => this.#succeeded(request, began, held, reply),
        (error: unknown) => this.#failed(request, began, held, error),
      )
      .catch(watcher.broken);
  }

  #succeeded(request: Request, began: number, held: number, reply: readonly Uint8Array[]): void {
    this.#parts.watcher.ended(request, began);
    this.#parts.output.send(reply, () => this.#inFlight.end(held));
  }

  #failed(request: Request, began: number, held: number, error: unknown): void {
    const told = asRequestError(error, request.type);
    this.#parts.watcher.ended(request, began, told, error);
    const reply = [this.#errorReply(request, told)];
    this.#parts.output.send(reply, () => this.#inFlight.end(held));
  }

  #errorReply({ cookie }: Request, { errno, message }: RequestError): Buffer {
    if (!this.#parts.target.structured) return simpleReply(cookie, errno);
    return errorChunk(cookie, errno, message);
  }
}

function shuttingDown(): RequestError {
  return new RequestError("ESHUTDOWN", "the server is shutting down");
}

/** Memory that a request takes until its reply has left. */
function bytesHeld({ type, length }: Request): number {
  if (type === command.read || type === command.write) return length;
  return type === command.blockStatus ? STATUS_BYTES : 0;
}
