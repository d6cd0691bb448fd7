/**
 * The control socket of a store that is being served: commands on that store call the host through
 * it, since only one process can have the store open. What they change is exported at once.
 */
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { BlockspaceError, isBlockspaceError, messageOf } from "../../base/errors.ts";
import type { Host } from "../../host/host.ts";
import { listenOn } from "../../nbd/listen.ts";
import { CONTROL_SOCKET, errorOf, MOST_DATA, type Part, receive, send } from "./messages.ts";

/** Extents or ranges in one answer. */
const MOST_ITEMS = 4096;

type Calls = Readonly<Record<string, (host: Host, ...args: never[]) => unknown>>;

/** Every call there is. The host checks its arguments itself. */
const calls: Calls = {
  state: (host) => ({
    path: host.path,
    uuid: host.uuid,
    recovery: host.recovery,
    list: host.list(),
    statistics: host.statistics(),
  }),
  usage: (host) => [...host.usage()],
  create: async (host, name: string, size: number) => done(host.create(name, { size })),
  snapshot: async (host, source: string, name: string) => done(host.snapshot(source, name)),
  clone: async (host, source: string, name: string) => done(host.clone(source, name)),
  rollback: async (host, name: string, snapshot: string) => host.rollback(name, snapshot),
  rename: async (host, name: string, to: string) => host.rename(name, to),
  delete: async (host, name: string) => host.delete(name),
  resize: async (host, name: string, size: number) => host.get(name).resize(size),
  compact: async (host) => host.compact(),
  flush: async (host) => host.flush(),
  read: async (host, name: string, offset: number, length: number) => {
    if (length > MOST_DATA) throw new BlockspaceError("EINVAL", `allowed are ${MOST_DATA} bytes`);
    return (await host.get(name).read(offset, length)).toString("base64");
  },
  write: async (host, name: string, offset: number, data: string) =>
    host.get(name).write(offset, Buffer.from(data, "base64")),
  extents: (host, name: string, from: number) =>
    part(host.get(name).extents(from), ({ offset, length }) => offset + length),
  diff: (host, a: string, b: string, from: number) => {
    const length = Math.max(0, Math.max(host.get(a).size, host.get(b).size) - from);
    const ranges = host.diff(a, b, { offset: from, length });
    return part(ranges, (range) => range.offset + range.length);
  },
};

export class ControlServer {
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.#server = server;
    this.#sockets = sockets;
  }

  /** Listens in the directory of the host's store. */
  static async open(host: Host): Promise<ControlServer> {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => undefined);
      receive(socket, ({ id, call, args }) => {
        answer(host, socket, { id: Number(id), call: String(call), args }).catch(() => {
          socket.destroy();
        });
      });
    });
    await listenOn(server, { path: join(host.path, CONTROL_SOCKET) }, false);
    return new ControlServer(server, sockets);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }
}

async function answer(
  host: Host,
  socket: Socket,
  { id, call, args }: { id: number; call: string; args: unknown },
): Promise<void> {
  try {
    const make = Object.hasOwn(calls, call) ? calls[call] : undefined;
    if (!make || !Array.isArray(args)) throw new BlockspaceError("EINVAL", `no call is "${call}"`);
    send(socket, { id, value: await make(host, ...(args as never[])) });
  } catch (error) {
    const told = isBlockspaceError(error)
      ? error
      : new BlockspaceError("EINVAL", `the call "${call}" failed: ${messageOf(error)}`);
    send(socket, { id, error: errorOf(told) });
  }
}

/** The first of a series, and where the next part begins. */
function part<T>(series: Iterable<T>, endOf: (item: T) => number): Part<T> {
  const items: T[] = [];
  for (const item of series) {
    items.push(item);
    if (items.length === MOST_ITEMS) return { items, next: endOf(item) };
  }
  return { items };
}

/** Waits for a change whose result stays here. */
async function done(change: Promise<unknown>): Promise<void> {
  await change;
}
