/** A node store that notes which nodes it was asked for, to show what an operation costs. */
import type { MapNode } from "../../src/format/map-node.ts";
import type { NodeStore } from "../../src/map/tree.ts";

export interface CountingNodes extends NodeStore {
  /** Ids of the nodes read or changed. */
  readonly reads: Set<number>;
  /** How often a node was read. */
  gets: number;
}

export function countingNodes(nodes: NodeStore): CountingNodes {
  const reads = new Set<number>();
  return {
    reads,
    gets: 0,
    capacity: nodes.capacity,
    get(id: number): MapNode {
      this.gets++;
      reads.add(id);
      return nodes.get(id);
    },
    edit(id: number): MapNode {
      reads.add(id);
      return nodes.edit(id);
    },
    add: (node) => nodes.add(node),
    free: (id) => nodes.free(id),
    references: (id) => nodes.references(id),
    retain: (id) => nodes.retain(id),
    release: (id) => nodes.release(id),
  };
}
