/**
 * The control socket of a store that is being served: commands on that store call the host through
 * it, since only one process can have the store open. What they change is exported at once.
 */
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { BlockspaceError, isBlockspaceError, messageOf } from "../../base/errors.ts";
import type { Host } from "../../host/host.ts";
import type { Subvolume } from "../../host/subvolume.ts";
import { listenOn } from "../../nbd/listen.ts";
import { packageVersion } from "../version.ts";
import { ImportsUnderWay } from "./imports-under-way.ts";
import {
  CONTROL_SOCKET,
  errorOf,
  MOST_DATA,
  type Part,
  receive,
  type Reference,
  send,
} from "./messages.ts";

/** Extents or ranges in one answer. */
const MOST_ITEMS = 4096;
/** How long it looks for them, or counts, at a time: clients wait meanwhile. */
const TURN_MS = 5;

type Calls = Readonly<Record<string, (host: Host, ...args: never[]) => unknown>>;

interface Service {
  version: string;
  host: Host;
  imports: ImportsUnderWay;
}

/** A command at the other end; `gone` aborts when it ends. */
interface Caller {
  socket: Socket;
  gone: AbortSignal;
}

/** Every call but those for the state, and the long one. The host checks its arguments itself. */
const calls: Calls = {
  create: async (host, name: string, size: number) => (await host.create(name, { size })).id,
  snapshot: async (host, source: string, name: string) => done(host.snapshot(source, name)),
  clone: async (host, source: string, name: string) => done(host.clone(source, name)),
  rollback: async (host, name: string, snapshot: string) => host.rollback(name, snapshot),
  rename: async (host, name: string, to: string) => host.rename(name, to),
  delete: async (host, name: string) => host.delete(name),
  resize: async (host, which: Reference, size: number) => find(host, which).resize(size),
  grow: async (host, capacity: number) => host.grow(capacity),
  flush: async (host) => host.flush(),
  read: async (host, which: Reference, offset: number, length: number) => {
    if (length > MOST_DATA) throw new BlockspaceError("EINVAL", `allowed are ${MOST_DATA} bytes`);
    return (await find(host, which).read(offset, length)).toString("base64");
  },
  write: async (host, which: Reference, offset: number, data: string) =>
    find(host, which).write(offset, Buffer.from(data, "base64")),
  extents: (host, which: Reference, end: number, from: number) =>
    part(find(host, which).extents(from, end - from), ({ offset, length }) => offset + length),
  diff: (host, first: Reference, second: Reference, end: number, from: number) => {
    const [a, b] = [find(host, first), find(host, second)];
    const ranges = host.diff(a.name, b.name, { offset: from, length: end - from });
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
    const service = { version: packageVersion(), host, imports: new ImportsUnderWay() };
    const server = createServer((socket) => {
      sockets.add(socket);
      const gone = new AbortController();
      socket.on("close", () => {
        sockets.delete(socket);
        service.imports.gone(socket);
        gone.abort();
      });
      socket.on("error", () => undefined);
      receive(socket, ({ id, call, args }) => {
        const caller = { socket, gone: gone.signal };
        answer(service, caller, { id: Number(id), call: String(call), args }).catch(() => {
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
  service: Service,
  { socket, gone }: Caller,
  { id, call, args }: { id: number; call: string; args: unknown },
): Promise<void> {
  try {
    if (!Array.isArray(args)) throw new BlockspaceError("EINVAL", `"${call}" has no arguments`);
    if (call === "create") service.imports.making(socket, args[0]);
    send(socket, { id, value: await valueOf(service, call, args, gone) });
  } catch (error) {
    const told = isBlockspaceError(error)
      ? error
      : new BlockspaceError("EINVAL", `the call "${call}" failed: ${messageOf(error)}`);
    send(socket, { id, error: errorOf(told) });
  }
}

async function valueOf(
  service: Service,
  call: string,
  args: unknown[],
  gone: AbortSignal,
): Promise<unknown> {
  const { host } = service;
  if (call === "state") return stateOf(service);
  if (call === "usage") return usageOf(service);
  if (call === "compact") return host.compact({ signal: gone });
  const make = Object.hasOwn(calls, call) ? calls[call] : undefined;
  if (!make) throw new BlockspaceError("EINVAL", `no call is "${call}"`);
  return make(host, ...(args as never[]));
}

/** With the state of the same moment: each names what the other does. */
async function usageOf(service: Service): Promise<object> {
  const count = service.host.usageInTurns(TURN_MS);
  for (;;) {
    const usage = count();
    if (usage) return { usage: [...usage], state: stateOf(service) };
    await new Promise(setImmediate);
  }
}

function stateOf({ version, host, imports }: Service): object {
  const { path, uuid, recovery } = host;
  const told = { version, path, uuid, recovery, importsUnderWay: imports.names };
  return { ...told, list: host.list(), statistics: host.statistics() };
}

/** The subvolume that a command began with, whatever it is called by now. */
function find(host: Host, { id, name }: Reference): Subvolume {
  const found = host.withId(id);
  if (found) return found;
  throw new BlockspaceError("ENOENT", `subvolume "${name}" was deleted`, { subvolume: name });
}

/** The first of a series, and where the next part begins. */
function part<T>(series: Iterable<T>, endOf: (item: T) => number): Part<T> {
  const items: T[] = [];
  const began = performance.now();
  for (const item of series) {
    items.push(item);
    const isEnough = items.length === MOST_ITEMS || performance.now() - began > TURN_MS;
    if (isEnough) return { items, next: endOf(item) };
  }
  return { items };
}

/** Waits for a change whose result stays here. */
async function done(change: Promise<unknown>): Promise<void> {
  await change;
}
