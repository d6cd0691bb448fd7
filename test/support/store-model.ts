/**
 * What a state should say, kept in the most naive way: for each subvolume a map from vblock to
 * block, copied whole by a snapshot. Knows nothing of trees, references or checkpoints.
 */
import type { JournalRecord, RelocateRecord } from "../../src/format/records.ts";
import { extents } from "../../src/map/lookup.ts";
import type { State } from "../../src/replay/state.ts";

export interface ModelBlock {
  pblock: number;
  /** `null` when it is unwritten. */
  checksum: number | null;
}

export interface ModelSubvolume {
  name: string;
  /** Blocks. */
  size: number;
  map: Map<number, ModelBlock>;
}

export class StoreModel {
  readonly subvolumes: Map<number, ModelSubvolume> = new Map();
  readonly #blockSize: number;

  constructor(blockSize: number) {
    this.#blockSize = blockSize;
  }

  get(id: number): ModelSubvolume {
    const subvolume = this.subvolumes.get(id);
    if (!subvolume) throw new Error(`the model has no subvolume ${id}`);
    return subvolume;
  }

  /** Every block that a subvolume maps. */
  mapped(): Set<number> {
    const pblocks = new Set<number>();
    for (const { map } of this.subvolumes.values()) {
      for (const { pblock } of map.values()) pblocks.add(pblock);
    }
    return pblocks;
  }

  apply(record: JournalRecord): void {
    switch (record.type) {
      case "reclaim":
        return;
      case "remap":
      case "convert":
        for (let i = 0; i < record.count; i++) {
          const checksum = record.checksums ? record.checksums[i]! : null;
          this.get(record.subvolume).map.set(record.vblock + i, {
            pblock: record.pblock + i,
            checksum,
          });
        }
        return;
      case "unmap":
        this.#cut(record.subvolume, record.vblock, record.vblock + record.count);
        return;
      case "create":
        this.subvolumes.set(record.subvolume, {
          name: record.name,
          size: Math.ceil(record.size / this.#blockSize),
          map: new Map(),
        });
        return;
      case "snapshot":
      case "clone": {
        const { size, map } = this.get(record.source);
        this.subvolumes.set(record.subvolume, { name: record.name, size, map: new Map(map) });
        return;
      }
      case "rollback": {
        const { size, map } = this.get(record.source);
        Object.assign(this.get(record.subvolume), { size, map: new Map(map) });
        return;
      }
      case "rename":
        this.get(record.subvolume).name = record.name;
        return;
      case "delete":
        this.subvolumes.delete(record.subvolume);
        return;
      case "resize": {
        const size = Math.ceil(record.size / this.#blockSize);
        this.#cut(record.subvolume, size, Infinity);
        this.get(record.subvolume).size = size;
        return;
      }
      case "relocate":
        this.#relocate(record);
    }
  }

  #cut(id: number, from: number, to: number): void {
    const { map } = this.get(id);
    for (const vblock of map.keys()) if (vblock >= from && vblock < to) map.delete(vblock);
  }

  #relocate({ from, to, count }: RelocateRecord): void {
    for (const { map } of this.subvolumes.values()) {
      for (const [vblock, { pblock, checksum }] of map) {
        if (pblock < from || pblock >= from + count) continue;
        map.set(vblock, { pblock: pblock - from + to, checksum });
      }
    }
  }
}

/** A subvolume as text: what stands at each mapped vblock, in order. */
interface SubvolumeText {
  id: number;
  name: string;
  size: number;
  blocks: string[];
}

function text(vblock: number, { pblock, checksum }: ModelBlock): string {
  return `${vblock}: ${pblock} ${checksum ?? "unwritten"}`;
}

/** The subvolumes as the model has them. */
export function modelText(model: StoreModel): SubvolumeText[] {
  return Array.from(model.subvolumes, ([id, { name, size, map }]) => ({
    id,
    name,
    size,
    blocks: [...map].toSorted(([a], [b]) => a - b).map(([vblock, block]) => text(vblock, block)),
  }));
}

/** The same of a state, read through its maps and segment records. */
export function stateText(state: State): SubvolumeText[] {
  return Array.from(state.catalogue.entries(), ({ id, name, size, root }) => {
    const blocks: string[] = [];
    for (const extent of extents(state.nodes, root, 0, Infinity)) {
      for (let i = 0; i < extent.count; i++) {
        const pblock = extent.pblock + i;
        const checksum = extent.unwritten ? null : checksumOf(state, pblock);
        blocks.push(text(extent.vblock + i, { pblock, checksum }));
      }
    }
    return { id, name, size: Math.ceil(size / state.geometry.blockSize), blocks };
  });
}

function checksumOf(state: State, pblock: number): number {
  const { segmentBlocks } = state.geometry;
  const record = state.segments.record(Math.floor(pblock / segmentBlocks));
  return record?.checksums[pblock % segmentBlocks] ?? -1;
}
