/** The enumerator of crash states: nothing that is not allowed, and all that is where it can be. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { marksOf } from "../../src/testing/operation.ts";
import { fingerprintOfImage, ROOT } from "../../src/testing/disk-image.ts";
import type { CrashKind } from "../../src/testing/crash-model.ts";
import {
  type CrashState,
  crashStates,
  type CrashStatesOptions,
  imageAfter,
  type Recording,
} from "../../src/testing/crash-states.ts";
import { formatVectors, parseVectors } from "../../src/testing/crash-vector.ts";
import { runs } from "../support/property-runs.ts";
import { describeImage, statesAllowedAt } from "./crash-model-oracle.ts";
import { HandMade, imageOf } from "./hand-made.ts";
import { recordings } from "./random-traces.ts";

const whole: CrashKind[] = ["prefix", "subset", "names"];

/** All states that are enumerated, as `cut: what is there`. */
function statesOf(recording: Recording, options: CrashStatesOptions = {}): string[] {
  return Array.from(crashStates(recording, options), tell);
}

const tell = ({ vector, image }: CrashState): string => `${vector.cut}: ${describeImage(image())}`;

function vectorsOf(recording: Recording, options: CrashStatesOptions): string[] {
  return Array.from(crashStates(recording, options), ({ vector }) => formatVectors([vector]));
}

/** By the number of marks that had been left: an oracle is told no more. */
function byMarks(recording: Recording, states: Iterable<[number, string]>): Set<string> {
  const found = new Set<string>();
  for (const [cut, state] of states) {
    found.add(`${marksOf(recording.trace, cut).length} marks: ${state}`);
  }
  return found;
}

describe("the crash states of a random trace", () => {
  it("are exactly those that the rules allow", () => {
    const property = fc.property(recordings, (recording) => {
      const { start, trace } = recording;
      const allowed = Array.from({ length: trace.length + 1 }, (_, cut) =>
        statesAllowedAt(start, trace, cut),
      );
      const found: [number, string][] = [];
      for (const { vector, image } of crashStates(recording, {
        kinds: whole,
        exhaustiveUnits: 20,
      })) {
        const state = describeImage(image());
        const isAllowed = allowed[vector.cut]!.has(state);
        expect({ vector: formatVectors([vector]), state, isAllowed }).toMatchObject({
          isAllowed: true,
        });
        found.push([vector.cut, state]);
      }
      const all = allowed.flatMap((states, cut) =>
        Array.from(states, (state) => [cut, state] as [number, string]),
      );
      expect(byMarks(recording, found)).toEqual(byMarks(recording, all));
    });
    fc.assert(property, runs(700));
  });

  it("have equal fingerprints exactly when they are equal", () => {
    const property = fc.property(recordings, (recording) => {
      const texts = new Map<number, string>();
      const prints = new Map<string, number>();
      for (const { image } of crashStates(recording)) {
        const state = image();
        const { cells } = state;
        const [text, print] = [`${cells.size} ${describeImage(state)}`, fingerprintOfImage(state)];
        expect(texts.get(print) ?? text).toBe(text);
        expect(prints.get(text) ?? print).toBe(print);
        texts.set(print, text);
        prints.set(text, print);
      }
    });
    fc.assert(property, runs(200));
  });

  it("are those that their vectors lead to, as texts too", () => {
    const property = fc.property(recordings, (recording) => {
      for (const state of crashStates(recording)) {
        const [vector] = parseVectors(formatVectors([state.vector]));
        expect(describeImage(imageAfter(recording, vector!))).toBe(describeImage(state.image()));
      }
    });
    fc.assert(property, runs(150));
  });

  it("are the same with the same seed, and no more than all when few are asked for", () => {
    const property = fc.property(recordings, fc.nat({ max: 9 }), (recording, seed) => {
      const options = { seed, exhaustiveUnits: 2 };
      const all = vectorsOf(recording, options);
      expect(vectorsOf(recording, options)).toEqual(all);
      const some = vectorsOf(recording, { ...options, limit: all.length / 2 });
      expect(vectorsOf(recording, { ...options, limit: all.length / 2 })).toEqual(some);
      let next = 0;
      for (const vector of some) next = all.indexOf(vector, next) + 1;
      expect(some.length).toBeLessThanOrEqual(all.length);
      expect(next > 0 || some.length === 0).toBe(true);
      expect(vectorsOf(recording, { ...options, limit: all.length })).toEqual(all);
    });
    fc.assert(property, runs(100));
  });
});

describe("the choice of crash states", () => {
  /** Eight writes into one file with marks between them. */
  function writes(count = 8): HandMade {
    const made = new HandMade(imageOf({ a: ".".repeat(count) }));
    for (let i = 0; i < count; i++) made.write(1, i.toString(16), i);
    made.mark();
    return made;
  }

  it("leaves out what comes before the first cut, and then begins with all that is uncertain", () => {
    const made = writes();
    const all = statesOf(made, { kinds: whole });
    const late = statesOf(made, { kinds: whole, firstCut: 4 });
    expect(new Set(late.map((state) => Number.parseInt(state)))).toEqual(
      new Set([4, 5, 6, 7, 8, 9]),
    );
    const isAt4 = (state: string): boolean => state.startsWith("4:");
    expect(new Set(late.filter(isAt4)).size).toBe(16);
    expect(new Set(all.filter(isAt4)).size).toBe(8);
    const isLater = (state: string): boolean => Number.parseInt(state) > 4;
    expect(late.filter(isLater)).toEqual(all.filter(isLater));
  });

  it("with a limit is spread over the whole trace, about as many as were asked for", () => {
    const made = writes(10);
    const all = vectorsOf(made, {});
    const some = vectorsOf(made, { limit: 200 });
    expect(all.length).toBeGreaterThan(2000);
    expect(some.length).toBeGreaterThan(130);
    expect(some.length).toBeLessThan(270);
    expect(new Set(some).size).toBe(some.length);
    expect(new Set(some.map((vector) => Number.parseInt(vector))).size).toBeGreaterThan(4);
    expect(vectorsOf(made, { limit: 200, seed: 2 })).not.toEqual(some);
    expect(vectorsOf(made, { limit: 0 })).toEqual([]);
  });

  it("samples the subsets of many units, each with what is new, differently by seed", () => {
    const made = writes(14);
    const sampled = (options: CrashStatesOptions): string[] =>
      statesOf(
        { start: made.start, trace: made.trace.slice(0, 14) },
        { kinds: ["subset"], ...options },
      ).filter((state) => state.startsWith("14:"));
    const some = sampled({});
    expect(some.length).toBe(64);
    expect(new Set(some).size).toBeGreaterThan(40);
    for (const state of some) expect(state).toMatch(/d"$/);
    expect(sampled({ subsetSamples: 5 }).length).toBe(5);
    expect(sampled({ seed: 2 })).not.toEqual(some);
    expect(sampled({ exhaustiveUnits: 14 }).length).toBe(2 ** 13 - 1);
    expect(sampled({ exhaustiveUnits: 13 }).length).toBe(64);
  });

  it("tries all and nothing at every mark, since more may have been promised", () => {
    const made = new HandMade(imageOf({ a: ".." }));
    made.write(1, "1");
    made.mark();
    made.write(1, "2", 1);
    made.flush(1);
    made.mark();
    expect(vectorsOf(made, { kinds: ["prefix"] })).toEqual(["0", "1", "2", "2!", "3", "5"]);
    expect(vectorsOf(made, { kinds: ["subset"] })).toEqual(["2!", "3!,d2+"]);
  });

  it("tries everything again when a flush has passed over a size or a name", () => {
    const made = new HandMade(imageOf({ a: "" }));
    made.late(made.create(ROOT, "b", 2));
    made.create(ROOT, "c", 3);
    made.sync(ROOT);
    expect(statesOf(made, { kinds: whole })).toContain('3: a="" c=""');
  });

  it("tries everything again when a cell has changed", () => {
    const made = new HandMade(imageOf({ a: "." }));
    made.write(1, "1");
    made.entry(
      { kind: "commit", path: "c" },
      { type: "cell", name: "c", cell: { value: 1, fingerprint: 1 } },
    );
    expect(vectorsOf(made, { kinds: ["prefix"] })).toEqual(["0", "1", "2", "2!"]);
  });

  it("of names leaves the data alone, or takes it all", () => {
    const made = new HandMade();
    made.create(ROOT, "a", 1);
    made.write(1, "x", 0, 1);
    made.write(1, "y");
    const all = ["", ",n0-", ",s1-", ",n0-,s1-"].flatMap((fates) => [
      `2${fates}`,
      `2!${fates.replaceAll("-", "+")}`,
    ]);
    const first = ["1", "1!", "1,n0-", "1!,n0+"];
    expect(new Set(vectorsOf(made, { kinds: ["names"] }))).toEqual(new Set([...first, ...all]));
  });

  it("of names goes through every prefix, also of very many", () => {
    const made = new HandMade();
    for (let i = 0; i < 70; i++) made.create(ROOT, `n${i + 10}`, i + 1);
    const states = new Set(statesOf(made, { kinds: ["names"], tearSamples: 0 }));
    for (let count = 0; count <= 70; count++) {
      const names = Array.from({ length: count }, (_, i) => `n${i + 10}=""`);
      expect(states).toContain(`70: ${names.join(" ")}`);
    }
  });

  it("refuses a vector that lies beyond the trace", () => {
    const made = writes(2);
    expect(() => imageAfter(made, { cut: 4, others: "kept", fates: new Map() })).toThrow(
      new RangeError("the trace has 3 entries; the crash is after 4"),
    );
  });
});
