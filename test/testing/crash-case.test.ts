/** The texts that name a case: crash vectors and fault plans, there and back, and what they refuse. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CrashCase, formatCase, parseCase } from "../../src/testing/crash-case.ts";
import type { Fate, TornPart } from "../../src/testing/crash-point.ts";
import {
  type CrashVector,
  fateIn,
  formatVectors,
  parseVectors,
} from "../../src/testing/crash-vector.ts";
import {
  FaultInjector,
  type FaultKind,
  faultKinds,
  type FaultPlan,
  formatPlan,
  parsePlan,
  plansFor,
} from "../../src/testing/faults.ts";
import type { Fault, Operation } from "../../src/testing/operation.ts";

const count = fc.nat({ max: 1_000_000 });
const unit = fc.tuple(fc.constantFrom("d", "s", "n"), count).map((parts) => parts.join(""));
const part: fc.Arbitrary<TornPart> = fc.record({
  what: fc.constantFrom("kept", "lost", "garbage"),
  length: fc.integer({ min: 1, max: 5000 }),
});
const fate: fc.Arbitrary<Fate> = fc.oneof(
  fc.constantFrom<Fate>("kept", "lost"),
  fc.array(part, { minLength: 1, maxLength: 6 }),
);
const vector: fc.Arbitrary<CrashVector> = fc.record({
  cut: count,
  others: fc.constantFrom("kept", "lost"),
  fates: fc.array(fc.tuple(unit, fate), { maxLength: 5 }).map((fates) => new Map(fates)),
});
const anyFault: fc.Arbitrary<Fault> = fc.oneof(
  fc.constantFrom("EIO", "ENOSPC", "E2BIG").map((code): Fault => ({ type: "fail", code })),
  fc.constant<Fault>({ type: "fail", code: "EIO", effect: "all" }),
  fc.constant<Fault>({ type: "lie" }),
  count.map((bytes): Fault => ({ type: "short", bytes })),
  count.map((offset): Fault => ({ type: "misdirect", offset })),
  count.map((bit): Fault => ({ type: "flip", bit })),
  count.map((turns): Fault => ({ type: "delay", turns })),
);
const plan: fc.Arbitrary<FaultPlan> = fc.oneof(
  fc.record({ at: fc.integer({ min: 1, max: 9999 }), fault: anyFault }),
  fc.record({ at: fc.integer({ min: 1, max: 9999 }), lasting: fc.constant(true), fault: anyFault }),
);
const crashCase: fc.Arbitrary<CrashCase> = fc.oneof(
  fc.record({ vectors: fc.array(vector, { minLength: 1, maxLength: 3 }) }),
  fc.record({ plan, vectors: fc.array(vector, { minLength: 1, maxLength: 3 }) }),
);

/** What becomes of each byte, which is all that a fate says. */
function bytesOf(given: Fate): string {
  if (typeof given === "string") return given;
  return given
    .map(({ what, length }) => what[0]!.repeat(length))
    .join("")
    .replace(/l+$/, "");
}

describe("the text of a case", () => {
  it("says what the case says, and is the text of what it is read as", () => {
    const property = fc.property(crashCase, (given) => {
      const text = formatCase(given);
      const read = parseCase(text);
      expect(formatCase(read)).toBe(text);
      expect(read.plan).toEqual(given.plan);
      expect(read.vectors.length).toBe(given.vectors.length);
      for (const [i, { cut, others, fates }] of given.vectors.entries()) {
        const other = read.vectors[i]!;
        expect([other.cut, other.others, [...other.fates.keys()]]).toEqual([
          cut,
          others,
          [...fates.keys()],
        ]);
        for (const [name, each] of fates)
          expect(bytesOf(other.fates.get(name)!)).toBe(bytesOf(each));
      }
    });
    fc.assert(property);
  });

  it.each([
    ["42", 42, "kept", []],
    ["42!", 42, "lost", []],
    ["0,d40-", 0, "kept", [["d40", "lost"]]],
    ["42!,d40+", 42, "lost", [["d40", "kept"]]],
    [
      "42,s40-,n7-",
      42,
      "kept",
      [
        ["s40", "lost"],
        ["n7", "lost"],
      ],
    ],
  ] as const)("%s is read as the head of crash-vector.ts has it", (text, cut, others, fates) => {
    expect(parseVectors(text)).toEqual([{ cut, others, fates: new Map(fates as never) }]);
  });

  it("joins neighbours in a torn write, and leaves out the end that is lost", () => {
    const parts: TornPart[] = [
      { what: "kept", length: 512 },
      { what: "kept", length: 512 },
      { what: "garbage", length: 10 },
      { what: "lost", length: 512 },
      { what: "lost", length: 512 },
    ];
    const of = (fates: TornPart[]): string =>
      formatVectors([{ cut: 1, others: "kept", fates: new Map([["d0", fates]]) }]);
    expect(of(parts)).toBe("1,d0:k1024g10");
    expect(of(parts.slice(3))).toBe("1,d0:l1024");
    expect(parts[0]!.length).toBe(512);
  });

  it("names the fate of all other units as well", () => {
    const [read] = parseVectors("9!,d3+,n4-");
    const fateOf = fateIn(read!);
    const named = (type: "data" | "size" | "names", at: number): Fate =>
      fateOf({ type, at } as Parameters<typeof fateOf>[0]);
    expect([named("data", 3), named("names", 4), named("size", 3), named("data", 4)]).toEqual([
      "kept",
      "lost",
      "lost",
      "lost",
    ]);
  });

  it.each([
    ["", '"" is no crash vector; one begins as in 42 or 42!'],
    ["x,d1-", '"x" is no crash vector; one begins as in 42 or 42!'],
    ["4!!", '"4!!" is no crash vector; one begins as in 42 or 42!'],
    ["4/", '"" is no crash vector; one begins as in 42 or 42!'],
    ["4,", '"" is no clause of a crash vector; d40-, s40+, d40:k512g512 are'],
    ["4,x1-", '"x1-" is no clause of a crash vector; d40-, s40+, d40:k512g512 are'],
    ["4,d1", '"d1" is no clause of a crash vector; d40-, s40+, d40:k512g512 are'],
    ["4,d1:", '"d1:" is no clause of a crash vector; d40-, s40+, d40:k512g512 are'],
    ["4,d1:k5x", '"d1:k5x" is no clause of a crash vector; d40-, s40+, d40:k512g512 are'],
    ["4,d1-+", '"d1-+" is no clause of a crash vector; d40-, s40+, d40:k512g512 are'],
    ["17:EIO|4", '"17:EIO" is no fault; one looks like @17:EIO, from @1 on'],
    ["@0:EIO|4", '"@0:EIO" is no fault; one looks like @17:EIO, from @1 on'],
    ["@1:EIO|4|5", '"4|5" is no crash vector; one begins as in 42 or 42!'],
    ["|4", '"" is no fault; one looks like @17:EIO, from @1 on'],
  ])("%j is refused with what is allowed", (text, message) => {
    expect(() => parseCase(text)).toThrow(new SyntaxError(message));
  });

  it.each(["short", "lie5", "delay!", "EIO5!!", "eio", "flip-1", "flip1.5", "nonsense7"])(
    "a fault %s is refused with what is allowed",
    (text) => {
      const allowed = "EIO, EIO!, short100, lie, misdirect4096, flip12, delay16 are";
      const error = new SyntaxError(`"${text}" is no fault; ${allowed}`);
      expect(() => parsePlan(`@17:${text}`)).toThrow(error);
    },
  );

  it.each([
    "@17:EIO",
    "@17:EIO!",
    "@17+:ENOSPC",
    "@17:short100",
    "@17:short100,ENOSPC",
    "@17:lie",
    "@17:flip12",
    "@17:delay3",
  ])("%s is read and written alike", (text) => expect(formatPlan(parsePlan(text))).toBe(text));
});

describe("the faults of a kind", () => {
  const operations: Operation[] = [
    { kind: "open", path: "/a" },
    { kind: "read", path: "/a", offset: 8, length: 4 },
    { kind: "read", path: "/a", offset: 8, length: 0 },
    { kind: "write", path: "/a", offset: 8, length: 5 },
    { kind: "resize", path: "/a", length: 9 },
    { kind: "flush", path: "/a" },
    { kind: "discard", path: "/a", offset: 0, length: 4 },
    { kind: "create", path: "/a", length: 0 },
    { kind: "remove", path: "/a" },
    { kind: "rename", path: "/a" },
    { kind: "sync", path: "/" },
    { kind: "commit", path: "cell" },
  ];
  const plansOf = (kind: FaultKind): string =>
    operations
      .flatMap((operation, i) => plansFor(kind, operation, i + 1))
      .map(formatPlan)
      .join(" ");

  it("strike the operations that can meet it", () => {
    const each = operations.map((_, i) => i + 1);
    expect(
      Object.fromEntries(Object.keys(faultKinds).map((kind) => [kind, plansOf(kind as FaultKind)])),
    ).toEqual({
      EIO: each.map((at) => `@${at}:EIO @${at}+:EIO`).join(" "),
      ENOSPC:
        "@4:ENOSPC @4+:ENOSPC @4:short2,ENOSPC " +
        [5, 8, 12].map((at) => `@${at}:ENOSPC @${at}+:ENOSPC`).join(" "),
      EMFILE: "@1:EMFILE @8:EMFILE",
      short: "@2:short2 @4:short2",
      sync: "@6:EIO @11:EIO",
      lie: "@6:lie @6+:lie @11:lie @11+:lie",
      lost: "@4:lie @7:lie",
      misdirect: "@2:misdirect12 @4:misdirect13",
      flip: `@2:flip${(2 * 7919) % 32} @4:flip${(4 * 7919) % 40}`,
      delay: each.map((at) => `@${at}:delay16`).join(" "),
    });
  });

  const struckBy = (text: string, kinds: string): string => {
    const injector = new FaultInjector(parsePlan(text));
    const met = kinds.split(" ").map((kind) => {
      const fault = injector.onOperation({ kind: kind as Operation["kind"], path: "/a" });
      return fault ? "!" : ".";
    });
    expect(injector.struck.length).toBe(met.filter((one) => one === "!").length);
    return met.join("");
  };

  it("cuts nothing short of which no part would be left: that is the end of a file", () => {
    for (const kind of ["read", "write"] as const) {
      const operation = { kind, path: "/a", offset: 0, length: 1 };
      expect(plansFor("short", operation, 1)).toEqual([]);
    }
  });

  it("strike once, or every later operation of the same kind", () => {
    expect(struckBy("@2:EIO", "write write flush write")).toBe(".!..");
    expect(struckBy("@2+:EIO", "write write flush write sync write")).toBe(".!.!.!");
    expect(struckBy("@9+:EIO", "write write flush")).toBe("...");
    expect(struckBy("@2:short1,ENOSPC", "write write flush write write")).toBe(".!.!.");
  });
});
