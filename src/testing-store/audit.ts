/**
 * Recomputes from the maps everything that a state keeps count of, and throws at the first number
 * that is not what it should be. Property tests call it after every step.
 *
 * Every distinct node is visited once, so an audit costs what the maps hold, however many
 * subvolumes share them:
 *  1. nodes: count, order, levels, keys and bounds of the children, number of references;
 *  2. extents: sorted, disjoint, within segment, device and subvolume;
 *  3. blocks: number of references, owner (family and vblock), written where a map says so;
 *  4. counts: allocated blocks of each segment and in all, busy blocks disjoint from live ones;
 *  5. with an allocator, held blocks disjoint from both.
 */
import { BlockspaceError } from "../base/errors.ts";
import { type Branch, isLeaf, type Leaf, LENGTH_MASK, UNWRITTEN } from "../format/map-node.ts";
import { blocksOf } from "../replay/apply.ts";
import type { State } from "../replay/state.ts";
import type { Allocator } from "../space/allocator.ts";
import { fail } from "./audit-failure.ts";
import { auditSpace } from "./audit-space.ts";

export interface AuditOptions {
  /** Who holds blocks besides. */
  allocator?: Allocator;
  /** Also looks under every node id ever given for nodes that nothing refers to; costs more. */
  leaks?: boolean;
}

/** Throws when anything in the state contradicts the maps. */
export function audit(state: State, options: AuditOptions = {}): void {
  const walk = new Walk(state);
  for (const entry of state.catalogue.entries()) {
    if (entry.id >= state.catalogue.next) fail(`subvolume ${entry.id} is beyond the next id`);
    if (state.catalogue.named(entry.name)?.id !== entry.id) fail(`"${entry.name}" is not found`);
    if (entry.root === 0) continue;
    const { end } = walk.refer(entry.root, entry.family);
    const blocks = blocksOf(state, entry.size);
    if (end > blocks) fail(`"${entry.name}" of ${blocks} blocks maps up to block ${end}`);
  }
  for (const id of state.nodes.dead) walk.dead(id);
  walk.checkReferences();
  if (options.leaks) checkLeaks(state, walk.seen);
  auditSpace(state, walk.mapped, options.allocator);
}

/** Ids of all nodes that exist, found by trying every id that was ever given. */
export function existingNodes(state: State): number[] {
  const ids: number[] = [];
  for (let id = 1; id < state.nodes.next; id++) if (exists(state, id)) ids.push(id);
  return ids;
}

function exists(state: State, id: number): boolean {
  try {
    state.nodes.get(id);
    return true;
  } catch (error) {
    if (error instanceof BlockspaceError && error.message.includes("missing")) return false;
    throw error;
  }
}

function checkLeaks(state: State, reachable: ReadonlySet<number>): void {
  const lost = existingNodes(state).filter((id) => !reachable.has(id));
  if (lost.length > 0) fail(`nothing refers to the nodes ${lost.join(", ")}`);
}

/** What a node maps: its first vblock and the one behind its last. */
interface Span {
  first: number;
  end: number;
}

class Walk {
  /** By segment: how many leaves refer to each block. */
  readonly mapped = new Map<number, Uint32Array>();
  readonly #state: State;
  readonly #spans = new Map<number, Span>();
  readonly #families = new Map<number, number | undefined>();
  readonly #incoming = new Map<number, number>();
  readonly #dead = new Set<number>();

  constructor(state: State) {
    this.#state = state;
  }

  get seen(): ReadonlySet<number> {
    return new Set(this.#families.keys());
  }

  /** One more parent or root refers to the node. */
  refer(id: number, family: number | undefined): Span {
    this.#incoming.set(id, (this.#incoming.get(id) ?? 0) + 1);
    return this.#visit(id, family);
  }

  dead(id: number): void {
    if (this.#dead.has(id)) fail(`node ${id} is dead twice`);
    this.#dead.add(id);
    this.#visit(id, undefined);
  }

  checkReferences(): void {
    const { nodes } = this.#state;
    for (const id of this.#families.keys()) {
      const incoming = this.#incoming.get(id) ?? 0;
      // A dead node keeps no count: as it stands, it looks as if it had one reference.
      const expected = this.#dead.has(id) ? 1 : incoming;
      if (this.#dead.has(id) && incoming > 0) fail(`dead node ${id} has ${incoming} references`);
      if (nodes.references(id) !== expected) {
        fail(`node ${id} has ${expected} references, not ${nodes.references(id)}`);
      }
    }
  }

  #visit(id: number, family: number | undefined): Span {
    if (this.#families.has(id)) {
      const known = this.#families.get(id);
      if (family !== undefined && known !== undefined && known !== family) {
        fail(`node ${id} belongs to the families ${known} and ${family}`);
      }
      return this.#spans.get(id) ?? fail(`node ${id} is below itself`);
    }
    this.#families.set(id, family);
    const { nodes } = this.#state;
    if (id <= 0 || id >= nodes.next) fail(`node ${id} is beyond the next id ${nodes.next}`);
    const node = nodes.get(id);
    if (node.count < 1 || node.count > nodes.capacity) fail(`node ${id} has ${node.count} entries`);
    const span = isLeaf(node) ? this.#leaf(id, node, family) : this.#branch(id, node, family);
    this.#spans.set(id, span);
    return span;
  }

  #branch(id: number, branch: Branch, family: number | undefined): Span {
    let end = 0;
    for (let i = 0; i < branch.count; i++) {
      const child = branch.children[i]!;
      const span = this.refer(child, family);
      const { level } = this.#state.nodes.get(child);
      if (level !== branch.level - 1) fail(`node ${child} of level ${level} is below node ${id}`);
      if (branch.keys[i] !== span.first) {
        fail(`key ${i} of node ${id} is ${branch.keys[i]}, not ${span.first}`);
      }
      if (span.first < end) fail(`children ${i - 1} and ${i} of node ${id} overlap`);
      end = span.end;
    }
    return { first: branch.keys[0]!, end };
  }

  #leaf(id: number, leaf: Leaf, family: number | undefined): Span {
    let end = 0;
    let owner = family;
    for (let i = 0; i < leaf.count; i++) {
      const start = leaf.vblocks[i]!;
      const count = leaf.lengths[i]! & LENGTH_MASK;
      if (count === 0) fail(`extent ${i} of node ${id} is empty`);
      if (start < end) fail(`extents ${i - 1} and ${i} of node ${id} overlap`);
      const written = (leaf.lengths[i]! & UNWRITTEN) === 0;
      owner = this.#extent(id, { vblock: start, pblock: leaf.pblocks[i]!, count, written }, owner);
      end = start + count;
    }
    return { first: leaf.vblocks[0]!, end };
  }

  /** Checks every block of an extent, and returns the family that they belong to. */
  #extent(
    id: number,
    extent: { vblock: number; pblock: number; count: number; written: boolean },
    family: number | undefined,
  ): number {
    const { segmentBlocks, capacityBlocks } = this.#state.geometry;
    const { vblock, pblock, count, written } = extent;
    const segment = Math.floor(pblock / segmentBlocks);
    const index = pblock % segmentBlocks;
    const where = `the extent at vblock ${vblock} of node ${id}`;
    if (index + count > segmentBlocks) fail(`${where} crosses a segment`);
    if (pblock + count > capacityBlocks) fail(`${where} ends beyond the capacity`);
    const record = this.#state.segments.record(segment) ?? fail(`${where} has no segment record`);
    const mapped = this.#counts(segment);
    const owner = family ?? record.families.get(index);
    for (let i = 0; i < count; i++) {
      const at = index + i;
      mapped[at]! += 1;
      if (record.families.get(at) !== owner || record.vblocks.get(at) !== vblock + i) {
        const found = `family ${record.families.get(at)}, vblock ${record.vblocks.get(at)}`;
        fail(`block ${pblock + i} in ${where} (family ${owner}) belongs to ${found}`);
      }
      if (written && record.written[at] !== 1) fail(`block ${pblock + i} in ${where} is unwritten`);
    }
    return owner;
  }

  #counts(segment: number): Uint32Array {
    let counts = this.mapped.get(segment);
    if (!counts) {
      counts = new Uint32Array(this.#state.geometry.segmentBlocks);
      this.mapped.set(segment, counts);
    }
    return counts;
  }
}
