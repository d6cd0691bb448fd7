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
import type { StoreModel } from "./model.ts";

export const BLOCK = 512;
/** Bytes of the subvolumes that every workload begins with. */
export const VOLUME: number = 16 * BLOCK;

export const options: SimulatedHostOptions = {
  blockSize: BLOCK,
  capacity: 160 * BLOCK,
  journalSize: 64 * 1024,
  cacheSize: 64 * 1024,
  maxDirty: 64 * 1024,
  geometry: { segmentBlocks: 16, nodeSize: 100 },
};

/** A store that has been in use: subvolumes, shared blocks, a checkpoint, a journal behind it. */
export interface Beginning {
  image: DiskImage;
  model: StoreModel;
}

export function open(disk: SimulatedDisk, more: SimulatedHostOptions = {}): Promise<Host> {
  return openSimulatedHost(disk, { ...options, ...more });
}

/** Bytes that tell where they belong: `salt` and the number of the block in every block. */
export function pattern(salt: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = 1 + ((salt * 31 + (i >> 9) * 7) % 251);
  return bytes;
}

let beginning: Promise<Beginning> | undefined;

/** The store that most workloads begin with; made once. */
export function usedStore(): Promise<Beginning> {
  return (beginning ??= makeUsedStore());
}

async function makeUsedStore(): Promise<Beginning> {
  const disk = new SimulatedDisk();
  const host = await open(disk, { create: true });
  const a = await host.create("a", { size: VOLUME });
  const b = await host.create("b", { size: VOLUME });
  await a.write(0, pattern(1, VOLUME / 2));
  await b.write(4 * BLOCK, pattern(2, VOLUME / 2));
  await host.snapshot("a", "s");
  await host.checkpoint();
  await a.write(2 * BLOCK, pattern(3, 3 * BLOCK));
  await host.flush();
  await b.write(5 * BLOCK, pattern(4, BLOCK));
  await host.close();
  const volumes = new Map([
    ["a", { readOnly: false, bytes: await bytesOf(disk, "a") }],
    ["b", { readOnly: false, bytes: await bytesOf(disk, "b") }],
    ["s", { readOnly: true, bytes: await bytesOf(disk, "s") }],
  ]);
  return { image: disk.image(), model: volumes };
}

async function bytesOf(disk: SimulatedDisk, name: string): Promise<Uint8Array> {
  const host = await open(new SimulatedDisk({ image: disk.image() }), { readOnly: true });
  try {
    return await host.get(name).read(0, VOLUME);
  } finally {
    await host.close();
  }
}
