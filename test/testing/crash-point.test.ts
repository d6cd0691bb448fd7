/** The five rules of `crash-point.ts`, one by one, on traces written by hand. */
import { describe, expect, it } from "vitest";
import { ROOT } from "../../src/testing/disk-image.ts";
import { HandMade, imageOf, listingOf, lost } from "./hand-made.ts";

const zeroes = (count: number): string => "\0".repeat(count);

describe("rule 1, what a flush or sync makes durable", () => {
  it("is the data and the sizes of its file, and of no other", () => {
    const made = new HandMade(imageOf({ a: "", b: "" }));
    made.write(1, "one", 0, 3);
    made.write(2, "two", 0, 3);
    made.flush(1);
    expect(made.after("!")).toEqual({ a: "one", b: "" });
    expect(made.uncertain()).toBe("s1 d1");
  });

  it("is the names of its folder, and of no other, nor of files", () => {
    const made = new HandMade(imageOf({}, ["f"]));
    made.create(ROOT, "a", 1);
    made.create(100, "b", 2);
    made.write(1, "text", 0, 4);
    made.sync(100);
    expect(made.after("!")).toEqual({ "f/": "", "f/b": "" });
    made.sync(ROOT);
    expect(made.after("!")).toEqual({ a: "", "f/": "", "f/b": "" });
    expect(made.uncertain()).toBe("s2 d2");
  });

  it("is not what was under way when it was called, whenever that was done", () => {
    const made = new HandMade(imageOf({ a: "...." }));
    const early = made.late(made.write(1, "1"));
    const late = made.late(made.write(1, "2", 1));
    made.done(early);
    made.flush(1);
    made.done(late);
    expect(made.after("!")).toEqual({ a: "1..." });
    made.flush(1);
    expect(made.after("!")).toEqual({ a: "12.." });
  });

  it("is not a rename that was under way, whenever that was done", () => {
    const made = new HandMade(imageOf({ a: "" }));
    const rename = made.late(made.rename([ROOT, "a"], [ROOT, "b"], 1));
    made.sync(ROOT);
    made.done(rename);
    expect(made.after("!")).toEqual({ a: "" });
    expect(made.after("")).toEqual({ b: "" });
    made.sync(ROOT);
    expect(made.after("!")).toEqual({ b: "" });
  });

  it("is nothing as long as it has not returned", () => {
    const made = new HandMade(imageOf({ a: "" }));
    made.write(1, "text", 0, 4);
    const flush = made.late(made.flush(1));
    made.create(ROOT, "b", 2);
    const sync = made.late(made.sync(ROOT));
    made.mark("said too early");
    made.done(flush);
    expect(made.after("!")).toEqual({ a: "" });
    made.done(sync);
    expect(made.after("!")).toEqual({ a: "" });
    made.mark("said in time");
    expect(made.after("!")).toEqual({ a: "text", b: "" });
    expect(made.after("!", 5)).toEqual({ a: "" });
  });

  it("is there at once when nothing else was issued before it returned", () => {
    const made = new HandMade(imageOf({ a: "" }));
    made.write(1, "text", 0, 4);
    const flush = made.late(made.flush(1));
    expect(made.after("!")).toEqual({ a: "" });
    made.done(flush);
    expect(made.after("!")).toEqual({ a: "text" });
  });

  it("does not grow by what was issued between its call and its return", () => {
    const made = new HandMade(imageOf({ a: "..." }));
    made.write(1, "1");
    const flush = made.late(made.flush(1));
    made.write(1, "2", 1);
    made.done(flush);
    made.mark();
    expect(made.after("!")).toEqual({ a: "1.." });
  });

  it("takes effect when the disk says that it is done", () => {
    const made = new HandMade(imageOf({ a: "" }));
    made.write(1, "text", 0, 4);
    const flush = made.trace[made.late(made.flush(1))]!;
    const point = made.point();
    expect(listingOf(point.image(lost))).toEqual({ a: "" });
    point.finish(made.trace[0]!);
    expect(listingOf(point.image(lost))).toEqual({ a: "" });
    point.finish(flush);
    expect(listingOf(point.image(lost))).toEqual({ a: "text" });
  });
});

describe("rule 2, the order of what is kept", () => {
  it("is that of issue, write by write, in any combination", () => {
    const made = new HandMade(imageOf({ a: "......" }));
    made.write(1, "111", 0);
    made.write(1, "222", 1);
    made.discard(1, 2, 1);
    const states = ["", ",d0-", ",d1-", ",d2-", "!,d0+", "!,d1+", "!,d2+", "!"];
    expect(states.map((vector) => made.after(vector)["a"])).toEqual([
      "12\x002..",
      ".2\x002..",
      "11\0...",
      "1222..",
      "111...",
      ".222..",
      "..\0...",
      "......",
    ]);
  });

  it("holds for parts of a torn write, whose end that no part names is lost", () => {
    const made = new HandMade(imageOf({ a: "........" }));
    made.write(1, "12345678");
    expect(made.after("!,d0:k2l2k1")).toEqual({ a: "12..5..." });
    expect(made.after("!,d0:k99")).toEqual({ a: "12345678" });
    const torn = made.after("!,d0:l2g4")["a"]!;
    expect(torn).toMatch(/^\.\.[^]{4}\.\.$/);
    expect(torn).not.toContain("3456");
    expect(made.after("!,d0:l2g4")["a"]).toBe(torn);
    expect(made.after("!,d0:l7g99")["a"]).toHaveLength(8);
    made.discard(1, 0, 6);
    expect(made.after(",d1:k99")).toEqual({ a: "\0\0\0\0\0\x0078" });
    expect(made.after(",d1:l4k2")).toEqual({ a: "1234\0\x0078" });
  });

  it("puts a durable write on top of an earlier one that is not", () => {
    const made = new HandMade(imageOf({ a: "...." }));
    const slow = made.late(made.write(1, "111"));
    made.write(1, "22", 1);
    made.flush(1);
    expect(made.uncertain()).toBe("d0");
    expect(made.after("!")).toEqual({ a: ".22." });
    expect(made.after("")).toEqual({ a: "122." });
    made.done(slow);
    made.flush(1);
    expect(made.uncertain()).toBe("");
    expect(made.after("!")).toEqual({ a: "122." });
  });
});

describe("rule 3, the order of names and of sizes", () => {
  it("lets nothing of a folder be there without what came before it there", () => {
    const made = new HandMade(imageOf({ a: "" }, ["f"]));
    made.create(ROOT, "b", 2);
    made.create(100, "c", 3);
    made.remove(ROOT, "a");
    expect(made.after(",n0-")).toEqual({ a: "", "f/": "", "f/c": "" });
    expect(made.after(",n1-")).toEqual({ b: "", "f/": "" });
    expect(made.after(",n2-")).toEqual({ a: "", b: "", "f/": "", "f/c": "" });
    expect(made.after("!,n2+")).toEqual({ a: "", "f/": "" });
  });

  it("makes of a rename between two folders one change of both", () => {
    const made = new HandMade(imageOf({ a: "", x: "" }, ["f"]));
    made.rename([ROOT, "a"], [100, "b"], 1);
    made.create(ROOT, "c", 3);
    made.create(100, "d", 4);
    expect(made.after(",n0-")).toEqual({ a: "", x: "", "f/": "" });
    expect(made.after(",n1-,n2-")).toEqual({ x: "", "f/": "", "f/b": "" });
    made.sync(100);
    expect(made.after("!")).toEqual({ x: "", "f/": "", "f/b": "", "f/d": "" });
    expect(made.uncertain()).toBe("n1");
  });

  it("lets a rename between two folders be lost with what came before it in either", () => {
    const made = new HandMade(imageOf({ a: "", x: "" }, ["f"]));
    made.create(100, "d", 4);
    made.rename([ROOT, "a"], [100, "b"], 1);
    made.remove(ROOT, "x");
    expect(made.after(",n0-")).toEqual({ a: "", x: "", "f/": "" });
  });

  it("makes durable with a rename what came before it in the folder that was not synced", () => {
    // The file came back under both of its names: the rename was durable, the creation put on top.
    const made = new HandMade(imageOf({}, ["f"]));
    made.create(ROOT, "other", 1);
    made.create(ROOT, "a", 2);
    made.rename([ROOT, "a"], [100, "b"], 2);
    made.create(ROOT, "later", 3);
    made.sync(100);
    const durable = { other: "", "f/": "", "f/b": "" };
    expect(made.after("!")).toEqual(durable);
    expect(made.after("")).toEqual({ ...durable, later: "" });
    expect(made.uncertain()).toBe("n3");
  });

  it("reaches through several renames, and no further than them", () => {
    const made = new HandMade(imageOf({ a: "" }, ["f", "g", "h"]));
    made.create(ROOT, "b", 10);
    made.rename([ROOT, "a"], [100, "a"], 1);
    made.rename([100, "a"], [101, "a"], 1);
    made.create(102, "c", 11);
    made.create(100, "d", 12);
    made.sync(101);
    expect(made.after("!")).toEqual({ b: "", "f/": "", "g/": "", "g/a": "", "h/": "" });
    expect(made.uncertain()).toBe("n3 n4");
  });

  it("keeps a later change that is durable without an earlier one that was under way", () => {
    const made = new HandMade(imageOf({ a: "" }));
    made.late(made.rename([ROOT, "a"], [ROOT, "b"], 1));
    made.create(ROOT, "c", 2);
    made.sync(ROOT);
    made.create(ROOT, "d", 3);
    expect(made.uncertain()).toBe("n0 n3");
    expect(made.after("!")).toEqual({ a: "", c: "" });
    expect(made.after(",n0-")).toEqual({ a: "", c: "" });
    expect(made.after(",n3-")).toEqual({ b: "", c: "" });
  });

  it("stays certain when a sync fails that came after the one that covered it", () => {
    const made = new HandMade(imageOf({ a: "" }, ["f"]));
    const slow = made.late(made.create(ROOT, "b", 2));
    made.rename([ROOT, "a"], [100, "c"], 1);
    made.sync(100);
    made.sync(100, true);
    made.done(slow);
    expect(made.after("!")).toEqual({ "f/": "", "f/c": "" });
    made.sync(100);
    expect(made.after("!")).toEqual({ b: "", "f/": "", "f/c": "" });
  });

  it("does not let a sync wait for what is under way in another folder", () => {
    const made = new HandMade(imageOf({}, ["f", "g"]));
    made.late(made.create(100, "a", 1));
    made.create(101, "b", 2);
    made.sync(101);
    expect(made.uncertain()).toBe("n0");
    expect(made.after("!")).toEqual({ "f/": "", "g/": "", "g/b": "" });
  });

  it("holds for the sizes of one file, not for those of two", () => {
    const made = new HandMade(imageOf({ a: "1234", b: "1234" }));
    made.resize(1, 2);
    made.resize(2, 3);
    made.resize(1, 3);
    expect(made.after(",s0-")).toEqual({ a: "1234", b: "123" });
    expect(made.after(",s1-,s2-")).toEqual({ a: "12", b: "1234" });
    expect(made.after("")).toEqual({ a: "12\0", b: "123" });
  });

  it("keeps a later size that is durable on top of an earlier one that is not", () => {
    const made = new HandMade(imageOf({ a: "1234" }));
    made.late(made.resize(1, 2));
    made.resize(1, 3);
    made.flush(1);
    expect(made.after("!")).toEqual({ a: "123" });
    expect(made.after("")).toEqual({ a: "12\0" });
  });
});

describe("rule 4, that names, sizes and data are different things", () => {
  it("gives a file its size without its data, and data without size is cut off", () => {
    const made = new HandMade(imageOf({ a: "12" }));
    made.write(1, "abc", 1, 4);
    expect(made.after(",d0-")).toEqual({ a: "12" + zeroes(2) });
    expect(made.after(",s0-")).toEqual({ a: "1a" });
    made.resize(1, 6);
    expect(made.after(",s0-")).toEqual({ a: "1a" });
  });

  it("gives a name without size and data, and a file that was flushed no name", () => {
    const made = new HandMade();
    made.create(ROOT, "a", 1);
    made.write(1, "text", 0, 4);
    expect(made.after("!,n0+")).toEqual({ a: "" });
    made.flush(1);
    expect(made.after("!")).toEqual({});
    expect(made.after("")).toEqual({ a: "text" });
  });

  it("gives back data that was cut off and is written beyond the end no more", () => {
    const made = new HandMade(imageOf({ a: "1234" }));
    made.resize(1, 1);
    made.resize(1, 4);
    expect(made.after(",s1-")).toEqual({ a: "1" });
    expect(made.after("")).toEqual({ a: "1" + zeroes(3) });
  });
});

describe("rule 5, what a failed flush or sync should have covered", () => {
  it("stays uncertain for ever, and later writes are durable on top of it", () => {
    const made = new HandMade(imageOf({ a: "....", b: "...." }));
    made.write(1, "111");
    made.write(2, "111");
    made.flush(1, true);
    made.write(1, "22", 1);
    for (const file of [1, 2, 1]) made.flush(file);
    expect(made.uncertain()).toBe("d0");
    expect(made.after("!")).toEqual({ a: ".22.", b: "111." });
    expect(made.after("")).toEqual({ a: "122.", b: "111." });
  });

  it("is not what was under way then, nor what was durable or certain", () => {
    const made = new HandMade(imageOf({ a: "......" }));
    made.write(1, "1", 0);
    made.flush(1, true);
    made.write(1, "2", 1);
    made.flush(1);
    const slow = made.late(made.write(1, "3", 2));
    made.flush(1, true);
    made.done(slow);
    made.flush(1);
    expect(made.uncertain()).toBe("d0");
    expect(made.after("!")).toEqual({ a: ".23..." });
  });

  it("is forgotten also when an earlier flush that covered it is still under way", () => {
    const made = new HandMade(imageOf({ a: ".." }));
    made.write(1, "1");
    const first = made.late(made.flush(1));
    made.flush(1, true);
    made.done(first);
    made.mark();
    expect(made.after("!")).toEqual({ a: ".." });
  });

  it("of names is the same, also through a rename from another folder", () => {
    const made = new HandMade(imageOf({ a: "" }, ["f"]));
    made.create(ROOT, "b", 2);
    made.rename([ROOT, "a"], [100, "a"], 1);
    made.create(ROOT, "c", 3);
    made.sync(100, true);
    made.create(100, "d", 4);
    made.sync(100);
    made.sync(ROOT);
    expect(made.uncertain()).toBe("n0 n1");
    expect(made.after("!")).toEqual({ a: "", c: "", "f/": "", "f/d": "" });
    expect(made.after(",n1-")).toEqual({ a: "", b: "", c: "", "f/": "", "f/d": "" });
    expect(made.after("")).toEqual({ b: "", c: "", "f/": "", "f/a": "", "f/d": "" });
  });
});
