/**
 * The phase in which requests are carried out: headers are read one after the other, requests run
 * side by side, and replies leave as they are ready. Ends when the client says so or is gone.
 */
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

const nothing: Uint8Array = new Uint8Array(0);
/** What an answer to `BLOCK_STATUS` holds, about. */
const STATUS_BYTES = 64 * 1024;

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
  #draining = false;

  constructor(parts: TransmissionParts) {
    this.#parts = parts;
  }

  /** Serves until the client disconnects; resolves when nothing is under way any more. */
  async run(): Promise<void> {
    try {
      while (await this.#next());
    } finally {
      await this.#inFlight.settled();
    }
  }

  /** Refuses what comes from now on, and resolves when nothing is under way. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.#inFlight.settled();
  }

  /** Takes one request; false when there will be no more. */
  async #next(): Promise<boolean> {
    const { input, negotiated } = this.#parts;
    if (input.available < REQUEST_BYTES && !(await input.has(REQUEST_BYTES))) return false;
    const request = readRequest(input.take(REQUEST_BYTES));
    if (!request) throw new ProtocolError("a request does not begin with its magic number");
    if (request.type === command.disconnect) return false;
    const refusal = this.#draining ? shuttingDown() : refusalOf(request, negotiated);
    const held = refusal ? 0 : bytesHeld(request);
    if (!this.#inFlight.hasRoom(held)) await this.#inFlight.room(held);
    let payload = nothing;
    if (request.type === command.write) {
      if (request.length > MAX_PAYLOAD) {
        const most = `allowed are ${MAX_PAYLOAD}`;
        throw new ProtocolError(`a write announces ${request.length} bytes; ${most}`);
      }
      const taken = refusal
        ? (await input.skip(request.length)) && nothing
        : await input.payload(request.length);
      if (!taken) return false;
      payload = taken;
    }
    this.#begin(request, payload, held, refusal);
    return true;
  }

  #begin(
    request: Request,
    payload: Uint8Array,
    held: number,
    refusal: RequestError | undefined,
  ): void {
    this.#inFlight.begin(held);
    this.#answer(request, payload, refusal)
      .then((reply) => this.#parts.output.send(reply, () => this.#inFlight.end(held)))
      .catch(this.#parts.watcher.broken);
  }

  /** The reply to a request, whether it went well or not. */
  async #answer(
    request: Request,
    payload: Uint8Array,
    refusal: RequestError | undefined,
  ): Promise<readonly Uint8Array[]> {
    const { target, watcher } = this.#parts;
    const end = watcher.began(request);
    try {
      if (refusal) throw refusal;
      const reply = await carryOut(target, request, payload);
      end(undefined);
      return reply;
    } catch (error) {
      const told = asRequestError(error, request.type);
      end(told, error);
      return [this.#errorReply(request, told)];
    }
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
