/**
 * The one place where state changes. The live host and replay both call it with the same records in
 * the same order, so the state at run time and the state after replay are equal (promise I2).
 *
 * `apply` is deterministic and synchronous: it reads nothing but the state and the record. When it
 * throws, the record was damaged or the checkpoint is, and the state is not to be used any more.
 */
import { BlockspaceError } from "../base/errors.ts";
import { MAX_SUBVOLUME_ID, type SubvolumeEntry } from "../format/checkpoint-values.ts";
import type { Commit } from "../format/journal-frame.ts";
import type {
  ConvertRecord,
  JournalRecord,
  RelocateRecord,
  RemapRecord,
  ShareRecord,
} from "../format/records.ts";
import { dismantle } from "../map/dismantle.ts";
import { replaceRange } from "../map/edit.ts";
import { relocateUnder } from "../map/relocate.ts";
import { VblockSet } from "../map/vblock-set.ts";
import type { State } from "./state.ts";

/** Applies the next commit. */
export function applyCommit(state: State, commit: Commit): void {
  if (commit.lsn !== state.lsn + 1) {
    throw new BlockspaceError("ECORRUPT", `commit ${commit.lsn} follows ${state.lsn}`, {
      lsn: commit.lsn,
    });
  }
  for (const record of commit.records) apply(state, record);
  state.lsn = commit.lsn;
}

/**
 * Applies a commit while it is made: `produce` emits its records, and each is applied before the
 * next is asked for, since where a block goes depends on where the last one went. Returns them all.
 */
export function produceCommit(
  state: State,
  produce: (emit: (record: JournalRecord) => void) => void,
): JournalRecord[] {
  const records: JournalRecord[] = [];
  produce((record) => {
    apply(state, record);
    records.push(record);
  });
  state.lsn++;
  return records;
}

/** Applies one record. */
function apply(state: State, record: JournalRecord): void {
  switch (record.type) {
    case "remap":
      return remap(state, record);
    case "convert":
      return convert(state, record);
    case "unmap":
      return unmap(state, record.subvolume, record.vblock, record.count);
    case "create":
      return create(state, record.subvolume, record.name, record.size, record.created);
    case "snapshot":
    case "clone":
      return share(state, record);
    case "rollback":
      return rollback(state, record.subvolume, record.source);
    case "rename":
      return change(state, record.subvolume, { name: record.name });
    case "delete":
      return remove(state, record.subvolume);
    case "resize":
      return resize(state, record.subvolume, record.size);
    case "reclaim":
      return reclaim(state, record.nodes);
    case "relocate":
      return relocate(state, record);
  }
}

function change(state: State, id: number, fields: Partial<SubvolumeEntry>): void {
  state.catalogue.set({ ...state.catalogue.require(id), ...fields });
}

/** Number of blocks of a subvolume; the last one may reach beyond its size. */
export function blocksOf(state: State, size: number): number {
  return Math.ceil(size / state.geometry.blockSize);
}

function checkInside(state: State, entry: SubvolumeEntry, vblock: number, count: number): void {
  if (count === 0 || vblock + count > blocksOf(state, entry.size)) {
    throw new BlockspaceError(
      "ECORRUPT",
      `a record maps blocks ${vblock} + ${count} beyond subvolume "${entry.name}"`,
    );
  }
}

/** Before any block is looked at: a record of nobody may name four thousand million of them. */
function checkOneSegment(state: State, pblock: number, count: number): void {
  const { segmentBlocks } = state.geometry;
  if ((pblock % segmentBlocks) + count <= segmentBlocks) return;
  throw new BlockspaceError("ECORRUPT", `blocks ${pblock} + ${count} are not in one segment`);
}

function replace(
  state: State,
  entry: SubvolumeEntry,
  vblock: number,
  count: number,
  insertion: { pblock: number; unwritten: boolean } | null,
): void {
  const root = replaceRange(state.tree, entry.root, vblock, vblock + count, insertion);
  if (root !== entry.root) state.catalogue.set({ ...entry, root });
}

function remap(state: State, record: RemapRecord): void {
  const entry = state.catalogue.require(record.subvolume);
  const { vblock, pblock, count, checksums } = record;
  checkInside(state, entry, vblock, count);
  checkOneSegment(state, pblock, count);
  state.segments.claim(pblock, count, { family: entry.family, vblock }, checksums);
  replace(state, entry, vblock, count, { pblock, unwritten: checksums === null });
}

/** The blocks stay; they are retained for the new extent before the old one lets them go. */
function convert(state: State, record: ConvertRecord): void {
  const entry = state.catalogue.require(record.subvolume);
  const { vblock, pblock, count, checksums } = record;
  checkInside(state, entry, vblock, count);
  checkOneSegment(state, pblock, count);
  state.segments.retain(pblock, count);
  replace(state, entry, vblock, count, { pblock, unwritten: false });
  state.segments.write(pblock, checksums);
}

function unmap(state: State, id: number, vblock: number, count: number): void {
  replace(state, state.catalogue.require(id), vblock, count, null);
}

function create(state: State, id: number, name: string, size: number, created: number): void {
  checkNewId(state, id);
  const entry = { id, name, size, readOnly: false, source: 0, family: id, root: 0, created };
  state.catalogue.set(entry);
}

function share(state: State, record: ShareRecord): void {
  checkNewId(state, record.subvolume);
  const source = state.catalogue.require(record.source);
  if (source.root !== 0) state.nodes.retain(source.root);
  state.catalogue.set({
    ...source,
    id: record.subvolume,
    name: record.name,
    readOnly: record.type === "snapshot",
    source: source.id,
    created: record.created,
  });
}

function checkNewId(state: State, id: number): void {
  if (id < state.catalogue.next) {
    throw new BlockspaceError("ECORRUPT", `a record creates subvolume ${id} a second time`);
  }
  if (id > MAX_SUBVOLUME_ID) {
    throw new BlockspaceError("ECORRUPT", `a record creates subvolume ${id}, which can be none`);
  }
}

/** With the blocks of its source a subvolume takes their family, since that is who owns them. */
function rollback(state: State, id: number, sourceId: number): void {
  const target = state.catalogue.require(id);
  const { root, size, family } = state.catalogue.require(sourceId);
  if (root !== 0) state.nodes.retain(root);
  if (target.root !== 0) state.nodes.release(target.root);
  state.catalogue.set({ ...target, root, size, family });
}

function remove(state: State, id: number): void {
  const { root } = state.catalogue.require(id);
  if (root !== 0) state.nodes.release(root);
  state.catalogue.delete(id);
}

function resize(state: State, id: number, size: number): void {
  const entry = state.catalogue.require(id);
  const before = blocksOf(state, entry.size);
  const after = blocksOf(state, size);
  if (after < before) unmap(state, id, after, before - after);
  change(state, id, { size });
}

function reclaim(state: State, nodes: number): void {
  for (let i = 0; i < nodes; i++) {
    const id = state.nodes.dead.pop();
    if (id === undefined) return;
    dismantle(state.tree, id);
  }
}

/**
 * Moves the live blocks of a run. No dead node may be left: it might hold a reference that no root
 * leads to.
 */
function relocate(state: State, record: RelocateRecord): void {
  if (state.nodes.dead.length > 0) {
    throw new BlockspaceError("ECORRUPT", "blocks are relocated while map nodes await reclaim");
  }
  const { from, to, count } = record;
  const { segmentBlocks } = state.geometry;
  if (Math.max(from % segmentBlocks, to % segmentBlocks) + count > segmentBlocks) {
    throw new BlockspaceError("ECORRUPT", "a relocation crosses a segment");
  }
  const live = Array.from({ length: count }, (_, i) => from + i).filter(
    (pblock) => state.segments.references(pblock) > 0,
  );
  const owners = ownersOf(state, live);
  const move = { pblock: from, count, shift: to - from };
  const visited = new Set<number>();
  for (const [family, mine] of owners) {
    for (const root of state.catalogue.rootsOf(family)) {
      relocateUnder(state.tree, root, move, mine, visited);
    }
  }
  for (const pblock of live) state.segments.move(pblock, pblock + move.shift);
}

/** By family, where its subvolumes map these blocks. */
function ownersOf(state: State, pblocks: readonly number[]): Map<number, VblockSet> {
  const { segmentBlocks } = state.geometry;
  const owners = new Map<number, VblockSet>();
  for (const pblock of pblocks) {
    const record = state.segments.record(Math.floor(pblock / segmentBlocks))!;
    const family = record.families.get(pblock % segmentBlocks);
    let vblocks = owners.get(family);
    if (!vblocks) owners.set(family, (vblocks = new VblockSet()));
    vblocks.add(record.vblocks.get(pblock % segmentBlocks));
  }
  return owners;
}
