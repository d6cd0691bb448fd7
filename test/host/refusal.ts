/**
 * How the tests of the public surface look at an error, and at a host that must not have changed.
 */
import { expect } from "vitest";
import { BlockspaceError } from "../../src/base/errors.ts";
import type { Host } from "../../src/host/host.ts";
import type { Subvolume } from "../../src/host/subvolume.ts";
import type { Cookie } from "../../src/space/cookie.ts";
import { MemoryStore } from "../support/memory-store.ts";

/** The block size of a store in memory. */
export const B = 512;

/** What calls are made on. */
export interface At {
  host: Host;
  disk: Subvolume;
  snapshot: Subvolume;
  cookie: Cookie;
}

/** A store in memory with one subvolume of 16 blocks, a snapshot of it, and a cookie. */
export async function start(): Promise<At & { store: MemoryStore }> {
  const store = MemoryStore.create();
  const host = await store.open();
  const disk = await host.create("disk", { size: 16 * B });
  await disk.write(0, blocks("x", 4));
  const snapshot = await host.snapshot("disk", "snap");
  const cookie = await disk.reserve(4, B);
  return { store, host, disk, snapshot, cookie };
}

/** The error that a call ends with, thrown at once or later; it must be one of our own. */
export async function refusal(call: () => unknown): Promise<BlockspaceError> {
  let value: unknown;
  try {
    value = await call();
  } catch (error) {
    expect(error).toBeInstanceOf(BlockspaceError);
    return error as BlockspaceError;
  }
  throw new Error(`the call was not refused; it gave ${String(value)}`);
}

/** Everything that a caller can see: names, sizes, contents, maps, figures. */
export async function picture(host: Host): Promise<unknown> {
  const subvolumes: unknown[] = [];
  for (const info of host.list()) {
    const subvolume = host.get(info.name);
    const bytes = (await subvolume.read(0, info.size)).toString("latin1");
    subvolumes.push({ ...info, bytes, extents: [...subvolume.extents()].map(withoutDirty) });
  }
  const { free, reserved, staged, allocated, busy, lastLsn } = host.statistics();
  return { subvolumes, free, reserved, staged, allocated, busy, lastLsn };
}

function withoutDirty(iomap: { flags: object }): object {
  return { ...iomap, flags: { ...iomap.flags, dirty: false } };
}

/** Promise I5, at this moment. */
export function expectConserved(host: Host): void {
  const { capacity, free, reserved, staged, allocated, busy } = host.statistics();
  const figures = { free, reserved, staged, allocated, busy };
  const negative = Object.entries(figures).filter(([, value]) => value < 0);
  const sum = free + reserved + staged + allocated + busy;
  expect({ ...figures, negative, sum }).toEqual({ ...figures, negative: [], sum: capacity });
}

/** Blocks that each start with their own text and are filled with it. */
export function blocks(text: string, count = 1, blockSize = 512): Buffer {
  const bytes = Buffer.alloc(count * blockSize);
  for (let i = 0; i < count; i++) {
    bytes.fill(`${text}${i} `, i * blockSize, (i + 1) * blockSize);
  }
  return bytes;
}

/** Equal bytes; where they are not, says where and what stands there. */
export function expectBytes(actual: Uint8Array, expected: Uint8Array, where = ""): void {
  if (Buffer.compare(actual, expected) === 0) return;
  let at = 0;
  while (at < expected.length && actual[at] === expected[at]) at++;
  const around = (bytes: Uint8Array): string =>
    JSON.stringify(Buffer.from(bytes.subarray(at, at + 24)).toString("latin1"));
  const lengths = `${actual.length} and ${expected.length} bytes`;
  const difference = `${around(actual)} in place of ${around(expected)}`;
  throw new Error(`${where} ${lengths} differ from byte ${at} on: ${difference}`);
}

/** Lets a call go on by itself; its failure, if it has one, shows in what is looked at later. */
export function unawaited(call: Promise<unknown>): void {
  call.catch(() => undefined);
}
