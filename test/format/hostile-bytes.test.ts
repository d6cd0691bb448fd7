/**
 * Values of a checkpoint whose seal is right and whose bytes are not: whatever they are, reading a
 * map node or a segment record ends in the value or in `ECORRUPT`, and takes little memory.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isBlockspaceError } from "../../src/base/errors.ts";
import { decodeNode, encodeNode, newBranch, newLeaf } from "../../src/format/map-node.ts";
import {
  decodeSegmentRecord,
  encodeSegmentRecord,
  newSegmentRecord,
} from "../../src/format/segment-record.ts";
import { expectFrugal } from "./samples.ts";

const CAPACITY = 16;
const BLOCKS = 24;

function sampleValues(): Uint8Array[] {
  const leaf = newLeaf(CAPACITY);
  const branch = newBranch(3, CAPACITY);
  for (let i = 0; i < 10; i++) {
    leaf.vblocks[i] = i * 70_000;
    leaf.pblocks[i] = i * 5;
    leaf.lengths[i] = 1 + i;
    branch.keys[i] = i * 9;
    branch.children[i] = 100 + i;
  }
  leaf.count = 10;
  branch.count = 10;
  const record = newSegmentRecord(BLOCKS);
  for (let i = 0; i < BLOCKS; i++) {
    record.refs.set(i, i % 3);
    record.families.set(i, 1 + (i % 4));
    record.vblocks.set(i, i * 1000);
  }
  return [encodeNode(leaf), encodeNode(branch), encodeSegmentRecord(record)];
}

function failureOf(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return error;
  }
}

const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 6 });
const mutated = fc.tuple(fc.constantFrom(...sampleValues()), changes).map(([sample, list]) => {
  const bytes = sample.slice();
  // Most of them in the header, which is where sizes are said.
  for (const [at, byte] of list) bytes[at % (at % 3 === 0 ? bytes.length : 16)] = byte;
  return bytes;
});
const random = fc.uint8Array({ maxLength: 400 });

describe("bytes that nobody wrote", () => {
  it.each([
    { what: "a map node", decode: (bytes: Uint8Array) => decodeNode(bytes, CAPACITY) },
    { what: "a segment record", decode: (bytes: Uint8Array) => decodeSegmentRecord(bytes, BLOCKS) },
  ])("are $what or damage", ({ decode }) => {
    fc.assert(
      fc.property(fc.oneof(random, mutated), (bytes) => {
        expectFrugal(() => {
          const failure = failureOf(() => decode(bytes));
          expect(failure === undefined || isBlockspaceError(failure, "ECORRUPT")).toBe(true);
        });
      }),
      { numRuns: 3000 },
    );
  });
});
