/**
 * Holds everything that an image counts against what its maps refer to, from both ends: what the
 * maps use must be counted (or it will be given away while in use), and what is counted must be
 * used (or it is lost to everybody).
 */
import type { Column } from "../format/column.ts";
import { kinds, PAGE_ENTRIES } from "../format/checkpoint-values.ts";
import { addressOf, blocksIn, type Geometry } from "../space/geometry.ts";
import type { Contents } from "./contents.ts";
import type { Report } from "./findings.ts";
import type { Image } from "./image.ts";
import { Survey } from "./survey.ts";

/** What an image needs to be checked. */
export interface CheckedImage {
  image: Image;
  contents: Contents;
  geometry: Geometry;
}

/** Every contradiction within an image. */
export function crossCheck({ image, contents, geometry }: CheckedImage, report: Report): void {
  const survey = new Survey(contents, geometry, report).run();
  checkNodes(contents, survey, report);
  checkSpace(contents, geometry, survey, report);
  if (contents.state) checkState(image, contents, report);
}

function checkNodes(contents: Contents, survey: Survey, report: Report): void {
  const { nodes, references, state } = contents;
  const dead = new Set(contents.dead);
  for (const id of nodes.keys()) {
    const value = `node ${id}`;
    if (state && (id === 0 || id >= state.nextNode)) {
      report("C010", `map node ${id} has an id that was never given`, { value });
    }
    if (!survey.visited.has(id)) report("X014", `nothing refers to map node ${id}`, { value });
  }
  for (const [id, count] of survey.incoming) {
    const stored = references.get(id) ?? 1;
    const value = `node ${id}`;
    if (stored < count) {
      report("X012", `map node ${id} has ${count} references, and ${stored} are counted`, {
        value,
      });
    } else if (stored > count && !dead.has(id)) {
      report("X013", `map node ${id} has ${count} references, and ${stored} are counted`, {
        value,
      });
    }
  }
  for (const id of references.keys()) {
    if (survey.incoming.has(id)) continue;
    report("X013", `references are counted for map node ${id}, which has none`, {
      value: `nodeReferences ${id}`,
    });
  }
}

function checkSpace(contents: Contents, geometry: Geometry, survey: Survey, report: Report): void {
  for (let segment = 0; segment < geometry.segments; segment++) {
    const record = contents.segments.get(segment);
    const counted = survey.blocks.counted(segment);
    const live = contents.live[segment]!;
    const busy = contents.busy.get(segment);
    if (!record && !counted && live === 0 && !busy) continue;
    checkReferences(geometry, segment, { stored: record?.refs, counted }, report);
    const value = `segment ${segment}`;
    let stored = 0;
    for (const references of record?.refs ?? []) if (references > 0) stored++;
    if (record !== null && live !== stored && (record || !counted)) {
      const what = `segment ${segment} has ${stored} blocks in use, and ${live} are counted`;
      report("X015", what, { value });
    }
    if (busy) checkBusy(geometry, segment, busy, record?.refs, report);
  }
}

function checkReferences(
  geometry: Geometry,
  segment: number,
  { stored, counted }: { stored: Column | undefined; counted: Uint32Array | undefined },
  report: Report,
): void {
  if (!stored) return;
  const { segmentBlocks, blockSize } = geometry;
  const inside = blocksIn(geometry, segment);
  const verdict = (i: number): "X008" | "X009" | "X017" | undefined => {
    const [has, uses] = [stored.get(i), counted?.[i] ?? 0];
    if (i >= inside && has > 0) return "X017";
    return has < uses ? "X008" : has > uses ? "X009" : undefined;
  };
  for (let i = 0; i < segmentBlocks;) {
    const id = verdict(i);
    let end = i + 1;
    while (end < segmentBlocks && verdict(end) === id) end++;
    if (id) {
      const pblock = segment * segmentBlocks + i;
      const blocks = { address: addressOf(geometry, pblock), length: (end - i) * blockSize };
      const what =
        id === "X017"
          ? "beyond the capacity has references"
          : `has ${counted?.[i] ?? 0} references, and ${stored.get(i)} are counted`;
      const atRisk = id === "X008" ? blocks.length : 0;
      report(id, `block ${pblock} + ${end - i} ${what}`, { blocks }, atRisk);
    }
    i = end;
  }
}

function checkBusy(
  geometry: Geometry,
  segment: number,
  busy: Uint8Array,
  refs: Column | undefined,
  report: Report,
): void {
  const inside = blocksIn(geometry, segment);
  for (let i = 0; i < busy.length * 8; i++) {
    if (((busy[i >> 3]! >> (i & 7)) & 1) === 0) continue;
    const pblock = segment * geometry.segmentBlocks + i;
    const value = `busy ${segment}`;
    if (i >= inside) report("X017", `block ${pblock} beyond the capacity is busy`, { value });
    else if (refs && refs.get(i) > 0)
      report("X016", `block ${pblock} is in use and busy at once`, { value });
  }
}

/** The counters of the state value are those of the other values. */
function checkState(image: Image, contents: Contents, report: Report): void {
  const state = contents.state!;
  let allocated = 0;
  for (const live of contents.live) allocated += live;
  const expect = (what: string, says: number, is: number): void => {
    if (says === is) return;
    report("C009", `the state value says ${says} for ${what}, and there are ${is}`, {
      value: "state 0",
    });
  };
  expect("allocated blocks", state.allocatedBlocks, allocated);
  expect("subvolumes", state.subvolumes, image.count(kinds.subvolume));
  expect("dead nodes", state.deadNodes, contents.dead.length);
  expect("changed keys", state.changedKeys, contents.changedKeys.length);
  expect("busy segments", state.busySegments, image.count(kinds.busy));
  if (contents.closing) expect("the last commit", state.lsn, contents.closing.lsn);
  for (const id of contents.subvolumes.keys()) {
    if (id > 0 && id < state.nextSubvolume) continue;
    report("C010", `subvolume ${id} has an id that was never given`, { value: `subvolume ${id}` });
  }
  if (contents.changedKeys.length > PAGE_ENTRIES * image.count(kinds.changedKeys)) {
    report("C011", "there are more changed keys than fit on their pages");
  }
}
