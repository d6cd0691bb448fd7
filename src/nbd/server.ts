/**
 * The NBD server: exports the subvolumes and snapshots of a host to whoever connects. It owns its
 * listeners and connections, and nothing of the host, which its owner may go on using, also to make
 * snapshots of what is being written, and closes himself.
 */
import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { checkWhole } from "../base/arguments.ts";
import { BlockspaceError, messageOf } from "../base/errors.ts";
import type { Host } from "../host/host.ts";
import { Connection, type ConnectionParts, type Incoming } from "./connection.ts";
import { readDirectly } from "./direct-socket.ts";
import { Exports, type ExportsOptions } from "./exports.ts";
import { Input } from "./input.ts";
import { type ListenAddress, listenOn } from "./listen.ts";
import { Metrics } from "./metrics.ts";
import { checkTls, type NbdTlsOptions } from "./tls.ts";
import { type Log, silent } from "./watch.ts";

export interface NbdServerOptions extends ExportsOptions {
  /** Keys and certificates; with them, clients must use TLS unless `required` is false. */
  tls?: NbdTlsOptions | undefined;
  /** Time for a client to choose an export; 10 seconds unless given. */
  handshakeTimeoutMs?: number | undefined;
  /** Connections at once; 256 unless given. */
  maxConnections?: number | undefined;
  /** Is told what happens; pino is one. */
  log?: Log | undefined;
}

export class NbdServer implements AsyncDisposable {
  readonly #host: Host;
  readonly #parts: ConnectionParts;
  readonly #maxConnections: number;
  readonly #servers = new Set<Server>();
  readonly #connections = new Map<Connection, Promise<void>>();
  #nextId = 1;
  #isRefusing = false;
  #closed: Promise<void> | undefined;

  constructor(host: Host, options: NbdServerOptions = {}) {
    this.#host = host;
    const { tls, handshakeTimeoutMs = 10_000, maxConnections = 256 } = options;
    if (tls) checkTls(tls);
    this.#maxConnections = checkWhole("maxConnections", maxConnections, 1);
    this.#parts = {
      exports: new Exports(host, options),
      tls,
      handshakeTimeoutMs: checkWhole("handshakeTimeoutMs", handshakeTimeoutMs, 1),
      metrics: new Metrics(),
      log: options.log ?? silent,
    };
  }

  /** Connections that are there now. */
  get connections(): number {
    return this.#connections.size;
  }

  /** The counters of the server and the figures of its host, as Prometheus collects them. */
  metrics(): string {
    return this.#parts.metrics.text(this.#host.statistics());
  }

  /**
   * Accepts connections at an address, as well as at those of earlier calls; resolves with its URI.
   *
   * @throws `EINVAL` for an address that others can reach, without TLS; `EEXIST` when the socket
   * file is in use; `EIO` when the system refuses.
   */
  async listen(address: ListenAddress): Promise<string> {
    if (this.#closed) throw new BlockspaceError("ECLOSED", "the server is closed");
    const { tls, log } = this.#parts;
    const options = { allowHalfOpen: true, noDelay: true, keepAlive: true, pauseOnConnect: true };
    const server = createServer(options, (socket) => this.#accept(socket));
    const uri = await listenOn(server, address, tls !== undefined && tls.required !== false);
    server.on("error", (error) => log.error({ uri, reason: messageOf(error) }, "listener failed"));
    this.#servers.add(server);
    log.info({ uri }, "listening");
    return uri;
  }

  /** Serves one client over a stream of the caller's; resolves when the client is gone. */
  async serve(stream: Duplex): Promise<void> {
    await this.#serve(stream, () => ({ stream, input: Input.over(stream) }));
  }

  async #serve(stream: Duplex, incoming: () => Incoming): Promise<void> {
    if (this.#closed || this.#connections.size >= this.#maxConnections) {
      this.#refuse(stream);
      return;
    }
    this.#isRefusing = false;
    const connection = new Connection(this.#nextId++, incoming(), this.#parts);
    const served = connection.serve().finally(() => this.#connections.delete(connection));
    this.#connections.set(connection, served);
    await served;
  }

  /** Of many that are refused in a row the log names the first: a flood must not fill it. */
  #refuse(stream: Duplex): void {
    const { log, metrics } = this.#parts;
    metrics.refused++;
    stream.destroy();
    if (this.#closed || this.#isRefusing) return;
    this.#isRefusing = true;
    log.warn({ connections: this.#connections.size }, "refused: no more connections are allowed");
  }

  /**
   * Takes no more connections, finishes the requests that are under way, makes everything durable,
   * and closes. Clients that have not taken their replies after `graceMs` (5 seconds unless given)
   * are cut off. A second call waits for the first.
   */
  async close(options: { graceMs?: number } = {}): Promise<void> {
    this.#closed ??= this.#close(checkWhole("graceMs", options.graceMs ?? 5000));
    await this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #accept(socket: Socket): void {
    // TLS is laid over a socket as Node has made it.
    const incoming = (): Incoming =>
      this.#parts.tls ? { stream: socket, input: Input.over(socket) } : readDirectly(socket);
    this.#serve(socket, incoming).catch((error: unknown) => {
      this.#parts.log.error({ reason: messageOf(error) }, "internal error");
    });
  }

  async #close(graceMs: number): Promise<void> {
    const stopped = [...this.#servers].map(stop);
    const cutOff = setTimeout(() => {
      for (const connection of this.#connections.keys()) connection.destroy();
    }, graceMs);
    try {
      for (const connection of this.#connections.keys()) {
        connection.drain().catch((error: unknown) => {
          this.#parts.log.error({ reason: messageOf(error) }, "internal error");
        });
      }
      await Promise.all([...this.#connections.values(), ...stopped]);
    } finally {
      clearTimeout(cutOff);
    }
    await this.#host.flush();
  }
}

async function stop(server: Server): Promise<void> {
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
}
