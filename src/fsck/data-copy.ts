/**
 * The data of a repaired store in a file of its own: live blocks are copied in runs, each compared
 * with its checksum on the way. A block that does not match is copied as it is: reading it goes on
 * to fail, which is better than zeroes that nobody wrote.
 */
import { crc32 } from "../base/checksum.ts";
import type { Device } from "../device/device.ts";
import type { SegmentRecord } from "../format/segment-record.ts";
import type { Superblock } from "../format/superblock.ts";
import { addressOf, type Geometry, geometryOf } from "../space/geometry.ts";
import { type Loss, unreadable } from "./loss.ts";
import type { RepairPlan } from "./repair-plan.ts";
import { placeOf } from "./scrub.ts";
import type { StoreAccess } from "./store-access.ts";
import { DATA } from "./store-parts.ts";
import { writeLabel } from "./store-writing.ts";

export interface DataCopy {
  superblock: Superblock;
  plan: RepairPlan;
  source: Device;
  losses: Loss[];
  signal?: AbortSignal | undefined;
}

const RUN_BLOCKS = 256;

/** Makes the data file of the target; durable when it resolves. */
export async function copyData(target: StoreAccess, copy: DataCopy): Promise<void> {
  const { superblock, plan } = copy;
  const geometry = geometryOf(superblock);
  const size = addressOf(geometry, geometry.capacityBlocks);
  const device = await target.directory.create(DATA, { size, layout: "sparse" });
  try {
    for (const [segment, record] of plan.contents.segments) {
      copy.signal?.throwIfAborted();
      if (record) await copySegment(device, segment, record, geometry, copy);
    }
    for (const [pblock, block] of plan.restored) {
      await device.write([block], addressOf(geometry, pblock));
    }
    await writeLabel(device, superblock.uuid);
  } finally {
    await device.close();
  }
}

async function copySegment(
  device: Device,
  segment: number,
  record: SegmentRecord,
  geometry: Geometry,
  { source, plan, losses }: DataCopy,
): Promise<void> {
  const { segmentBlocks, blockSize } = geometry;
  const base = segment * segmentBlocks;
  const parts = { geometry, contents: plan.contents };
  const wanted = (i: number): boolean =>
    record.refs.get(i) > 0 && record.written[i] === 1 && !plan.restored.has(base + i);
  for (let i = 0; i < segmentBlocks; i++) {
    if (!wanted(i)) continue;
    let end = i + 1;
    while (end < segmentBlocks && end - i < RUN_BLOCKS && wanted(end)) end++;
    const bytes = await readRun(source, addressOf(geometry, base + i), (end - i) * blockSize);
    for (let j = i; j < end; j++) {
      const block = bytes.subarray((j - i) * blockSize, (j - i + 1) * blockSize);
      if (crc32(block) === record.checksums[j]) continue;
      const note = `block ${base + j} does not match its checksum, and is copied as it is`;
      const range = { offset: record.vblocks.get(j) * blockSize, length: blockSize };
      losses.push(unreadable({ range, ...placeOf(parts, record, base + j) }, note));
    }
    await device.write([bytes], addressOf(geometry, base + i));
    i = end - 1;
  }
}

/** What can be read of a run; zeroes elsewhere, which match no checksum but that of zeroes. */
async function readRun(source: Device, address: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  const there = Math.max(0, Math.min(length, source.size - address));
  try {
    await source.read(bytes.subarray(0, there), address);
  } catch {
    for (let at = 0; at < there; at += 512) {
      const piece = bytes.subarray(at, Math.min(at + 512, there));
      await source.read(piece, address + at).catch(() => piece.fill(0));
    }
  }
  return bytes;
}
