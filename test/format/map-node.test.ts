/** Map nodes as they lie in a checkpoint: read back as written, impossible ones refused. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Branch,
  copyNode,
  decodeNode,
  encodeNode,
  entriesPerNode,
  isLeaf,
  type Leaf,
  type MapNode,
  newBranch,
  newLeaf,
  nodeHeaderStruct,
  UNWRITTEN,
} from "../../src/format/map-node.ts";
import { SEAL_BYTES } from "../../src/format/sealed-value.ts";
import { expectFrugal, u32, u48 } from "./samples.ts";

const CAPACITY = 12;
const HEADER = nodeHeaderStruct.size;

interface Extent {
  gap: number;
  pblock: number;
  length: number;
  unwritten: boolean;
}

function leafOf(extents: readonly Extent[]): Leaf {
  const leaf = newLeaf(CAPACITY);
  let vblock = 0;
  for (const { gap, pblock, length, unwritten } of extents) {
    vblock += gap;
    leaf.vblocks[leaf.count] = vblock;
    leaf.pblocks[leaf.count] = pblock;
    leaf.lengths[leaf.count] = length | (unwritten ? UNWRITTEN : 0);
    leaf.count++;
    vblock += length;
  }
  return leaf;
}

function branchOf(level: number, entries: readonly (readonly [number, number])[]): Branch {
  const branch = newBranch(level, CAPACITY);
  for (const [key, child] of entries) {
    branch.keys[branch.count] = key;
    branch.children[branch.count] = child;
    branch.count++;
  }
  return branch;
}

const leaves: fc.Arbitrary<MapNode> = fc
  .array(
    fc.record({
      gap: fc.nat({ max: 2 ** 44 }),
      pblock: u32,
      length: fc.integer({ min: 1, max: 0x7fff }),
      unwritten: fc.boolean(),
    }),
    { minLength: 1, maxLength: CAPACITY },
  )
  .map(leafOf);

const branches: fc.Arbitrary<MapNode> = fc
  .tuple(
    fc.integer({ min: 1, max: 255 }),
    fc.uniqueArray(u48, { minLength: 1, maxLength: CAPACITY }),
    fc.array(u48, { minLength: CAPACITY, maxLength: CAPACITY }),
  )
  .map(([level, keys, children]) =>
    branchOf(
      level,
      keys.toSorted((a, b) => a - b).map((key, i) => [key, children[i]!]),
    ),
  );

const two: Extent[] = [
  { gap: 5, pblock: 100, length: 3, unwritten: false },
  { gap: 1, pblock: 200, length: 4, unwritten: true },
];

/** The node of two extents with its bytes changed. */
function altered(change: (body: Buffer) => void): Buffer {
  const body = Buffer.from(encodeNode(leafOf(two)));
  change(body);
  return body;
}

describe("a map node", () => {
  it("reads back as written", () => {
    fc.assert(
      fc.property(fc.oneof(leaves, branches), (node) => {
        expect(decodeNode(encodeNode(node), CAPACITY)).toEqual(node);
        expect(copyNode(node)).toEqual(node);
      }),
    );
  });

  it("fits with its seal into a node of every size, when it is full", () => {
    for (const nodeSize of [60, 512, 4080, 65_536]) {
      const entries = entriesPerNode(nodeSize);
      expect(HEADER + entries * 12 + SEAL_BYTES).toBeLessThanOrEqual(nodeSize);
      expect(HEADER + (entries + 1) * 12 + SEAL_BYTES).toBeGreaterThan(nodeSize);
    }
    expect(entriesPerNode(60)).toBe(4);
  });

  it("keeps its extents in columns: vblocks, pblocks, lengths", () => {
    const body = Buffer.from(encodeNode(leafOf(two)));
    expect(body.toString("hex")).toBe(
      "00000200 00000000 050000000000 090000000000 64000000 c8000000 0300 0480".replaceAll(" ", ""),
    );
  });

  it("is refused at every other length", () => {
    const body = encodeNode(leafOf(two));
    for (let length = 0; length < body.length; length++) {
      expect(() => decodeNode(body.subarray(0, length), CAPACITY)).toThrow(/^ECORRUPT/);
    }
    expect(() => decodeNode(Buffer.concat([body, Buffer.alloc(1)]), CAPACITY)).toThrow(/^ECORRUPT/);
  });

  it.each<[string, (body: Buffer) => void]>([
    ["no entries", (body) => body.writeUInt16LE(0, 2)],
    ["more entries than it has bytes for", (body) => body.writeUInt16LE(3, 2)],
    ["65535 entries", (body) => body.writeUInt16LE(0xffff, 2)],
    ["something in its reserved bytes", (body) => body.writeUInt8(1, 7)],
    ["an extent of no blocks", (body) => body.writeUInt16LE(0, 28)],
    ["an unwritten extent of no blocks", (body) => body.writeUInt16LE(UNWRITTEN, 30)],
    ["extents that overlap", (body) => body.writeUInt16LE(5, 28)],
    ["extents out of order", (body) => body.writeUInt8(20, 8)],
  ])("with %s is refused", (_, change) => {
    const body = altered(change);
    expectFrugal(() => expect(() => decodeNode(body, CAPACITY)).toThrow(/^ECORRUPT/));
  });

  it("with keys out of order, or twice the same, is refused as a branch too", () => {
    for (const second of [3, 5]) {
      const body = encodeNode(
        branchOf(1, [
          [5, 1],
          [second, 2],
        ]),
      );
      expect(() => decodeNode(body, CAPACITY)).toThrow(/^ECORRUPT: entry 0 of a map node/);
    }
  });

  it("with more entries than a node of this store holds is refused", () => {
    const body = encodeNode(leafOf([...two, ...two, ...two]));
    expect(() => decodeNode(body, 5)).toThrow("ECORRUPT: a map node of 6 entries");
    expect(isLeaf(decodeNode(body, 6))).toBe(true);
  });
});
