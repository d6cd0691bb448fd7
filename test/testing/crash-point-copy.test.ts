/** What a crash point knows besides the five rules: cells, numbers, its units, copies of itself. */
import { describe, expect, it } from "vitest";
import { ROOT } from "../../src/testing/disk-image.ts";
import { HandMade, imageOf, kept, listingOf, lost } from "./hand-made.ts";

describe("a crash point", () => {
  it("takes a cell at once, durably", () => {
    const made = new HandMade();
    const cell = { value: 1, fingerprint: 1 };
    made.entry({ kind: "commit", path: "cell" }, { type: "cell", name: "cell", cell });
    expect(made.uncertain()).toBe("");
    expect(made.point().image(lost).cells).toEqual(new Map([["cell", cell]]));
    expect(made.point(0).image(kept).cells.size).toBe(0);
  });

  it("gives no number of a file twice, whatever was lost", () => {
    const made = new HandMade();
    made.create(ROOT, "a", 7);
    expect(made.point().image(lost).nextNode).toBe(8);
    expect(made.point().copy().image(lost).nextNode).toBe(8);
  });

  it("goes its own way as a copy, in which all is done that was under way", () => {
    const made = new HandMade(imageOf({ a: "....", b: "1234" }));
    made.write(1, "1");
    made.flush(1, true);
    made.write(1, "22");
    made.late(made.flush(1));
    made.done(3);
    made.late(made.write(1, "3", 3));
    made.late(made.create(ROOT, "c", 3));
    made.late(made.resize(2, 2));
    made.late(made.flush(2));
    const point = made.point();
    const copy = point.copy();
    const next = made.trace.length;
    expect(listingOf(copy.image(lost))).toEqual({ a: "22..", b: "1234" });
    expect(listingOf(copy.image(kept))).toEqual(listingOf(point.image(kept)));
    made.flush(1);
    made.sync(ROOT);
    made.flush(2);
    for (const entry of made.trace.slice(next)) copy.note(entry);
    expect(listingOf(copy.image(lost))).toEqual({ a: "22.3", b: "12", c: "" });
    expect(copy.units().map(({ at }) => at)).toEqual([0]);
    expect(listingOf(point.image(lost))).toEqual({ a: "22..", b: "1234" });
    for (const entry of made.trace.slice(next)) point.note(entry);
    expect(listingOf(point.image(lost))).toEqual({ a: "22..", b: "1234" });
  });

  it("asks for fates in the order of its units, names first, then file by file", () => {
    const made = new HandMade(imageOf({ a: "", b: "" }));
    made.write(2, "1", 0, 1);
    made.write(1, "1", 0, 1);
    made.create(ROOT, "c", 3);
    made.write(2, "2", 1, 2);
    expect(made.uncertain()).toBe("n2 s0 d0 s3 d3 s1 d1");
    const asked: string[] = [];
    made.point().image((unit) => {
      asked.push(unit.type[0]! + unit.at);
      return "kept";
    });
    expect(asked.join(" ")).toBe(made.uncertain());
  });
});
