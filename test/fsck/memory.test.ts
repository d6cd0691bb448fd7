/**
 * What a check keeps in memory, which decides how large a store it can look at: the values of one
 * checkpoint as they stand, and of the other one what differs. No time and no number of pages is
 * asserted here; `docs/fsck.md` has what was measured.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kinds } from "../../src/format/checkpoint-values.ts";
import { type Evidence, examine } from "../../src/fsck/check.ts";
import { readContents } from "../../src/fsck/contents.ts";
import { Image } from "../../src/fsck/image.ts";
import { storeAccess } from "../../src/fsck/store-access.ts";
import { Host } from "../../src/index.ts";
import { sampleStore } from "./support/sample-store.ts";

const B = 512;
const EXTENTS = 5000;
const SNAPSHOTS = 20;
let scratch = "";
let evidence: Evidence;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "blockspace-fsck-"));
  const path = join(scratch, "store");
  const host = await Host.open(path, { create: true, capacity: 64 * 2 ** 20, blockSize: B });
  const disk = await host.create("disk", { size: 2 * EXTENTS * B });
  for (let i = 0; i < EXTENTS; i++) await disk.write(2 * i * B, Buffer.alloc(B, `${i};`));
  for (let i = 0; i < SNAPSHOTS; i++) {
    await host.snapshot("disk", `disk@${i}`);
    await disk.write(i * 200 * B, Buffer.alloc(B, "again"));
  }
  await host.checkpoint();
  await disk.write(0, Buffer.alloc(B, "once more"));
  await host.close();
  const examined = await examine(storeAccess(path));
  evidence = examined.evidence!;
}, 60_000);

afterAll(() => rm(scratch, { recursive: true }));

function* valuesOf(image: Image): Generator<Uint8Array> {
  for (const kind of image.kinds()) for (const [, value] of image.scan(kind)) yield value;
}

function bytesOf(images: readonly Image[]): number {
  const values = new Set(images.flatMap((image) => [...valuesOf(image)]));
  return [...values].reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
}

describe("the memory of a check", () => {
  it("is that of a sound store", () => {
    expect(evidence.candidates.map(({ whole }) => whole)).toEqual([true, true]);
  });

  it("holds what two checkpoints have in common once", () => {
    const images = evidence.candidates.map(({ reading }) => reading.image);
    expect(images).toHaveLength(2);
    expect(bytesOf(images)).toBeLessThan(1.1 * bytesOf(images.slice(0, 1)));
  });

  it("holds the state after replay as what differs from a checkpoint", () => {
    const images = evidence.candidates.map(({ reading }) => reading.image);
    const all = [...images, evidence.chosen!.replayed.image];
    expect(bytesOf(all)).toBeLessThan(1.2 * bytesOf(images.slice(0, 1)));
  });

  it("holds what a replay makes once, when another one has made it before", () => {
    const [first, second] = [new Image(), new Image()];
    first.apply({ kind: 3, id: 1, value: Uint8Array.of(1, 2) });
    second.apply({ kind: 3, id: 1, value: Uint8Array.of(1, 2) }, first);
    second.apply({ kind: 3, id: 2, value: Uint8Array.of(3) }, first);
    expect(second.get(3, 1)).toBe(first.get(3, 1));
    expect(second.get(3, 2)).toEqual(Uint8Array.of(3));
  });

  it("keeps no buffer that is larger than the value in it", () => {
    for (const { reading } of evidence.candidates) {
      for (const value of valuesOf(reading.image)) {
        expect(value.buffer.byteLength).toBe(value.byteLength);
      }
    }
  });

  it("keeps no map node and no segment record that was decoded", () => {
    const { geometry, chosen } = evidence;
    const contents = readContents(chosen!.replayed.image, geometry, () => undefined);
    const [[node] = []] = chosen!.replayed.image.scan(kinds.node);
    const [[segment] = []] = chosen!.replayed.image.scan(kinds.segment);
    expect(contents.nodes.get(node!)).not.toBe(contents.nodes.get(node!));
    expect(contents.segments.get(segment!)).not.toBe(contents.segments.get(segment!));
  });

  it("keeps no data that the journal carries", async () => {
    const { evidence: seen } = await examine((await sampleStore(1)).access);
    const { restored } = seen!.chosen!.replayed;
    expect(restored.size).toBeGreaterThan(0);
    expect([...restored.values()].every(({ length }) => length === 0)).toBe(true);
  });
});
