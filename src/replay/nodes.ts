/**
 * The map nodes of all subvolumes, kept in the checkpoint's tables: what `map/` is handed as its
 * node store. Counts of references are kept apart from the nodes, and only where they are not one,
 * so that sharing a node does not rewrite it.
 */
import { BlockspaceError } from "../base/errors.ts";
import type { Change } from "../checkpoint/environment.ts";
import { type Source, Table } from "../checkpoint/table.ts";
import {
  decodeReferences,
  encodeNumberPage,
  encodeReferences,
  kinds,
  PAGE_ENTRIES,
} from "../format/checkpoint-values.ts";
import {
  copyNode,
  decodeNode,
  encodeNode,
  entriesPerNode,
  type MapNode,
} from "../format/map-node.ts";
import { seal } from "../format/sealed-value.ts";
import type { NodeStore } from "../map/tree.ts";

const referencesCodec = {
  encode: encodeReferences,
  decode: decodeReferences,
  copy: (references: number): number => references,
};

export class Nodes implements NodeStore {
  readonly capacity: number;
  /** The id that the next new node gets. */
  next = 1;
  /** Nodes that nobody refers to, still to be taken apart; the last one is next. */
  dead: number[] = [];
  readonly #nodes: Table<MapNode>;
  readonly #references: Table<number>;
  #storedDeadPages = 0;
  #frozenDeadPages: Change[] = [];

  constructor(nodeSize: number, source: Source, cachedNodes: number) {
    this.capacity = entriesPerNode(nodeSize);
    const codec = {
      encode: encodeNode,
      decode: (body: Uint8Array) => decodeNode(body, this.capacity),
      copy: copyNode,
    };
    this.#nodes = new Table(kinds.node, codec, source, cachedNodes);
    this.#references = new Table(kinds.nodeReferences, referencesCodec, source, cachedNodes * 4);
  }

  get dirtyCount(): number {
    return this.#nodes.dirtyCount;
  }

  get(id: number): MapNode {
    return this.#nodes.get(id) ?? this.#missing(id);
  }

  edit(id: number): MapNode {
    return this.#nodes.edit(id) ?? this.#missing(id);
  }

  add(node: MapNode): number {
    const id = this.next++;
    this.#nodes.put(id, node);
    return id;
  }

  free(id: number): void {
    this.#nodes.delete(id);
  }

  references(id: number): number {
    return this.#references.get(id) ?? 1;
  }

  retain(id: number): void {
    this.#references.put(id, this.references(id) + 1);
  }

  release(id: number): void {
    const left = this.references(id) - 1;
    if (left === 0) this.dead.push(id);
    else if (left === 1) this.#references.delete(id);
    else this.#references.put(id, left);
  }

  /** Takes up the dead nodes of a checkpoint. */
  loadDead(dead: number[]): void {
    this.dead = dead;
    this.#storedDeadPages = Math.ceil(dead.length / PAGE_ENTRIES);
  }

  freeze(): void {
    this.#nodes.freeze();
    this.#references.freeze();
    const kind = kinds.deadNodes;
    const pages = Math.ceil(this.dead.length / PAGE_ENTRIES);
    this.#frozenDeadPages = [];
    for (let id = 0; id < Math.max(pages, this.#storedDeadPages); id++) {
      const page = this.dead.slice(id * PAGE_ENTRIES, (id + 1) * PAGE_ENTRIES);
      const value = id < pages ? seal(kind, id, encodeNumberPage(page)) : null;
      this.#frozenDeadPages.push({ kind, id, value });
    }
    this.#storedDeadPages = pages;
  }

  *changes(): Generator<Change> {
    yield* this.#nodes.changes();
    yield* this.#references.changes();
    yield* this.#frozenDeadPages;
  }

  thaw(): void {
    this.#nodes.thaw();
    this.#references.thaw();
    this.#frozenDeadPages = [];
  }

  #missing(id: number): never {
    throw new BlockspaceError("ECORRUPT", `map node ${id} is missing from the checkpoint`);
  }
}
