/**
 * A whole store on a simulated disk: the same host, journal, maps and replay as on real files, with
 * checkpoint environments in memory in place of LMDB.
 *
 * For programs that stand on Blockspace and must prove that they survive crashes themselves, and
 * for the proof of Blockspace's own promises. The same history leaves the same bytes: the uuid of a
 * store and the times in it are made up.
 */
import {
  MemoryEnvironments,
  type Table,
  type TableCell,
} from "../checkpoint/memory-environment.ts";
import type { Engine } from "../host/engine.ts";
import { Host } from "../host/host.ts";
import { openStore } from "../host/open.ts";
import { checkOptions, newStoreLayout, type OpenHostOptions } from "../host/options.ts";
import type { NewStore, StoreParts } from "../host/store.ts";
import type { World } from "../host/world.ts";
import type { SimulatedDisk } from "../testing/disk.ts";
import { SimulatedDirectory } from "../testing/simulated-directory.ts";

export interface SimulatedHostOptions extends Omit<OpenHostOptions, "device"> {
  /** Where on the disk the store is; `/store` unless told. */
  path?: string;
  /**
   * A geometry so small that everything happens often, for a new store: blocks of a segment, and
   * bytes of a map node.
   */
  geometry?: Partial<Pick<NewStore, "segmentBlocks" | "nodeSize">>;
  /** So little memory, in bytes, that writers always wait for some: less than options allow. */
  memory?: { cacheSize: number; maxDirty: number };
}

/** What is behind the hosts that were opened here. */
const engines = new WeakMap<Host, Engine>();

/** Some moment; each look at the clock is a millisecond later. */
const EPOCH_MS: number = Date.UTC(2020, 0, 1);

/** Opens a store on a simulated disk, as `Host.open` does in a directory; the same errors. */
export async function openSimulatedHost(
  disk: SimulatedDisk,
  options: SimulatedHostOptions = {},
): Promise<Host> {
  const { path = "/store", geometry = {}, memory, ...given } = options;
  checkOptions(given);
  const parts: StoreParts = {
    directory: new SimulatedDirectory(disk, path),
    environments: (_, { storeId }) => environmentsOn(disk, path).openFor(storeId),
    world: simulatedWorld(),
    ...(memory ? { memory } : {}),
  };
  const layout = async (): Promise<NewStore> => ({
    ...newStoreLayout(given, undefined),
    ...geometry,
  });
  const opened = await openStore(parts, given, layout);
  const host = new Host(opened);
  engines.set(host, opened.engine);
  return host;
}

/** @internal The engine of a host that was opened here. */
export function engineOf(host: Host): Engine {
  const engine = engines.get(host);
  if (!engine) throw new TypeError("the host was not opened by openSimulatedHost");
  return engine;
}

/** The checkpoint environments of the store under a path. */
function environmentsOn(disk: SimulatedDisk, path: string): MemoryEnvironments {
  const cell = (name: "a" | "b"): TableCell => ({
    get: () => tableOn(disk, path, name),
    set: (table, fingerprint) => void disk.setCell(cellName(path, name), table, fingerprint),
  });
  return new MemoryEnvironments({ cells: { a: cell("a"), b: cell("b") } });
}

/** All that an environment holds. */
export function tableOn(disk: SimulatedDisk, path: string, name: "a" | "b"): Table {
  return (disk.cell(cellName(path, name)) as Table | undefined) ?? new Map<number, never>();
}

function cellName(path: string, name: "a" | "b"): string {
  return `${path}/checkpoint/${name}`;
}

function simulatedWorld(): World {
  let milliseconds = EPOCH_MS;
  return {
    now: () => milliseconds++,
    newUuid: () => Uint8Array.from({ length: 16 }, (_, i) => (i === 6 ? 0x4a : i * 17)),
  };
}
