/** Finding the data of a sparse file: with the system's own seek, and with those that know less. */
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { KiB } from "../../src/index.ts";
import { dataRanges, type Seek, systemSeek, widen } from "../../src/cli/data-ranges.ts";
import { scratch } from "./blockspace.ts";

const at = scratch();
const seek = systemSeek();

function ranges(size: number, by: Seek): [number, number][] {
  return Array.from(dataRanges(7, { offset: 0, length: size }, by), ({ offset, length }) => [
    offset,
    length,
  ]);
}

describe.skipIf(typeof seek !== "function")("the system's seek", () => {
  function found(fill: (fd: number) => void, end = 1024 * KiB, from = 0): [number, number][] {
    const fd = openSync(at("file"), "w+");
    try {
      fill(fd);
      const answer = dataRanges(fd, { offset: from, length: end - from }, seek as Seek);
      return Array.from(answer, ({ offset, length }) => [offset, length]);
    } finally {
      closeSync(fd);
    }
  }

  it("finds data between holes", () => {
    const answer = found((fd) => {
      ftruncateSync(fd, 1024 * KiB);
      writeSync(fd, Buffer.alloc(128 * KiB, "x"), 0, 128 * KiB, 256 * KiB);
      writeSync(fd, Buffer.alloc(64 * KiB, "x"), 0, 64 * KiB, 960 * KiB);
    });
    expect(answer).toEqual([
      [256 * KiB, 128 * KiB],
      [960 * KiB, 64 * KiB],
    ]);
  });

  it("finds nothing in a file of holes, and everything in a full one", () => {
    expect(found((fd) => ftruncateSync(fd, 1024 * KiB))).toEqual([]);
    expect(found((fd) => writeSync(fd, Buffer.alloc(1024 * KiB)))).toEqual([[0, 1024 * KiB]]);
  });

  it("goes no further than it is told to", () => {
    const full = (fd: number): unknown => writeSync(fd, Buffer.alloc(1024 * KiB));
    expect(found(full, 100)).toEqual([[0, 100]]);
    expect(found(full, 0)).toEqual([]);
    expect(found(full, 300, 200)).toEqual([[200, 100]]);
  });

  it("tells an error of the system", () => {
    expect(() => (seek as Seek)(-1, 5, "data")).toThrow(/^EIO: lseek to the next data failed/);
    expect(() => (seek as Seek)(-1, 5, "hole")).toThrow(
      expect.objectContaining({ code: "EIO", offset: 5 }),
    );
  });
});

describe("dataRanges", () => {
  it("takes everything for data when the file system does not tell", () => {
    expect(ranges(1000, () => "unknown")).toEqual([[0, 1000]]);
  });

  it("takes the rest for data when the system stops telling", () => {
    const answers = [100, 200, "unknown"] as const;
    let call = 0;
    expect(ranges(1000, () => answers[call++]!)).toEqual([
      [100, 100],
      [200, 800],
    ]);
  });

  it("is not led around in circles", () => {
    expect(ranges(1000, () => 0)).toEqual([[0, 1000]]);
    expect(ranges(1000, (_fd, offset) => offset)).toEqual([[0, 1000]]);
    const back: Seek = (_fd, offset, what) => (what === "hole" ? offset + 10 : offset - 5);
    expect(ranges(1000, back)).toEqual([[0, 1000]]);
  });

  it("lets no error pass for a hole", () => {
    const failing: Seek = () => {
      throw new RangeError("no");
    };
    expect(() => ranges(10, failing)).toThrow(RangeError);
  });
});

describe("widen", () => {
  it("rounds ranges out to units and joins what meets then", () => {
    const given = [
      { offset: 5, length: 1 },
      { offset: 12, length: 3 },
      { offset: 40, length: 21 },
    ];
    expect([...widen(given, 10, 65)]).toEqual([
      { offset: 0, length: 20 },
      { offset: 40, length: 25 },
    ]);
    expect([...widen([], 10, 65)]).toEqual([]);
  });
});
