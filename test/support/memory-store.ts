/**
 * A whole store in memory with a geometry so small that everything happens often: segments of a few
 * blocks, map nodes of a few entries, a journal that wraps. It can lose power or be killed at any
 * moment; what is left is another store, and whatever still runs over the old one does it no harm.
 */
import { type MemoryOptions, MemoryEnvironments } from "../../src/checkpoint/memory-environment.ts";
import { SimulatedTree } from "./simulated-tree.ts";
import type { SimulatedDevice } from "../../src/testing/simulated-device.ts";
import type { Random } from "../../src/testing/random.ts";
import type { OnOperation, Operation } from "../../src/testing/operation.ts";
import type { Engine } from "../../src/host/engine.ts";
import { Host } from "../../src/host/host.ts";
import { openStore } from "../../src/host/open.ts";
import { checkOptions, type OpenHostOptions } from "../../src/host/options.ts";
import type { NewStore, StoreParts } from "../../src/host/store.ts";

/** The part of a store that an operation touches. */
export type Place = "data" | "journal" | "other";

const SMALLEST = 64 * 1024;

const small: NewStore = {
  blockSize: 512,
  segmentBlocks: 16,
  capacityBlocks: 1024,
  dataOffset: 4096,
  nodeSize: 100,
  journalAlignment: 512,
  journalSize: SMALLEST,
};

export class MemoryStore {
  readonly layout: NewStore;
  readonly directory: SimulatedTree;
  readonly environments: MemoryEnvironments;
  /** Called before every operation on a file; when it throws, the operation fails. */
  onOperation: OnOperation | undefined;
  /** Called at the boundaries of every commit of a checkpoint; when it throws, the commit fails. */
  onCommit: MemoryOptions["onCommit"];
  /** Operations so far, as `data write` or `journal flush`; failed ones count too. */
  readonly #counts = new Map<string, number>();
  readonly #engines = new WeakMap<Host, Engine>();

  private constructor(
    layout: NewStore,
    tree: (hook: { onOperation: OnOperation }) => SimulatedTree,
    table: (hook: MemoryOptions) => MemoryEnvironments,
  ) {
    this.layout = layout;
    this.directory = tree({ onOperation: (operation) => this.#announce(operation) });
    this.environments = table({ onCommit: (name, phase) => this.onCommit?.(name, phase) });
  }

  /** An empty place; the store in it is made by the first `open`. */
  static create(geometry: Partial<NewStore> = {}): MemoryStore {
    return new MemoryStore(
      { ...small, ...geometry },
      (hook) => new SimulatedTree(hook),
      (hook) => new MemoryEnvironments(hook),
    );
  }

  /** Opens the store with the least memory and journal that is allowed, unless told otherwise. */
  async open(options: OpenHostOptions = {}): Promise<Host> {
    const sizes = { journalSize: SMALLEST, cacheSize: SMALLEST, maxDirty: SMALLEST };
    const all = { create: !options.readOnly, ...sizes, ...options };
    checkOptions(all);
    const { directory, environments, layout } = this;
    const parts: StoreParts = {
      directory,
      environments: (_, { storeId }) => environments.openFor(storeId),
    };
    const opened = await openStore(parts, all, async () => layout);
    const host = new Host(opened);
    this.#engines.set(host, opened.engine);
    return host;
  }

  /** What is behind a host that this store opened. */
  engineOf(host: Host): Engine {
    const engine = this.#engines.get(host);
    if (!engine) throw new Error("the host was not opened by this store");
    return engine;
  }

  /** The store after loss of power; `random` decides what becomes of what was not flushed. */
  crash(random: Random): MemoryStore {
    return new MemoryStore(
      this.layout,
      (hook) => this.directory.crash(random, hook),
      (hook) => this.environments.copy(hook),
    );
  }

  /** The store after `kill -9`. */
  killed(): MemoryStore {
    return new MemoryStore(
      this.layout,
      (hook) => this.directory.killed(hook),
      (hook) => this.environments.copy(hook),
    );
  }

  /** The data device, past every host: to look at its bytes, or to damage them. */
  async data(): Promise<SimulatedDevice> {
    return this.directory.open("data", "write");
  }

  /** Operations of one kind on one part of the store so far. */
  count(place: Place, kind: Operation["kind"]): number {
    return this.#counts.get(`${place} ${kind}`) ?? 0;
  }

  #announce(operation: Operation): void {
    const key = `${placeOf(operation)} ${operation.kind}`;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    this.onOperation?.(operation);
  }
}

/** Which part of the store an operation is on. */
export function placeOf({ path }: Operation): Place {
  if (path.endsWith("/data")) return "data";
  return path.includes("/journal") ? "journal" : "other";
}
