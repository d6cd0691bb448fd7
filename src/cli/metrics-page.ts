/** The page that Prometheus collects, over plain HTTP. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { BlockspaceError, messageOf } from "../base/errors.ts";
import type { Address } from "./listening.ts";

const DEFAULT_PORT = 9809;

export class MetricsPage {
  readonly #server: Server;
  /** Where it is. */
  readonly url: string;

  private constructor(server: Server) {
    this.#server = server;
    const { address, family, port } = server.address() as AddressInfo;
    this.url = `http://${family === "IPv6" ? `[${address}]` : address}:${port}/metrics`;
  }

  static async open(address: Address, text: () => string): Promise<MetricsPage> {
    const server = createServer((request, response) => {
      const known = request.method === "GET" && request.url === "/metrics";
      response.statusCode = known ? 200 : 404;
      response.setHeader("content-type", "text/plain; version=0.0.4");
      response.end(known ? text() : "the page is /metrics\n");
    });
    const { host = "127.0.0.1", port = DEFAULT_PORT } = address;
    server.listen({ host, port });
    try {
      await once(server, "listening");
    } catch (cause) {
      throw new BlockspaceError("EIO", `no metrics: ${messageOf(cause)}`, { cause });
    }
    return new MetricsPage(server);
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }
}
