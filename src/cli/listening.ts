/** Addresses to listen on: as users write them, and sockets that whoever started us has opened. */
import { InvalidArgumentError } from "commander";

export interface Address {
  host?: string;
  port?: number;
}

/** Where a store is served unless told otherwise, in its directory. */
export const NBD_SOCKET = "nbd.sock";

/** systemd hands its sockets over from this descriptor on. */
const FIRST_INHERITED = 3;

/** `HOST`, `:PORT`, `HOST:PORT`, `[::1]:PORT`; what is left out has a default. */
export function addressArgument(text: string): Address {
  const match = /^(?:\[([\da-fA-F:.]+)\]|([^:[\]]*))(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[3] === undefined ? undefined : Number(match[3]);
  if (!match || text === "" || (port ?? 0) > 65_535) {
    throw new InvalidArgumentError(`"${text}" is not an address; allowed is [HOST][:PORT]`);
  }
  const host = match[1] ?? match[2];
  return { ...(host ? { host } : {}), ...(port === undefined ? {} : { port }) };
}

/** Descriptors of the sockets that were handed over to this very process (sd_listen_fds(3)). */
export function inheritedSockets(): number[] {
  const { LISTEN_PID, LISTEN_FDS } = process.env;
  if (LISTEN_PID !== String(process.pid) || !/^\d{1,3}$/.test(LISTEN_FDS ?? "")) return [];
  return Array.from({ length: Number(LISTEN_FDS) }, (_, i) => FIRST_INHERITED + i);
}
