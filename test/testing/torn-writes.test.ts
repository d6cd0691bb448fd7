/** Torn writes: where they break at each grain, what the garbage is, and what else is there. */
import { describe, expect, it } from "vitest";
import type { CrashModel } from "../../src/testing/crash-model.ts";
import { crashStates } from "../../src/testing/crash-states.ts";
import { formatVectors } from "../../src/testing/crash-vector.ts";
import { HandMade, imageOf, listingOf } from "./hand-made.ts";

/** A file of dots, and one write of `x` to it. */
function oneWrite(offset: number, length: number, size = 16_384): HandMade {
  const made = new HandMade(imageOf({ a: ".".repeat(size) }));
  made.write(1, "x".repeat(length), offset);
  return made;
}

/** The file in sectors, after each crash: `x` new, `.` old, `#` neither, `?` torn within. */
function sectorsOf(made: HandMade, model: Partial<CrashModel>, sectorBytes = 512): string[] {
  return Array.from(crashStates(made, model), ({ image }) => {
    const text = listingOf(image())["a"]!;
    let sectors = "";
    for (let at = 0; at < text.length; at += sectorBytes) {
      const sector = text.slice(at, at + sectorBytes);
      const isOne = sector === sector[0]!.repeat(sectorBytes) && /[x.]/.test(sector[0]!);
      if (isOne) sectors += sector[0]!;
      else sectors += /^[x.]*$/.test(sector) ? "?" : "#";
    }
    return sectors;
  });
}

const torn = (grains: number[], tearSamples = 24): Partial<CrashModel> => ({
  kinds: ["torn"],
  grains,
  tearSamples,
});

describe("a torn write", () => {
  it("reaches the medium in every subset of its sectors, when they are few", () => {
    const made = oneWrite(512, 1536, 4096);
    expect(sectorsOf(made, torn([512])).toSorted()).toEqual(
      [".x......", "..x.....", ".xx.....", "...x....", ".x.x....", "..xx...."].toSorted(),
    );
  });

  it("breaks at the edges of the medium, not at those of the write", () => {
    const made = oneWrite(256, 1024, 2048);
    const texts = Array.from(
      crashStates(made, torn([512])),
      ({ image }) => listingOf(image())["a"]!,
    );
    const shapes = texts.map((text) => text.replaceAll(/(.)\1*/g, (run) => run[0]! + run.length));
    expect(shapes.toSorted()).toEqual(
      [
        ".256x256.1536",
        ".256x768.1024",
        ".256x256.512x256.768",
        ".512x512.1024",
        ".512x768.768",
        ".1024x256.768",
      ].toSorted(),
    );
  });

  it("breaks at other sectors of another grain", () => {
    const made = oneWrite(0, 12_288);
    const found = sectorsOf(made, torn([4096]), 4096).toSorted();
    expect(found).toEqual([".x..", "..x.", ".xx.", "x...", "xx..", "x.x."].toSorted());
    expect(sectorsOf(oneWrite(0, 4096), torn([4096]))).toEqual([]);
  });

  it("of many sectors is tried in a sample of both ends, edges, and any subset", () => {
    const made = oneWrite(0, 16_384);
    const found = sectorsOf(made, torn([512], 24));
    expect(found.length).toBe(24);
    const fronts = found.filter((text) => /^x+\.+$/.test(text));
    const backs = found.filter((text) => /^\.+x+$/.test(text));
    expect([fronts.length, backs.length]).toEqual([8, 8]);
    expect(fronts).toContain(`x${".".repeat(31)}`);
    expect(fronts).toContain(`${"x".repeat(31)}.`);
    expect(new Set(found).size).toBe(24);
  });

  it("breaks off at any byte, of which both ends are tried", () => {
    const made = oneWrite(10, 100, 128);
    const lengths = Array.from(
      crashStates(made, torn([1], 5)),
      ({ image }) => listingOf(image())["a"]!.replaceAll(".", "").length,
    );
    expect(lengths.length).toBe(5);
    expect(lengths[0]).toBe(1);
    expect(lengths.at(-1)).toBe(99);
    const short = Array.from(
      crashStates(oneWrite(0, 4, 8), torn([1])),
      ({ image }) => listingOf(image())["a"],
    );
    expect(short).toEqual(["x.......", "xx......", "xxx....."]);
    expect(Array.from(crashStates(oneWrite(0, 1, 8), torn([1, 512])))).toEqual([]);
  });

  it("comes with all else kept, with nothing else but its size, and with some of the rest", () => {
    const made = new HandMade(imageOf({ a: "" }));
    const vectors = (): Set<string> =>
      new Set(
        Array.from(crashStates(made, torn([1])), ({ vector }) => formatVectors([vector])).filter(
          (text) => text.startsWith(`${made.trace.length}`),
        ),
      );
    made.write(1, "12", 0, 2);
    expect(vectors()).toEqual(new Set(["1,d0:k1"]));
    made.write(1, "34", 2, 4);
    const two = vectors();
    expect(two).toContain("2,d1:k1");
    expect(two).toContain("2!,d1:k1,s1+");
    for (const text of two) expect(text).toMatch(/^2(,d1:k1|!,d1:k1,s1\+)(,s0-)?(,d0-)?$/);
    made.write(1, "5", 2);
    made.write(1, "67", 2);
    const [kept, none, some] = [...vectors()];
    expect([kept, none]).toEqual(["4,d3:k1", "4!,d3:k1"]);
    expect(some).toMatch(/^4,d3:k1(,[sd][012]-)*$/);
  });

  it("is not tried of a discard of one byte, but of a longer one", () => {
    const made = new HandMade(imageOf({ a: "1234" }));
    made.discard(1, 0, 1);
    made.discard(1, 0, 3);
    const vectors = Array.from(crashStates(made, torn([1])), ({ vector }) =>
      formatVectors([vector]),
    );
    expect(vectors.filter((text) => text.startsWith("1"))).toEqual([]);
    expect(vectors).toContain("2,d1:k1");
  });
});

describe("garbage", () => {
  const garbage = (grains: number[], tearSamples = 24): Partial<CrashModel> => ({
    kinds: ["garbage"],
    grains,
    tearSamples,
  });

  it("stands in the sector at which the write broke off, before it the new bytes", () => {
    expect(sectorsOf(oneWrite(512, 1536, 4096), garbage([4096, 512, 1]))).toEqual([
      ".#......",
      ".x#.....",
      ".xx#....",
    ]);
  });

  it("is not within a sector, and of a page where no sector is smaller", () => {
    expect(sectorsOf(oneWrite(0, 8192, 16_384), garbage([1]), 4096)).toEqual(["#...", "x#.."]);
    expect(sectorsOf(oneWrite(0, 8192, 16_384), garbage([8192]), 4096)).toEqual(["#...", "x#.."]);
  });

  it("is neither the old nor the new bytes, differs by place, and is the same each time", () => {
    const made = oneWrite(0, 1024, 1024);
    const texts = (): string[] =>
      Array.from(crashStates(made, garbage([512])), ({ image }) => listingOf(image())["a"]!);
    const [first, second] = texts();
    expect(texts()).toEqual([first, second]);
    for (const part of [first!.slice(0, 512), second!.slice(512)]) {
      expect(new Set(part).size).toBeGreaterThan(150);
    }
    expect(first!.slice(0, 512)).not.toBe(second!.slice(512));
    expect(first!.slice(512)).toBe(".".repeat(512));
    const other = new HandMade(made.start);
    other.mark();
    other.write(1, "x".repeat(1024));
    const [different] = Array.from(
      crashStates(other, garbage([512])),
      ({ image }) => listingOf(image())["a"]!,
    );
    expect(different).not.toBe(first);
  });

  it("is sampled where there are many sectors", () => {
    const found = sectorsOf(oneWrite(0, 16_384), garbage([512], 6));
    expect(found.length).toBe(6);
    expect(found[0]).toBe(`#${".".repeat(31)}`);
    expect(found.at(-1)).toBe(`${"x".repeat(31)}#`);
  });
});

describe("a write that is torn before the newest one", () => {
  it("is there in either part, while the newest one is whole, with and without the others", () => {
    const made = new HandMade(imageOf({ a: ".".repeat(4096) }));
    made.write(1, "x".repeat(1024), 0);
    made.write(1, "x".repeat(512), 1536);
    made.write(1, "x".repeat(512), 2560);
    const found = new Set(sectorsOf(made, torn([512])));
    for (const state of ["x..x....", ".x.x....", "x..x.x..", ".x.x.x..", "x....x.."]) {
      expect(found).toContain(state);
    }
  });

  it("may be one that had been promised by the time of a mark", () => {
    const made = new HandMade(imageOf({ a: ".".repeat(1024) }));
    made.write(1, "x".repeat(1024), 0);
    made.mark("promised");
    const marked = Array.from(crashStates(made, torn([512]))).filter(({ vector }) => {
      return vector.cut === 2;
    });
    expect(new Set(marked.map(({ image }) => listingOf(image())["a"]!.indexOf("x")))).toEqual(
      new Set([0, 512]),
    );
  });
});
