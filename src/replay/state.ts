/**
 * The whole state of a host as of one LSN: the catalogue, the maps, and what is known of every
 * block. It changes in exactly one place, `apply.ts`; here it is put together, frozen for a
 * checkpoint and loaded from one.
 */
import { BlockspaceError } from "../base/errors.ts";
import type { FrozenState } from "../checkpoint/delta.ts";
import type { Environment } from "../checkpoint/environment.ts";
import type { Source } from "../checkpoint/table.ts";
import {
  decodeBusy,
  decodeLivePage,
  decodeNumberPage,
  decodeState,
  decodeSubvolume,
  encodeState,
  kinds,
  type StateValue,
} from "../format/checkpoint-values.ts";
import { entriesPerNode } from "../format/map-node.ts";
import { SEGMENT_MEMORY_PER_BLOCK } from "../format/segment-record.ts";
import { open as openSealed, seal } from "../format/sealed-value.ts";
import type { Tree } from "../map/tree.ts";
import { type Geometry, segmentsOnPage } from "../space/geometry.ts";
import { Segments } from "../space/segments.ts";
import { Catalogue } from "./catalogue.ts";
import { Nodes } from "./nodes.ts";

/** About what a decoded value takes in memory, for the options that bound it. */
const NODE_ENTRY_BYTES = 15;
const NODE_OBJECT_BYTES = 400;
const RECORD_OBJECT_BYTES = 1000;
/** Values of a checkpoint that are taken up in one step. */
const VALUES_PER_STEP = 1024;

export class State {
  readonly geometry: Geometry;
  readonly source: Source;
  readonly catalogue: Catalogue;
  readonly nodes: Nodes;
  readonly segments: Segments;
  readonly tree: Tree;
  /** The last commit that was applied. */
  lsn = 0;
  /** Keys that the newest checkpoint changed against the one before it. */
  changedKeys: number[] = [];
  readonly #nodeBytes: number;
  readonly #recordBytes: number;

  /** An empty state over an empty environment; `cacheSize` in bytes bounds its clean values. */
  constructor(geometry: Geometry, environment: Environment, cacheSize: number) {
    this.geometry = geometry;
    this.source = { environment };
    this.catalogue = new Catalogue(this.source);
    const quarter = cacheSize / 4;
    this.#nodeBytes = entriesPerNode(geometry.nodeSize) * NODE_ENTRY_BYTES + NODE_OBJECT_BYTES;
    this.#recordBytes = geometry.segmentBlocks * SEGMENT_MEMORY_PER_BLOCK + RECORD_OBJECT_BYTES;
    this.nodes = new Nodes(geometry.nodeSize, this.source, Math.floor(quarter / this.#nodeBytes));
    const records = Math.floor(quarter / this.#recordBytes);
    this.segments = new Segments(geometry, this.source, records);
    this.tree = {
      nodes: this.nodes,
      blocks: this.segments,
      segmentBlocks: geometry.segmentBlocks,
    };
  }

  /** About the bytes of memory that only a checkpoint can give back. */
  get dirtyBytes(): number {
    const { nodes, segments } = this;
    return nodes.dirtyCount * this.#nodeBytes + segments.dirtyCount * this.#recordBytes;
  }

  /** Sets aside what changed since the last freeze. */
  freeze(): FrozenState {
    const { catalogue, nodes, segments, lsn } = this;
    catalogue.freeze();
    nodes.freeze();
    segments.freeze();
    const counters = {
      lsn,
      nextNode: nodes.next,
      nextSubvolume: catalogue.next,
      allocatedBlocks: segments.allocated,
      subvolumes: catalogue.size,
      deadNodes: nodes.dead.length,
      busySegments: segments.busy.frozen().size,
    };
    return {
      lsn,
      *changes() {
        yield* catalogue.changes();
        yield* nodes.changes();
        yield* segments.changes();
      },
      stateValue: (changedKeys, journalChecksum) => {
        const body = encodeState({ ...counters, changedKeys, journalChecksum });
        return { kind: kinds.state, id: 0, value: seal(kinds.state, 0, body) };
      },
    };
  }

  /** The checkpoint is durable in `environment`, which reads go to from now on. */
  thaw(environment: Environment): void {
    this.source.environment = environment;
    this.catalogue.thaw();
    this.nodes.thaw();
    this.segments.thaw();
    this.changedKeys = loadNumbers(environment, kinds.changedKeys);
  }

  /** Takes up what the environment holds; returns the checksum of the last journal frame in it. */
  load(): number {
    const steps = this.loading();
    for (;;) {
      const { done, value } = steps.next();
      if (done === true) return value;
    }
  }

  /**
   * As {@link load}, in steps that nobody notices: of a store with 100,000 subvolumes it takes a
   * second and more, in a process that may have others open.
   */
  *loading(): Generator<void, number> {
    const { environment } = this.source;
    const sealed = environment.get(kinds.state, 0);
    if (!sealed) throw new BlockspaceError("ECORRUPT", "a checkpoint has no state value");
    const value = decodeState(openSealed(kinds.state, 0, sealed));
    this.lsn = value.lsn;
    let subvolumes = 0;
    for (const { id, value: entry } of environment.scan(kinds.subvolume)) {
      this.catalogue.load(decodeSubvolume(openSealed(kinds.subvolume, id, entry)));
      if (++subvolumes % VALUES_PER_STEP === 0) yield;
    }
    this.catalogue.next = value.nextSubvolume;
    this.nodes.next = value.nextNode;
    this.nodes.loadDead(loadNumbers(environment, kinds.deadNodes));
    this.changedKeys = loadNumbers(environment, kinds.changedKeys);
    const busySegments = yield* this.#loadSpace(environment);
    this.#checkCounts(value, busySegments);
    return value.journalChecksum;
  }

  *#loadSpace(environment: Environment): Generator<void, number> {
    const { segments } = this;
    for (const { id, value } of environment.scan(kinds.segmentLive)) {
      const body = openSealed(kinds.segmentLive, id, value);
      segments.loadLive(id, decodeLivePage(body, segmentsOnPage(this.geometry, id)));
    }
    let busySegments = 0;
    for (const { id, value } of environment.scan(kinds.busy)) {
      const bitmap = decodeBusy(openSealed(kinds.busy, id, value), this.geometry.segmentBlocks);
      if (id >= this.geometry.segments) {
        throw new BlockspaceError("ECORRUPT", `there are busy blocks, and no segment ${id}`);
      }
      segments.busy.load(id, bitmap);
      if (++busySegments % VALUES_PER_STEP === 0) yield;
    }
    return busySegments;
  }

  #checkCounts(value: StateValue, busySegments: number): void {
    const sound =
      value.subvolumes === this.catalogue.size &&
      value.deadNodes === this.nodes.dead.length &&
      value.changedKeys === this.changedKeys.length &&
      value.allocatedBlocks === this.segments.allocated &&
      value.busySegments === busySegments;
    if (!sound) throw new BlockspaceError("ECORRUPT", "a checkpoint lacks some of its values");
  }
}

function loadNumbers(environment: Environment, kind: number): number[] {
  const numbers: number[] = [];
  for (const { id, value } of environment.scan(kind)) {
    for (const number of decodeNumberPage(openSealed(kind, id, value))) numbers.push(number);
  }
  return numbers;
}
