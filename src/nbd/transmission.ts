/**
 * The phase in which requests are carried out: headers are read one after the other, requests run
 * side by side, and replies leave as they are ready. Ends when the client says so or is gone.
 */
import { KiB } from "../base/units.ts";
import { answerDone, answerNow } from "./answer-now.ts";
import { carryOut, type Target } from "./carry-out.ts";
import { type Negotiated, refusalOf } from "./check-request.ts";
import { FlushHabit } from "./flush-habit.ts";
import { Flushes } from "./flushes.ts";
import { InFlight } from "./in-flight.ts";
import { type Input, INPUT_BYTES } from "./input.ts";
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

const nothing: Buffer = Buffer.alloc(0);
/** What an answer to `BLOCK_STATUS` holds for each context, about. */
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
  readonly #habit = new FlushHabit();
  readonly #flushes: Flushes;
  #draining = false;
  /** A request waits, for room or for the rest of its data, and those behind it with it. */
  #isWaiting = false;
  /** Ends {@link run}. */
  #finish: () => void = () => undefined;
  /** Why it ended, if not well. */
  #failure: { cause: unknown } | undefined;

  constructor(parts: TransmissionParts) {
    this.#parts = parts;
    this.#flushes = new Flushes(parts.target.host, parts.watcher.broken);
    parts.output.onTaken = (replies, held) => this.#inFlight.end(replies, held);
  }

  /** Serves until the client disconnects; resolves when nothing is under way any more. */
  async run(): Promise<void> {
    const { input } = this.#parts;
    try {
      await new Promise<void>((resolve) => {
        this.#finish = resolve;
        input.onArrival = () => this.#takeRequests();
        this.#takeRequests();
      });
      if (this.#failure) throw this.#failure.cause;
    } finally {
      input.onArrival = undefined;
      await this.#inFlight.settled();
    }
  }

  /** Refuses what comes from now on, and resolves when nothing is under way. */
  async drain(): Promise<void> {
    this.#draining = true;
    await this.#inFlight.settled();
  }

  /** Takes every request that is here as a whole; called when bytes have arrived. */
  #takeRequests(): void {
    const { input } = this.#parts;
    try {
      while (!this.#isWaiting && input.available >= REQUEST_BYTES) {
        if (!this.#takeRequest(input)) return;
      }
      if (input.ended && !this.#isWaiting) this.#finish();
    } catch (cause) {
      this.#fail(cause);
    }
  }

  #fail(cause: unknown): void {
    this.#failure ??= { cause };
    this.#finish();
  }

  /** Takes the next request, whose header is here; `false` when no more are to be taken for now. */
  #takeRequest(input: Input): boolean {
    const request = input.peek(readRequest);
    if (!request) throw new ProtocolError("a request does not begin with its magic number");
    if (request.type === command.disconnect) {
      this.#finish();
      return false;
    }
    if (input.isAbandoned && isAnswerAlone(request)) {
      input.pass(REQUEST_BYTES);
      return true;
    }
    const refusal = this.#draining ? shuttingDown() : refusalOf(request, this.#parts.negotiated);
    const held = refusal ? 0 : this.#bytesHeld(request);
    if (!this.#inFlight.hasRoom(held)) {
      this.#waitFor(this.#inFlight.room(held));
      return false;
    }
    const whole = REQUEST_BYTES + payloadLength(request);
    if (whole > INPUT_BYTES || (refusal && whole > REQUEST_BYTES)) {
      this.#waitFor(this.#takeLong(request, held, refusal));
      return false;
    }
    if (whole > input.available) {
      if (input.ended) this.#finish();
      return false;
    }
    this.#begin(request, input.view(REQUEST_BYTES, whole - REQUEST_BYTES), held, refusal);
    input.pass(whole);
    return true;
  }

  /** Memory that a request takes until its reply has left. */
  #bytesHeld({ type, length }: Request): number {
    if (type === command.read || type === command.write) return length;
    return type === command.blockStatus ? STATUS_BYTES * this.#parts.target.contexts.length : 0;
  }

  /** Takes a write whose data is more than is kept here, or is not wanted. */
  async #takeLong(
    request: Request,
    held: number,
    refusal: RequestError | undefined,
  ): Promise<void> {
    const { input } = this.#parts;
    input.pass(REQUEST_BYTES);
    const payload = refusal ? nothing : Buffer.allocUnsafeSlow(request.length);
    const isWhole = await (refusal ? input.skip(request.length) : input.fill(payload));
    if (isWhole) this.#begin(request, payload, held, refusal);
  }

  /** Takes no requests until then. */
  #waitFor(ready: Promise<void>): void {
    this.#isWaiting = true;
    ready.then(() => this.#goOn()).catch((cause: unknown) => this.#fail(cause));
  }

  #goOn(): void {
    this.#isWaiting = false;
    this.#takeRequests();
  }

  #begin(request: Request, payload: Buffer, held: number, refusal: RequestError | undefined): void {
    const { target, watcher, output } = this.#parts;
    const began = watcher.began();
    this.#inFlight.begin(held);
    if (refusal) {
      this.#failed(request, began, held, refusal);
      return;
    }
    if (request.type === command.flush) this.#habit.flushed();
    try {
      if (answerNow(target, request, payload, output, held)) {
        watcher.ended(request, began);
        this.#foresee(request);
        return;
      }
      if (request.type === command.flush) {
        this.#flushes.add((failure) => this.#flushed(request, began, held, failure));
        return;
      }
    } catch (error) {
      this.#failed(request, began, held, error);
      return;
    }
    // What is seen in the input does not stay there; what is longer never was.
    const kept = payload.length > INPUT_BYTES ? payload : Buffer.from(payload);
    carryOut(target, request, kept)
      .then(
        (reply) => this.#succeeded(request, began, held, reply),
        (error: unknown) => this.#failed(request, began, held, error),
      )
      .catch(watcher.broken);
  }

  #flushed(request: Request, began: number, held: number, failure?: { cause: unknown }): void {
    const { target, watcher, output } = this.#parts;
    if (failure) {
      this.#failed(request, began, held, failure.cause);
      return;
    }
    watcher.ended(request, began);
    answerDone(target, request, output, held);
  }

  #succeeded(request: Request, began: number, held: number, reply: readonly Uint8Array[]): void {
    this.#parts.watcher.ended(request, began);
    this.#parts.output.reply(reply, held);
    this.#foresee(request);
  }

  /** A request has been answered: begins the flush that is likely to come next. */
  #foresee({ type }: Request): void {
    if (type === command.write && this.#habit.wrote()) this.#parts.target.host.beginFlush();
  }

  #failed(request: Request, began: number, held: number, error: unknown): void {
    const told = asRequestError(error, request.type);
    this.#parts.watcher.ended(request, began, told, error);
    this.#parts.output.reply([this.#errorReply(request, told)], held);
  }

  #errorReply({ cookie }: Request, { errno, message }: RequestError): Buffer {
    if (!this.#parts.target.structured) return simpleReply(cookie, errno);
    return errorChunk(cookie, errno, message);
  }
}

/** Bytes of data that follow on the header. */
function payloadLength({ type, length }: Request): number {
  if (type !== command.write) return 0;
  if (length <= MAX_PAYLOAD) return length;
  const most = `allowed are ${MAX_PAYLOAD}`;
  throw new ProtocolError(`a write announces ${length} bytes; ${most}`);
}

/** There is nothing to it but its answer: without one it would be work for nobody. */
function isAnswerAlone({ type }: Request): boolean {
  return type === command.read || type === command.blockStatus || type === command.cache;
}

function shuttingDown(): RequestError {
  return new RequestError("ESHUTDOWN", "the server is shutting down");
}
