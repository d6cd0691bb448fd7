/**
 * TLS on a connection that has begun without: certificates or pre-shared keys, version 1.2 at
 * least, whatever else `node:tls` offers.
 */
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { createServer, type Server, type TlsOptions, type TLSSocket } from "node:tls";
import { BlockspaceError, messageOf } from "../base/errors.ts";
import { ProtocolError } from "./request-error.ts";

/** The options of `tls.createServer`, and whether clients may do without TLS. */
export type NbdTlsOptions = TlsOptions & {
  /** False: clients may do without TLS. They must use it unless told otherwise. */
  required?: boolean;
};

/** `EINVAL` for keys and certificates that no client could be served with. */
export function checkTls(options: NbdTlsOptions): void {
  try {
    tlsServer(options);
  } catch (cause) {
    const what = `TLS cannot be had with these keys and certificates: ${messageOf(cause)}`;
    throw new BlockspaceError("EINVAL", what, { cause });
  }
}

function tlsServer({ required: _required, ...options }: NbdTlsOptions): Server {
  return createServer({ minVersion: "TLSv1.2", ...options });
}

/** Resolves with the encrypted stream, or throws when the handshake fails. */
export async function upgradeToTls(stream: Duplex, options: NbdTlsOptions): Promise<TLSSocket> {
  const server = tlsServer(options);
  try {
    const failed = once(server, "tlsClientError").then(([error]) => {
      throw new ProtocolError(`the TLS handshake failed: ${messageOf(error)}`);
    });
    const gone = once(stream, "close").then(() => {
      throw new ProtocolError("the client left during the TLS handshake");
    });
    const secured = once(server, "secureConnection");
    for (const promise of [failed, gone, secured]) promise.catch(() => undefined);
    server.emit("connection", stream);
    const [socket] = (await Promise.race([secured, failed, gone])) as [TLSSocket];
    return socket;
  } finally {
    server.removeAllListeners();
  }
}
