/**
 * One client, from its first byte to its last: handshake, with a time limit; TLS when it is asked
 * for; requests; the end. Whatever a client does, it ends only its own connection.
 */
import type { Duplex } from "node:stream";
import { messageOf } from "../base/errors.ts";
import type { Exports } from "./exports.ts";
import { Input } from "./input.ts";
import type { Metrics } from "./metrics.ts";
import { type Agreement, type Link, Negotiation } from "./negotiation.ts";
import { Output } from "./output.ts";
import { ProtocolError } from "./request-error.ts";
import { type NbdTlsOptions, upgradeToTls } from "./tls.ts";
import { Transmission } from "./transmission.ts";
import { Turns } from "./turns.ts";
import type { Log, RequestWatcher } from "./watch.ts";
import { errno } from "./wire.ts";

/** A client that does not close its side is cut off after this. */
const CLOSING_MS = 2000;

/** A client's stream, and what arrives on it. */
export interface Incoming {
  stream: Duplex;
  input: Input;
}

export interface ConnectionParts {
  exports: Exports;
  tls: NbdTlsOptions | undefined;
  handshakeTimeoutMs: number;
  metrics: Metrics;
  log: Log;
}

export class Connection {
  readonly id: number;
  readonly #parts: ConnectionParts;
  /** The stream as it came, and the one in use: TLS is laid over the first. */
  readonly #raw: Duplex;
  readonly #input: Input;
  #stream: Duplex;
  #transmission: Transmission | undefined;
  #draining = false;

  constructor(id: number, { stream, input }: Incoming, parts: ConnectionParts) {
    this.id = id;
    this.#parts = parts;
    this.#raw = stream;
    this.#input = input;
    this.#stream = stream;
    // How a stream ends is seen by whoever reads it.
    stream.on("error", () => undefined);
  }

  /** Serves the client; resolves when the connection is over, and never rejects. */
  async serve(): Promise<void> {
    const { metrics, log } = this.#parts;
    metrics.connections++;
    metrics.open++;
    try {
      const agreement = await this.#shakeHands();
      if (agreement) await this.#transmit(agreement);
    } catch (error) {
      if (error instanceof ProtocolError) metrics.violations++;
      const level = error instanceof ProtocolError ? "warn" : "error";
      log[level]({ connection: this.id, reason: messageOf(error) }, "connection dropped");
      this.destroy();
    } finally {
      await this.#end();
      metrics.open--;
    }
  }

  /** Finishes what is under way, refuses the rest, and closes the connection. */
  async drain(): Promise<void> {
    this.#draining = true;
    if (this.#transmission) await this.#transmission.drain();
    await this.#end();
  }

  /** Cuts the connection off. */
  destroy(): void {
    this.#stream.destroy();
    this.#raw.destroy();
  }

  async #shakeHands(): Promise<Agreement | null> {
    const { exports, tls, handshakeTimeoutMs } = this.#parts;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      this.destroy();
    }, handshakeTimeoutMs);
    try {
      const negotiation = new Negotiation(linkOver(this.#stream, this.#input, false), {
        exports,
        upgrade: tls && ((link) => this.#upgrade(link, tls)),
        tlsRequired: tls !== undefined && tls.required !== false,
        isDraining: () => this.#draining,
      });
      const agreement = await negotiation.run();
      if (late) throw new ProtocolError(`no handshake within ${handshakeTimeoutMs} ms`);
      return agreement;
    } finally {
      clearTimeout(timer);
    }
  }

  async #upgrade(link: Link, tls: NbdTlsOptions): Promise<Link> {
    link.input.detach();
    const stream = await upgradeToTls(this.#raw, tls);
    stream.on("error", () => undefined);
    this.#stream = stream;
    const protocol = stream.getProtocol();
    this.#parts.log.debug({ connection: this.id, protocol }, "TLS in force");
    return linkOver(stream, Input.over(stream), true);
  }

  async #transmit(agreement: Agreement): Promise<void> {
    const { exports, log } = this.#parts;
    const { link, structured, contexts } = agreement;
    const { name, subvolume, readOnly } = agreement.export;
    const facts = { connection: this.id, export: name };
    log.info({ ...facts, readOnly, structured, tls: link.secure }, "export opened");
    const { host, blockSize } = exports;
    this.#transmission = new Transmission({
      input: link.input,
      output: link.output,
      target: { host, subvolume, blockSize, structured, contexts, turns: new Turns() },
      negotiated: agreement,
      watcher: this.#watcher(name),
    });
    if (this.#draining) await this.#transmission.drain();
    await this.#transmission.run();
    log.info(facts, "export closed");
  }

  #watcher(name: string): RequestWatcher {
    const { metrics, log } = this.#parts;
    return {
      began: () => metrics.began(),
      ended: (request, began, refusal, cause) => {
        metrics.ended(request, began, refusal !== undefined);
        if (refusal?.errno !== errno.EIO) return;
        const { type, offset, length } = request;
        const where = { connection: this.id, export: name, command: type, offset, length };
        log.error({ ...where, reason: messageOf(cause) }, "request failed");
      },
      broken: (error) => {
        log.error({ connection: this.id, reason: messageOf(error) }, "internal error");
        this.destroy();
      },
    };
  }

  /** Closes our side, and both when the client does not close its own. */
  async #end(): Promise<void> {
    const stream = this.#raw;
    if (!this.#stream.destroyed) this.#stream.end();
    if (stream.destroyed || stream.closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.destroy(), CLOSING_MS);
      stream.once("close", () => {
        clearTimeout(timer);
        resolve();
      });
      // What still arrives is of no interest, but the end of it is.
      this.#stream.resume();
    });
  }
}

function linkOver(stream: Duplex, input: Input, secure: boolean): Link {
  return { input, output: new Output(stream), secure };
}
