/**
 * The catalogue, mended: names and sizes that can be, and entries for maps whose own entry is lost.
 */
import { MAX_ID } from "../format/checkpoint-key.ts";
import type { SubvolumeEntry } from "../format/checkpoint-values.ts";
import { isLeaf, LENGTH_MASK } from "../format/map-node.ts";
import type { Geometry } from "../space/geometry.ts";
import type { Contents } from "./contents.ts";
import { nameProblem } from "./graph.ts";
import type { Loss } from "./loss.ts";

/** The greatest end that a map may have. */
const MAX_BLOCKS: number = MAX_ID + 1;

/** The entries that make sense, each under a name of its own. */
export function mendCatalogue(
  contents: Contents,
  geometry: Geometry,
  twins: readonly Contents[],
  losses: Loss[],
): SubvolumeEntry[] {
  const names = new Set<string>();
  const entries: SubvolumeEntry[] = [];
  for (const entry of [...contents.subvolumes.values()].toSorted((a, b) => a.id - b.id)) {
    if (entry.id === 0) continue;
    const bad = names.has(entry.name) || nameProblem(entry.name) !== undefined;
    const name = bad ? `lost+found/subvolume-${entry.id}` : entry.name;
    names.add(name);
    if (bad) {
      losses.push({
        kind: "renamed",
        subvolume: name,
        note: `it was ${JSON.stringify(entry.name)}`,
      });
    }
    const sound = entry.size > 0 && entry.family > 0;
    const found = sound ? undefined : describeMap(contents, entry.root);
    const before = twins.map(({ subvolumes }) => subvolumes.get(entry.id)?.size ?? 0);
    const size = entry.size > 0 ? entry.size : Math.max(geometry.blockSize, ...before);
    if (size !== entry.size) {
      const note = `it had a size of ${entry.size} bytes; it has ${size} now`;
      losses.push({ kind: "resized", subvolume: name, note });
    }
    const family = entry.family > 0 ? entry.family : (found?.family ?? entry.id);
    const source = entry.source < entry.id ? entry.source : 0;
    entries.push({ ...entry, name, size, family, source });
  }
  return entries;
}

export interface Recovery {
  contents: Contents;
  geometry: Geometry;
  twins: readonly Contents[];
  entries: readonly SubvolumeEntry[];
  reached: ReadonlySet<number>;
  losses: Loss[];
  nextId: () => number;
}

/** Entries for the maps of subvolumes whose values are lost; their nodes belong to nobody now. */
export function recoverSubvolumes(recovery: Recovery): SubvolumeEntry[] {
  const { contents, geometry, twins, entries, losses } = recovery;
  const expected = contents.state?.subvolumes ?? 0;
  if (contents.lostSubvolumes.length === 0 && expected <= contents.subvolumes.size) return [];
  const missing = Math.max(contents.lostSubvolumes.length, expected - contents.subvolumes.size);
  if (missing > 0) {
    const ids = contents.lostSubvolumes.join(", ");
    const which = ids === "" ? "" : ` (number ${ids})`;
    losses.push({ kind: "gone", note: `names and sizes of ${missing} subvolumes${which}` });
  }
  const tops = orphanTops(contents, recovery.reached);
  const found: SubvolumeEntry[] = [];
  const taken = new Set(entries.map(({ name }) => name));
  for (const twin of twins.flatMap(({ subvolumes }) => [...subvolumes.values()])) {
    const known = entries.some(({ id }) => id === twin.id) || taken.has(twin.name);
    if (known || found.some(({ id }) => id === twin.id)) continue;
    if (!tops.delete(twin.root)) continue;
    taken.add(twin.name);
    found.push(twin);
  }
  for (const root of tops) {
    const { end, family } = describeMap(contents, root);
    if (family === undefined) continue;
    const id = recovery.nextId();
    const name = `lost+found/map-${id}`;
    const size = end * geometry.blockSize;
    found.push({ id, name, size, readOnly: true, source: 0, family, root, created: 0 });
    const note = "the map of a subvolume whose name is lost";
    losses.push({ kind: "orphans", subvolume: name, offset: 0, length: size, note });
  }
  return found;
}

/** Nodes that nothing refers to, but for those that await reclaim. */
function orphanTops(contents: Contents, reached: ReadonlySet<number>): Set<number> {
  const dead = new Set(contents.dead);
  const below = new Set<number>();
  const tops = new Set<number>();
  for (const [id, node] of contents.nodes) {
    if (!node || reached.has(id)) continue;
    if (!dead.has(id)) tops.add(id);
    if (isLeaf(node)) continue;
    for (const child of node.children.subarray(0, node.count)) below.add(child);
  }
  for (const id of below) tops.delete(id);
  return tops;
}

/** Where a map ends, and whose its blocks are, as far as its nodes make sense. */
function describeMap(
  contents: Contents,
  root: number,
): { end: number; family: number | undefined } {
  let end = 0;
  let family: number | undefined;
  const seen = new Set<number>();
  const waiting = [root];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    const node = contents.nodes.get(id);
    if (!node || seen.has(id)) continue;
    seen.add(id);
    for (let i = 0; i < node.count; i++) {
      if (!isLeaf(node)) waiting.push(node.children[i]!);
      else {
        end = Math.max(end, node.vblocks[i]! + (node.lengths[i]! & LENGTH_MASK));
        family ??= ownerOf(contents, node.pblocks[i]!);
      }
    }
  }
  return { end: Math.min(end, MAX_BLOCKS), family };
}

function ownerOf(contents: Contents, pblock: number): number | undefined {
  for (const [segment, record] of contents.segments) {
    const index = pblock - segment * (record?.refs.length ?? 0);
    if (!record || index < 0 || index >= record.refs.length) continue;
    return record.refs.get(index) > 0 ? record.families.get(index) : undefined;
  }
  return undefined;
}
