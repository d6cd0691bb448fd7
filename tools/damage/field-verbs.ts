/**
 * Damage that no checksum notices: a field of a checkpoint's value is changed, and seal, count and
 * digest are made right again, as a bug of ours or somebody with intent would have it.
 */
import {
  decodeLivePage,
  decodeNumberPage,
  decodeSubvolume,
  encodeLivePage,
  encodeNumberPage,
  encodeSubvolume,
  kinds,
  referencesStruct,
  stateValueStruct,
  type StateValue,
  type SubvolumeEntry,
} from "../../src/format/checkpoint-values.ts";
import { decodeNode, encodeNode, isLeaf, type MapNode } from "../../src/format/map-node.ts";
import { open as openSealed, seal } from "../../src/format/sealed-value.ts";
import {
  decodeSegmentRecord,
  encodeSegmentRecord,
  type SegmentRecord,
} from "../../src/format/segment-record.ts";
import { decodeClosing } from "../../src/format/closing-record.ts";
import type { Image } from "../../src/fsck/image.ts";
import { below, pick, type Random } from "./random.ts";

/** Changes a value of an image; false when there is none of its sort. */
export type FieldVerb = (image: Image, random: Random) => boolean;

/** Another number in place of one: its neighbours, the ends, a single bit. */
export function otherNumber(random: Random, value: number, bits: number): number {
  const most = 2 ** Math.min(bits, 53) - 1;
  const bit = 2 ** below(random, Math.min(bits, 48));
  const flipped = Math.floor(value / bit) % 2 === 1 ? value - bit : value + bit;
  const candidates = [0, 1, most, value + 1, value - 1, flipped, below(random, most)];
  return pick(
    random,
    candidates.filter((one) => one >= 0 && one <= most && one !== value),
  );
}

const NODE_ENTRIES = 10_000;

/** Changes one body of a kind; `change` returns false where it does not fit. */
function changing(
  kind: number,
  change: (body: Uint8Array, random: Random, id: number) => Uint8Array | false,
): FieldVerb {
  return (image, random) => {
    const values = image.scan(kind);
    for (let tries = 0; tries < 20 && values.length > 0; tries++) {
      const [id, value] = pick(random, values);
      const body = change(Uint8Array.from(openSealed(kind, id, value)), random, id);
      if (body === false) continue;
      image.set(kind, id, seal(kind, id, body));
      return true;
    }
    return false;
  };
}

function node(
  wanted: "leaf" | "branch",
  change: (node: MapNode, random: Random) => void,
): FieldVerb {
  return changing(kinds.node, (body, random) => {
    const decoded = decodeNode(body, NODE_ENTRIES);
    if (isLeaf(decoded) !== (wanted === "leaf")) return false;
    change(decoded, random);
    return encodeNode(decoded);
  });
}

function segment(
  change: (record: SegmentRecord, index: number, random: Random) => void,
  live = true,
): FieldVerb {
  return changing(kinds.segment, (body, random) => {
    const blocks = body[0]! + 256 * body[1]!;
    const record = decodeSegmentRecord(body, blocks);
    const indexes = [...record.written.keys()].filter((i) => record.refs.get(i) > 0 === live);
    if (indexes.length === 0) return false;
    change(record, pick(random, indexes), random);
    return encodeSegmentRecord(record);
  });
}

function state(change: (value: StateValue, random: Random) => void): FieldVerb {
  return changing(kinds.state, (body, random) => {
    const value = stateValueStruct.read(body, 0);
    change(value, random);
    stateValueStruct.write(body, 0, value);
    return body;
  });
}

function subvolume(
  change: (entry: SubvolumeEntry, random: Random, all: number) => Partial<SubvolumeEntry>,
): FieldVerb {
  return (image, random) =>
    changing(kinds.subvolume, (body) => {
      const entry = decodeSubvolume(body);
      return encodeSubvolume({ ...entry, ...change(entry, random, image.count(kinds.subvolume)) });
    })(image, random);
}

function removing(kind: number): FieldVerb {
  return (image, random) => {
    const values = image.scan(kind);
    if (values.length === 0) return false;
    image.delete(kind, pick(random, values)[0]);
    return true;
  };
}

export const fieldVerbs: Readonly<Record<string, FieldVerb>> = {
  "leaf pblock": node("leaf", (leaf, random) => {
    if (!isLeaf(leaf)) return;
    const i = below(random, leaf.count);
    leaf.pblocks[i] = otherNumber(random, leaf.pblocks[i]!, 32);
  }),
  "leaf vblock": node("leaf", (leaf, random) => {
    if (isLeaf(leaf)) leaf.vblocks[leaf.count - 1]! += 1 + below(random, 4);
  }),
  "leaf length": node("leaf", (leaf, random) => {
    if (isLeaf(leaf)) leaf.lengths[leaf.count - 1]! += 1 + below(random, 3);
  }),
  "leaf entry lost": node("leaf", (leaf) => {
    if (leaf.count > 1) leaf.count--;
  }),
  "branch key": node("branch", (branch, random) => {
    if (!isLeaf(branch)) branch.keys[branch.count - 1]! += 1 + below(random, 8);
  }),
  "branch child": node("branch", (branch, random) => {
    if (isLeaf(branch)) return;
    const i = below(random, branch.count);
    branch.children[i] = otherNumber(random, branch.children[i]!, 48);
  }),
  "branch sibling": node("branch", (branch) => {
    if (!isLeaf(branch)) branch.children[0] = branch.children[branch.count - 1]!;
  }),
  "node level": changing(kinds.node, (body) => {
    body[0] = body[0] === 0 ? 1 : body[0]! + 1;
    return body;
  }),
  "node gone": removing(kinds.node),
  "node rotten": changing(kinds.node, (body) => body.subarray(0, body.length - 5)),
  "references more": changing(kinds.nodeReferences, (body) => {
    const { references } = referencesStruct.read(body, 0);
    referencesStruct.write(body, 0, { references: references + 1 });
    return body;
  }),
  "references gone": removing(kinds.nodeReferences),
  "segment refs more": segment((record, i) => {
    record.refs.set(i, record.refs.get(i) + 1);
  }),
  "segment refs fewer": segment((record, i) => {
    record.refs.set(i, record.refs.get(i) - 1);
  }),
  "segment leak": segment((record, i) => {
    record.refs.set(i, 1);
    record.families.set(i, Math.max(...record.families, 1));
  }, false),
  "segment family": segment((record, i) => {
    record.families.set(i, record.families.get(i) + 1);
  }),
  "segment vblock": segment((record, i, random) => {
    record.vblocks.set(i, record.vblocks.get(i) + 1 + below(random, 5));
  }),
  "segment unwritten": segment((record, i) => {
    record.written[i]! ^= 1;
  }),
  "segment gone": removing(kinds.segment),
  "segment rotten": changing(kinds.segment, (body) => body.subarray(0, body.length - 3)),
  "live count": changing(kinds.segmentLive, (body, random) => {
    const counts = decodeLivePage(body, body.length / 2);
    counts[below(random, counts.length)]! += 1;
    return encodeLivePage(counts);
  }),
  "live gone": removing(kinds.segmentLive),
  "busy live": changing(kinds.busy, (body) => body.fill(0xff)),
  "dead added": (image, random) => {
    const nodes = image.scan(kinds.node);
    if (nodes.length === 0 || image.count(kinds.deadNodes) > 0) return false;
    const body = encodeNumberPage([pick(random, nodes)[0]]);
    image.set(kinds.deadNodes, 0, seal(kinds.deadNodes, 0, body));
    return true;
  },
  "changed keys": changing(kinds.changedKeys, (body) => {
    const numbers = decodeNumberPage(body);
    return numbers.length > 1 && encodeNumberPage(numbers.slice(0, -1));
  }),
  "state allocated": state((value, random) => {
    value.allocatedBlocks = otherNumber(random, value.allocatedBlocks, 32);
  }),
  "state subvolumes": state((value, random) => {
    value.subvolumes = otherNumber(random, value.subvolumes, 16);
  }),
  "state next node": state((value) => {
    value.nextNode = 1;
  }),
  "state next subvolume": state((value) => {
    value.nextSubvolume = 1;
  }),
  "state journal checksum": state((value, random) => {
    value.journalChecksum = otherNumber(random, value.journalChecksum, 32);
  }),
  "state lsn": state((value, random) => {
    value.lsn = otherNumber(random, value.lsn, 20);
  }),
  "state gone": removing(kinds.state),
  "subvolume root": subvolume((entry, random) => ({ root: otherNumber(random, entry.root, 48) })),
  "subvolume smaller": subvolume(() => ({ size: 512 })),
  "subvolume empty": subvolume(() => ({ size: 0 })),
  "subvolume family": subvolume((entry) => ({ family: entry.family + 1 })),
  "subvolume source": subvolume((entry) => ({ source: entry.id + 1 })),
  "subvolume name": subvolume(() => ({ name: "bell\u0007" })),
  "subvolume twin name": (image, random) => {
    const [first] = image.scan(kinds.subvolume);
    if (!first || image.count(kinds.subvolume) < 2) return false;
    const { name, id } = decodeSubvolume(openSealed(kinds.subvolume, first[0], first[1]));
    return changing(kinds.subvolume, (body) => {
      const entry = decodeSubvolume(body);
      return entry.id !== id && encodeSubvolume({ ...entry, name });
    })(image, random);
  },
  "subvolume gone": removing(kinds.subvolume),
  "subvolume rotten": changing(kinds.subvolume, (body) => body.subarray(0, body.length - 1)),
};

/** Count and digest of the closing record made right again, if it can be read. */
export function makeRight(image: Image): void {
  const value = image.closing;
  if (!value) return;
  const { epoch, lsn } = decodeClosing(value);
  image.close(epoch, lsn);
}
