/** Small states over environments in memory, with nodes and segments of a few entries. */
import fc from "fast-check";
import { commitDelta } from "../../src/checkpoint/delta.ts";
import type { Environment } from "../../src/checkpoint/environment.ts";
import { MemoryEnvironments } from "../../src/checkpoint/memory-environment.ts";
import { State } from "../../src/replay/state.ts";
import type { Geometry } from "../../src/space/geometry.ts";

export interface SmallGeometry {
  /** Entries in a map node. */
  nodeEntries: number;
  segmentBlocks: number;
  capacityBlocks: number;
}

/** A node's header and seal, and an entry, in bytes. */
const NODE_FRAME = 12;
const NODE_ENTRY = 12;

export function geometryWith(small: SmallGeometry): Geometry {
  const { nodeEntries, segmentBlocks, capacityBlocks } = small;
  return {
    blockSize: 512,
    segmentBlocks,
    capacityBlocks,
    segments: Math.ceil(capacityBlocks / segmentBlocks),
    dataOffset: 0,
    nodeSize: NODE_FRAME + nodeEntries * NODE_ENTRY,
  };
}

/** Nodes of 4 entries, the fewest that work, to 16; deep trees come of few extents. */
export const smallGeometries: fc.Arbitrary<SmallGeometry> = fc.record({
  nodeEntries: fc.integer({ min: 4, max: 16 }),
  segmentBlocks: fc.constantFrom(8, 16, 32),
  capacityBlocks: fc.integer({ min: 500, max: 2000 }),
});

/** So small a cache that clean values are read from the environment again and again. */
export const TINY_CACHE = 1;

export async function emptyState(
  small: SmallGeometry,
  cacheSize: number = 1 << 20,
): Promise<State> {
  const environment = await new MemoryEnvironments().open("a");
  return new State(geometryWith(small), environment, cacheSize);
}

/** The state in an environment. */
export function loadedState(
  geometry: Geometry,
  environment: Environment,
  cacheSize: number = 1 << 20,
): State {
  const state = new State(geometry, environment, cacheSize);
  state.load();
  return state;
}

/** A checkpoint of the state in an environment of its own, which the state reads from then on. */
export async function checkpointOf(
  state: State,
  journalChecksum: number = 0,
): Promise<Environment> {
  const target = await new MemoryEnvironments().open("b");
  const newest = state.source.environment;
  const frozen = state.freeze();
  const epoch = (newest.closing()?.epoch ?? 0) + 1;
  const delta = { target, newest, lastChangedKeys: [], frozen, reset: true };
  await commitDelta(delta, epoch, Promise.resolve(journalChecksum));
  state.thaw(target);
  state.segments.busy.leaving(new Set());
  state.segments.busy.release();
  return target;
}

/** Lets busy blocks go as if so many checkpoints had been made, without making one. */
export function passCheckpoints(state: State, checkpoints = 2): void {
  const { busy } = state.segments;
  for (let i = 0; i < checkpoints; i++) {
    busy.freeze();
    busy.thaw();
    busy.leaving(new Set());
    busy.release();
  }
}
