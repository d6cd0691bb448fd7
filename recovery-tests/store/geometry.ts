/**
 * The small store of the mass runs: so little of everything that all of it happens often. Blocks of
 * 512 bytes, segments of 8 KiB, map nodes of a few entries.
 */
import {
  openSimulatedHost,
  type DiskImage,
  SimulatedDisk,
  type SimulatedHostOptions,
} from "blockspace/testing";
import type { Host } from "blockspace";
import type { ModelVolume, StoreModel } from "./model.ts";

export const BLOCK = 512;
/** Bytes of the subvolumes that every workload begins with. */
export const VOLUME: number = 16 * BLOCK;
/** Bytes of the one that takes most of the space of a tight store. */
const FILLING = 32 * BLOCK;

const options: SimulatedHostOptions = {
  blockSize: BLOCK,
  journalSize: 64 * 1024,
  cacheSize: 64 * 1024,
  maxDirty: 64 * 1024,
};

/** Room for much, or for so little that what is freed is soon used again. */
export type Layout = "roomy" | "tight";

const layouts: Record<Layout, SimulatedHostOptions> = {
  roomy: { capacity: 160 * BLOCK, geometry: { segmentBlocks: 16, nodeSize: 100 } },
  tight: { capacity: 64 * BLOCK, geometry: { segmentBlocks: 8, nodeSize: 100 } },
};

/** Less than what two writes take. */
const littleMemory = { cacheSize: 2048, maxDirty: 2048 };

/** A store that has been in use: subvolumes, shared blocks, a checkpoint, a journal behind it. */
export interface Beginning {
  image: DiskImage;
  model: StoreModel;
  /** With what its workload opens it. */
  memory?: SimulatedHostOptions["memory"];
  journalSize?: number;
}

export function open(
  disk: SimulatedDisk,
  more: SimulatedHostOptions = {},
  layout: Layout = "roomy",
): Promise<Host> {
  const made = more.create === true ? layouts[layout] : {};
  return openSimulatedHost(disk, { ...options, ...made, ...more });
}

/** Bytes that tell where they belong: `salt` and the number of the block in every block. */
export function pattern(salt: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = 1 + ((salt * 31 + (i >> 9) * 7) % 251);
  return bytes;
}

const beginnings: Partial<Record<Layout, Promise<Beginning>>> = {};

/** The store that most workloads begin with; made once. */
export function usedStore(layout: Layout = "roomy"): Promise<Beginning> {
  return (beginnings[layout] ??= makeUsedStore(layout));
}

/** By turns one and the other, and both by turns with little memory. */
export async function usedStoreFor(index: number): Promise<Beginning> {
  return strained(await usedStore(index % 2 === 0 ? "roomy" : "tight"), index >> 1);
}

/** One time in four to be opened with little memory. */
export function strained(beginning: Beginning, index: number): Beginning {
  return index % 4 === 0 ? { ...beginning, memory: littleMemory } : beginning;
}

/** One whose journal is never written over: it reaches back to the creation. */
export async function storeOfWholeJournal(): Promise<Beginning> {
  const journalSize = 8 * 1024 * 1024;
  wholeJournal ??= makeUsedStore("tight", journalSize);
  return { ...(await wholeJournal), journalSize };
}

let wholeJournal: Promise<Beginning> | undefined;

async function makeUsedStore(layout: Layout, journalSize?: number): Promise<Beginning> {
  const disk = new SimulatedDisk();
  const size = journalSize === undefined ? {} : { journalSize };
  const host = await open(disk, { create: true, ...size }, layout);
  const a = await host.create("a", { size: VOLUME });
  const b = await host.create("b", { size: VOLUME });
  if (layout === "tight") {
    const rest = await host.create("z", { size: FILLING });
    await rest.write(0, pattern(5, FILLING));
  }
  await a.write(0, pattern(1, VOLUME / 2));
  await b.write(4 * BLOCK, pattern(2, VOLUME / 2));
  await host.snapshot("a", "s");
  await host.checkpoint();
  await a.write(2 * BLOCK, pattern(3, 3 * BLOCK));
  await host.flush();
  await b.write(5 * BLOCK, pattern(4, BLOCK));
  await host.close();
  return { image: disk.image(), model: await modelOf(disk) };
}

async function modelOf(disk: SimulatedDisk): Promise<StoreModel> {
  const host = await open(new SimulatedDisk({ image: disk.image() }), { readOnly: true });
  const volumes = new Map<string, ModelVolume>();
  for (const { name, size, readOnly } of host.list()) {
    volumes.set(name, { readOnly, bytes: await host.get(name).read(0, size) });
  }
  await host.close();
  return volumes;
}
