/**
 * Where a server can be reached, and what is refused: a socket file is for its owner alone, and an
 * address that others can reach needs TLS, unless somebody insists.
 */
import { once } from "node:events";
import { chmod, lstat, stat, unlink } from "node:fs/promises";
import { type AddressInfo, connect, isIP, type Server } from "node:net";
import { dirname, resolve } from "node:path";
import { isMainThread } from "node:worker_threads";
import { BlockspaceError } from "../base/errors.ts";

/** The port that is registered for NBD. */
export const NBD_PORT = 10_809;
/** The system takes no longer paths for socket files. */
const MOST_PATH_BYTES = 107;

/** A socket file; a TCP address, loopback unless given; or a socket that another program made. */
export type ListenAddress =
  | { path: string }
  | {
      /** A numeric address or a name; 127.0.0.1 unless given. */
      host?: string;
      /** 10809 unless given; 0 for any that is free. */
      port?: number;
      /** Also where others can reach it without TLS. */
      insecure?: boolean;
    }
  | { fd: number };

/** Where it listens, as a URI that clients take. */
export async function listenOn(
  server: Server,
  address: ListenAddress,
  tlsRequired: boolean,
): Promise<string> {
  if ("path" in address) return listenOnFile(server, address.path);
  if ("fd" in address) {
    await listening(server, () => server.listen({ fd: address.fd }));
    return `nbd+fd:${address.fd}`;
  }
  const { host = "127.0.0.1", port = NBD_PORT, insecure = false } = address;
  if (!isLoopback(host) && !tlsRequired && !insecure) {
    throw new BlockspaceError(
      "EINVAL",
      `${host} can be reached by others; allowed are loopback addresses, unless TLS is required`,
    );
  }
  await listening(server, () => server.listen({ host, port }));
  const bound = server.address() as AddressInfo;
  const shown = bound.family === "IPv6" ? `[${bound.address}]` : bound.address;
  return `${tlsRequired ? "nbds" : "nbd"}://${shown}:${bound.port}`;
}

/** True when nobody outside of this machine can reach it. */
function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith("127.");
  return host === "localhost" || host === "::1";
}

async function listenOnFile(server: Server, path: string): Promise<string> {
  const full = resolve(path);
  const bytes = Buffer.byteLength(full);
  if (bytes > MOST_PATH_BYTES) {
    const allowed = `allowed are ${MOST_PATH_BYTES}`;
    throw new BlockspaceError("ENAMETOOLONG", `${full} has ${bytes} bytes; ${allowed}`, { path });
  }
  await checkDirectory(dirname(full));
  await removeStale(full);
  // The file is made by the call itself, so nobody else can connect before its mode is set.
  const before = isMainThread ? process.umask(0o177) : undefined;
  try {
    const begun = listening(server, () => server.listen({ path: full }));
    if (before !== undefined) process.umask(before);
    await begun;
  } finally {
    if (before !== undefined) process.umask(before);
  }
  await chmod(full, 0o600);
  // A slash may stand in a query as it is; "&" and "#" may not.
  return `nbd+unix:///?socket=${encodeURIComponent(full).replaceAll("%2F", "/")}`;
}

/** Where there is none, the system would only say that it has no permission. */
async function checkDirectory(path: string): Promise<void> {
  const stats = await stat(path).catch((error: NodeJS.ErrnoException) => error);
  const isMissing =
    stats instanceof Error
      ? stats.code === "ENOENT" || stats.code === "ENOTDIR"
      : !stats.isDirectory();
  if (isMissing) throw new BlockspaceError("ENOENT", `there is no directory ${path}`, { path });
}

/** Removes a socket file that nobody listens on any more. */
async function removeStale(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  if (!stats) return;
  if (!stats.isSocket() || (await isAnswered(path))) {
    throw new BlockspaceError("EEXIST", `${path} is there and in use`, { path });
  }
  await unlink(path);
}

/** True when somebody listens on a socket file. */
export async function isAnswered(path: string): Promise<boolean> {
  const socket = connect({ path });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function listening(server: Server, begin: () => void): Promise<void> {
  const done = once(server, "listening");
  begin();
  try {
    await done;
  } catch (cause) {
    const { message } = cause as Error;
    throw new BlockspaceError("EIO", `cannot listen: ${message}`, { cause });
  }
}
