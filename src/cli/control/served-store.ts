/**
 * A store that another process serves, used through that process's control socket as if it were
 * open here. What there is in the store is known as of the last change that went through here.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { BlockspaceError } from "../../base/errors.ts";
import type { CleanerReport } from "../../host/cleaner.ts";
import type { ByteRange, SubvolumeInfo } from "../../host/host.ts";
import type { Iomap } from "../../host/iomap.ts";
import type { Statistics } from "../../host/statistics.ts";
import type { Usage } from "../../host/usage.ts";
import { untilAborted, type WaitOptions } from "../../host/wait.ts";
import type { Recovery } from "../../replay/replay.ts";
import { packageVersion } from "../version.ts";
import {
  type Answer,
  CONTROL_SOCKET,
  MOST_DATA,
  type Part,
  receive,
  type Reference,
  send,
} from "./messages.ts";
import type { StoreAccess, SubvolumeAccess } from "./store-access.ts";

/** What the server tells of its store. */
interface State {
  /** Of the package that serves it. */
  version: string;
  path: string;
  uuid: string;
  recovery: Recovery;
  list: (Omit<SubvolumeInfo, "created"> & { created: string })[];
  statistics: Statistics;
  importsUnderWay: string[];
}

const ANYWHERE: ByteRange = { offset: 0, length: Number.MAX_SAFE_INTEGER };

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

export class ServedStore implements StoreAccess {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #state!: State;

  private constructor(socket: Socket) {
    this.#socket = socket;
    receive(socket, (message) => this.#take(message as unknown as Answer));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      const error = new BlockspaceError("ECLOSED", "the server of the store has gone");
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
  }

  /** Nothing when nobody serves the store in that directory; a server may not answer at all. */
  static async open(store: string, options: WaitOptions = {}): Promise<ServedStore | undefined> {
    const socket = connect({ path: join(store, CONTROL_SOCKET) });
    try {
      await once(socket, "connect");
    } catch {
      return undefined;
    }
    const served = new ServedStore(socket);
    try {
      await untilAborted(served.#refresh(), options);
      served.#checkVersion();
      return served;
    } catch (error) {
      await served.close();
      throw error;
    }
  }

  /** What goes over the socket is as the package's version has it. */
  #checkVersion(): void {
    const own = packageVersion();
    const { path, version } = this.#state;
    if (version === own) return;
    throw new BlockspaceError(
      "ENOTSUP",
      `the store is being served by version ${version} of blockspace, and this command is of ` +
        `version ${own}: use the command of the server's version, or start the server anew`,
      { path },
    );
  }

  get path(): string {
    return this.#state.path;
  }

  get uuid(): string {
    return this.#state.uuid;
  }

  get recovery(): Recovery {
    return this.#state.recovery;
  }

  get importsUnderWay(): readonly string[] {
    return this.#state.importsUnderWay;
  }

  list(): SubvolumeInfo[] {
    return this.#state.list.map((info) => ({ ...info, created: new Date(info.created) }));
  }

  statistics(): Statistics {
    return this.#state.statistics;
  }

  async usage(): Promise<Map<string, Usage>> {
    const told = await this.call<{ usage: [string, Usage][]; state: State }>("usage");
    this.#state = told.state;
    return new Map(told.usage);
  }

  get(name: string): SubvolumeAccess {
    return new ServedSubvolume(this, this.#refer(name));
  }

  diff(a: string, b: string, within: ByteRange = ANYWHERE): AsyncGenerator<ByteRange, void> {
    const { offset, length } = within;
    const args = [this.#refer(a), this.#refer(b), offset + length];
    return this.series<ByteRange>("diff", args, offset);
  }

  /** From here on it is the same subvolume, whatever is renamed. */
  #refer(name: string): Reference {
    const found = this.#state.list.find((info) => info.name === name);
    if (found) return { id: found.id, name };
    throw new BlockspaceError("ENOENT", `there is no subvolume "${name}"`, { subvolume: name });
  }

  async create(name: string, options: WaitOptions & { size: number }): Promise<SubvolumeAccess> {
    const id = await this.change<number>(options, "create", name, options.size);
    return new ServedSubvolume(this, { id, name });
  }

  async snapshot(source: string, name: string, options: WaitOptions = {}): Promise<void> {
    await this.change(options, "snapshot", source, name);
  }

  async clone(source: string, name: string, options: WaitOptions = {}): Promise<void> {
    await this.change(options, "clone", source, name);
  }

  async rollback(name: string, snapshot: string, options: WaitOptions = {}): Promise<void> {
    await this.change(options, "rollback", name, snapshot);
  }

  async grow(capacity: number, options: WaitOptions = {}): Promise<void> {
    await this.change(options, "grow", capacity);
  }

  async rename(name: string, to: string, options: WaitOptions = {}): Promise<void> {
    await this.change(options, "rename", name, to);
  }

  async delete(name: string, options: WaitOptions = {}): Promise<void> {
    await this.change(options, "delete", name);
  }

  async compact(options: WaitOptions = {}): Promise<CleanerReport> {
    // The server hears of it when the connection ends.
    return untilAborted(this.change<CleanerReport>(options, "compact"), options);
  }

  async flush(): Promise<void> {
    await this.call("flush");
  }

  async close(): Promise<void> {
    if (this.#socket.destroyed) return;
    const closed = once(this.#socket, "close");
    this.#socket.destroy();
    await closed;
  }

  /** @internal As of the last change; 0 when it is not there any more. */
  sizeOf({ id }: Reference): number {
    return this.#state.list.find((info) => info.id === id)?.size ?? 0;
  }

  /** @internal A call that changes what there is. */
  async change<T>({ signal }: WaitOptions, name: string, ...args: unknown[]): Promise<T> {
    if (signal?.aborted) throw new BlockspaceError("ECANCELED", "the caller's signal aborted");
    const value = await this.call<T>(name, ...args);
    await this.#refresh();
    return value;
  }

  /** @internal One call and its answer. */
  async call<T>(call: string, ...args: unknown[]): Promise<T> {
    if (this.#socket.destroyed) throw new BlockspaceError("ECLOSED", "the store is closed");
    const id = ++this.#lastId;
    const value = new Promise<unknown>((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
    });
    send(this.#socket, { id, call, args });
    return (await value) as T;
  }

  /** @internal A series of any length, asked for in parts, the first of which begins at `start`. */
  async *series<T>(call: string, args: readonly unknown[], start = 0): AsyncGenerator<T, void> {
    let from: number | undefined = start;
    while (from !== undefined) {
      const part: Part<T> = await this.call<Part<T>>(call, ...args, from);
      yield* part.items;
      from = part.next;
    }
  }

  async #refresh(): Promise<void> {
    this.#state = await this.call<State>("state");
  }

  #take({ id, value, error }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (!error) waiting?.resolve(value);
    else waiting?.reject(new BlockspaceError(error.code, error.message, error.place));
  }
}

class ServedSubvolume implements SubvolumeAccess {
  readonly name: string;
  readonly #store: ServedStore;
  readonly #which: Reference;

  constructor(store: ServedStore, which: Reference) {
    this.#store = store;
    this.#which = which;
    this.name = which.name;
  }

  get size(): number {
    return this.#store.sizeOf(this.#which);
  }

  async read(offset: number, length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let at = offset; at < offset + length; at += MOST_DATA) {
      const count = Math.min(MOST_DATA, offset + length - at);
      const text = await this.#store.call<string>("read", this.#which, at, count);
      parts.push(Buffer.from(text, "base64"));
    }
    return Buffer.concat(parts);
  }

  async write(offset: number, data: Uint8Array): Promise<void> {
    for (let at = 0; at < data.length; at += MOST_DATA) {
      const piece = Buffer.from(data.subarray(at, at + MOST_DATA)).toString("base64");
      await this.#store.call("write", this.#which, offset + at, piece);
    }
  }

  async resize(size: number, options: WaitOptions = {}): Promise<void> {
    await this.#store.change(options, "resize", this.#which, size);
  }

  extents(offset = 0, count: number = this.size - offset): AsyncGenerator<Iomap, void> {
    return this.#store.series<Iomap>("extents", [this.#which, offset + count], offset);
  }
}
