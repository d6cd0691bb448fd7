/** Chunks of streams and ranges, and the blocks in them that are worth writing. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MiB } from "../../src/index.ts";
import { type Chunk, chunksOf, cut, nonZeroRuns } from "../../src/cli/chunks.ts";

async function collect(pieces: readonly Uint8Array[], offset = 0): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  async function* stream(): AsyncGenerator<Uint8Array> {
    yield* pieces;
  }
  for await (const chunk of chunksOf(stream(), offset)) chunks.push(chunk);
  return chunks;
}

const shape = ({ offset, bytes }: Chunk): [number, number] => [offset, bytes.length];

describe("cut", () => {
  it("ends chunks at multiples of their size", () => {
    const ranges = [
      { offset: MiB - 1, length: MiB + 2 },
      { offset: 4 * MiB, length: 1 },
    ];
    expect([...cut(ranges)]).toEqual([
      { offset: MiB - 1, length: 1 },
      { offset: MiB, length: MiB },
      { offset: 2 * MiB, length: 1 },
      { offset: 4 * MiB, length: 1 },
    ]);
    expect([...cut([{ offset: 5, length: 0 }])]).toEqual([]);
    expect([...cut([{ offset: 5, length: 7 }], 10)]).toEqual([
      { offset: 5, length: 5 },
      { offset: 10, length: 2 },
    ]);
  });
});

describe("chunksOf", () => {
  it("gathers small pieces and cuts large ones", async () => {
    const small = Array.from({ length: 3 * 1024 }, () => Buffer.alloc(512, "x"));
    expect((await collect(small)).map(shape)).toEqual([
      [0, MiB],
      [MiB, MiB / 2],
    ]);
    expect((await collect([Buffer.alloc(2 * MiB + 1)], MiB - 1)).map(shape)).toEqual([
      [MiB - 1, 1],
      [MiB, MiB],
      [2 * MiB, MiB],
    ]);
    expect(await collect([])).toEqual([]);
    expect(await collect([new Uint8Array(0)])).toEqual([]);
  });

  it("keeps the bytes, and gives each chunk memory of its own", async () => {
    const piece = Buffer.alloc(3 * MiB, "x");
    const [first, second] = await collect([piece]);
    piece.fill("y");
    expect(Buffer.alloc(MiB, "x").equals(first!.bytes)).toBe(true);
    expect(first!.bytes.buffer).not.toBe(second!.bytes.buffer);
  });
});

describe("nonZeroRuns", () => {
  const size = 16;
  const blocks = fc.array(fc.constantFrom(0, 0, 1, 2), { maxLength: 20 });

  /** What is wrong with the runs of a chunk; nothing, that is. */
  function wrong(chunk: Chunk): string | undefined {
    const { offset, bytes } = chunk;
    const copy = Buffer.alloc(bytes.length);
    for (const run of nonZeroRuns(chunk, size)) {
      if (run.offset !== offset && run.offset % size !== 0) return "a run begins within a block";
      copy.set(run.bytes, run.offset - offset);
      const end = run.offset + run.bytes.length;
      for (const piece of piecesOf(run.offset, end)) {
        const [from, to] = piece.map((at) => at - run.offset) as [number, number];
        if (run.bytes.subarray(from, to).every((byte) => byte === 0)) return "a block of zeroes";
      }
    }
    return copy.equals(bytes) ? undefined : "bytes are missing";
  }

  /** The blocks, and parts of blocks, of a range. */
  function piecesOf(from: number, to: number): [number, number][] {
    const next = Math.min(to, (Math.floor(from / size) + 1) * size);
    return from < to ? [[from, next], ...piecesOf(next, to)] : [];
  }

  it("leaves out whole blocks of zeroes, and nothing else", () => {
    fc.assert(
      fc.property(blocks, fc.nat(15), fc.nat(15), (pattern, skew, tail) => {
        const whole = pattern.map((byte) => Buffer.alloc(size, byte));
        const bytes = Buffer.concat([...whole, Buffer.alloc(tail, 3)]);
        expect(wrong({ offset: 10 * size + skew, bytes })).toBeUndefined();
      }),
    );
  });

  it("finds zeroes in chunks larger than any", () => {
    expect([...nonZeroRuns({ offset: 0, bytes: new Uint8Array(3 * MiB + 1) }, 4096)]).toEqual([]);
    const bytes = Buffer.alloc(3 * MiB);
    bytes[bytes.length - 1] = 1;
    expect([...nonZeroRuns({ offset: 0, bytes }, 2 * MiB)].map(shape)).toEqual([[2 * MiB, MiB]]);
  });
});
