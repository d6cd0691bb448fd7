/**
 * Chunks hold every change, in order, and stay within their bounds however large or small the
 * changes are.
 */
import { describe, expect, it } from "vitest";
import { packChanges } from "../../src/checkpoint/change-chunks.ts";
import type { Change } from "../../src/checkpoint/environment.ts";
import { decodeKey } from "../../src/format/checkpoint-key.ts";
import { put, remove } from "./naive-closing.ts";

/** Reads a chunk as the worker does. */
function unpack(chunk: Uint8Array): Change[] {
  const bytes = Buffer.from(chunk);
  const changes: Change[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readInt32LE(at + 8);
    const end = at + 12 + Math.max(length, 0);
    const value = length < 0 ? null : new Uint8Array(bytes.subarray(at + 12, end));
    changes.push({ ...decodeKey(bytes.subarray(at, at + 8)), value });
    at = end;
  }
  return changes;
}

describe("chunks of changes", () => {
  it("hold all changes in order", () => {
    const changes = Array.from({ length: 3000 }, (_, i) =>
      i % 3 === 0 ? remove(2, i) : put(3, i * 2 ** 30, i % 100, i % 256),
    );
    expect([...packChanges(changes)].flatMap(unpack)).toEqual(changes);
  });

  it("are of at most 256 KiB, unless one value alone is more", () => {
    const large = put(1, 1, 3 * 2 ** 20);
    const changes = [
      put(1, 0, 10),
      large,
      ...Array.from({ length: 600 }, (_, i) => put(2, i, 4000)),
    ];
    const sizes = Array.from(packChanges(changes), (chunk) => chunk.length);
    expect(sizes.filter((size) => size > 2 ** 18)).toEqual([large.value!.length + 12]);
    // 65 values of 4,012 bytes, with their keys, fit into one.
    expect(sizes.length).toBe(2 + Math.ceil(600 / 65));
  });

  it("are of at most 256 changes", () => {
    const removals = Array.from({ length: 513 }, (_, i) => remove(1, i));
    expect(Array.from(packChanges(removals), (chunk) => unpack(chunk).length)).toEqual([
      256, 256, 1,
    ]);
  });

  it("are none for no changes", () => {
    expect([...packChanges([])]).toEqual([]);
  });

  it("take no change before the chunk that needs it", () => {
    let taken = 0;
    const changes = (function* (): Generator<Change> {
      for (; taken < 5000; taken++) yield remove(1, taken);
    })();
    const chunks = packChanges(changes);
    chunks.next();
    expect(taken).toBeLessThanOrEqual(1025);
    chunks.return(undefined);
  });
});
