/**
 * Every argument that cannot be: its code, a message that says what was given and what is allowed,
 * and a host that is not changed by it.
 */
import { describe, expect, it } from "vitest";
import type { ErrorCode } from "../../src/base/errors.ts";
import type { Host } from "../../src/host/host.ts";
import { type At, B, blocks, picture, refusal, start } from "./refusal.ts";

const BIG = 2 ** 53;

/** Numbers that are no offsets, as they are and as a message shows them. */
const notWhole: [string, unknown][] = [
  ["-1", -1],
  ["0.5", 0.5],
  ["NaN", NaN],
  ["Infinity", Infinity],
  [String(BIG), BIG],
  ['"4"', "4"],
  ["null", null],
  ["undefined", undefined],
  ["4n", 4n],
  ["Array", [4]],
  ["true", true],
];

const any = (value: unknown): never => value as never;

const takesNumbers: [string, (at: At, value: never) => unknown][] = [
  ["read: offset", ({ disk }, value) => disk.read(value, 1)],
  ["read: length", ({ disk }, value) => disk.read(0, value)],
  ["write: offset", ({ disk }, value) => disk.write(value, blocks("y"))],
  ["discard: offset", ({ disk }, value) => disk.discard(value, 1)],
  ["discard: length", ({ disk }, value) => disk.discard(0, value)],
  ["writeZeroes: offset", ({ disk }, value) => disk.writeZeroes(value, 1)],
  ["writeZeroes: length", ({ disk }, value) => disk.writeZeroes(0, value)],
  ["preallocate: offset", ({ disk }, value) => disk.preallocate(value, 1)],
  ["preallocate: length", ({ disk }, value) => disk.preallocate(0, value)],
  ["resize: size", ({ disk }, value) => disk.resize(value)],
  ["create: size", ({ host }, value) => host.create("new", { size: value })],
  ["reserve: allocCount", ({ disk }, value) => disk.reserve(value, B)],
  ["reserve: blockSize", ({ disk }, value) => disk.reserve(1, value)],
  ["allocate: offset", ({ disk, cookie }, value) => disk.allocate(cookie, value, B)],
  ["allocate: count", ({ disk, cookie }, value) => disk.allocate(cookie, 0, value)],
  ["commit: offset", ({ disk, cookie }, value) => disk.commit(cookie, value, B, "cow")],
  ["commit: count", ({ disk, cookie }, value) => disk.commit(cookie, 0, value, "cow")],
  [
    "transact write: offset",
    ({ host, disk }, value) => host.transact((tx) => tx.write(disk, value, blocks("y"))),
  ],
  [
    "transact discard: offset",
    ({ host, disk }, value) => host.transact((tx) => tx.discard(disk, value, 1)),
  ],
  [
    "transact writeZeroes: length",
    ({ host, disk }, value) => host.transact((tx) => tx.writeZeroes(disk, 0, value)),
  ],
];

/** These may be left out. */
const takesOptionalNumbers: typeof takesNumbers = [
  ["map: count", ({ disk }, value) => disk.map(0, value)],
  ["extents: offset", ({ disk }, value) => disk.extents(value)],
  ["extents: count", ({ disk }, value) => disk.extents(0, value)],
];

describe("numbers", () => {
  it.each(takesNumbers.concat(takesOptionalNumbers))(
    "%s must be a whole number from 0 to 2^53 - 1",
    async (name, call) => {
      const at = await start();
      const before = await picture(at.host);
      for (const [shown, value] of notWhole) {
        if (value === undefined && takesOptionalNumbers.some(([other]) => other === name)) continue;
        const error = await refusal(() => call(at, any(value)));
        expect({ shown, code: error.code }).toEqual({ shown, code: "EINVAL" });
        expect(error.message).toContain(shown);
        expect(error.message).toContain("allowed are");
      }
      expect(await picture(at.host)).toEqual(before);
      await at.host.close();
    },
  );

  it.each<[string, (at: At) => unknown]>([
    ["resize to 0", ({ disk }) => disk.resize(0)],
    ["create of 0 bytes", ({ host }) => host.create("new", { size: 0 })],
    ["reserve of nothing", ({ disk }) => disk.reserve(0, B)],
    ["reserve of blocks of nothing", ({ disk }) => disk.reserve(1, 0)],
    ["reserve in blocks that are no multiple", ({ disk }) => disk.reserve(1, B + 1)],
    ["reserve of more than can be counted", ({ disk }) => disk.reserve(2 ** 52, 8 * B)],
    ["allocate of nothing", ({ disk, cookie }) => disk.allocate(cookie, 0, 0)],
    ["allocate at half a block", ({ disk, cookie }) => disk.allocate(cookie, 100, B)],
    ["allocate of half a block", ({ disk, cookie }) => disk.allocate(cookie, 0, 100)],
    ["commit at half a block", ({ disk, cookie }) => disk.commit(cookie, 100, B, "cow")],
    ["commit of half a block", ({ disk, cookie }) => disk.commit(cookie, 0, 100, "cow")],
    ["map of nothing", ({ disk }) => disk.map(0, 0)],
  ])("%s: EINVAL", async (_name, call) => {
    const at = await start();
    const before = await picture(at.host);
    const error = await refusal(() => call(at));
    expect(error.code).toBe("EINVAL");
    expect(error.message).toMatch(/allowed are/);
    expect(await picture(at.host)).toEqual(before);
    await at.host.close();
  });

  it("a reservation that no host of this size could hold is ENOSPC", async () => {
    const at = await start();
    expect(await refusal(() => at.disk.reserve(2 ** 40, B))).toMatchObject({ code: "ENOSPC" });
    await at.host.close();
  });

  it("a read that no buffer could hold is ERANGE, and says how much may be read", async () => {
    const at = await start();
    await at.disk.resize(Number.MAX_SAFE_INTEGER);
    const error = await refusal(() => at.disk.read(0, Number.MAX_SAFE_INTEGER));
    expect(error.code).toBe("ERANGE");
    expect(error.message).toContain(String(Number.MAX_SAFE_INTEGER));
    await at.host.close();
  });
});

describe("names", () => {
  const long = "n".repeat(256);
  const bad: [string, unknown, ErrorCode][] = [
    ["empty", "", "EINVAL"],
    ["256 bytes", long, "ENAMETOOLONG"],
    ["86 characters of three bytes", "\u20ac".repeat(86), "ENAMETOOLONG"],
    ["half a surrogate pair", "\ud800", "EINVAL"],
    ["a control character", "a\nb", "EINVAL"],
    ["a null character", "a\0b", "EINVAL"],
    ["a late control character", "a\u0085b", "EINVAL"],
    ["a number", 7, "EINVAL"],
    ["null", null, "EINVAL"],
    ["nothing", undefined, "EINVAL"],
    ["a list", ["disk"], "EINVAL"],
  ];
  const takesNames: [string, (host: Host, name: never) => unknown][] = [
    ["create", (host, name) => host.create(name, { size: B })],
    ["get", (host, name) => host.get(name)],
    ["snapshot: source", (host, name) => host.snapshot(name, "new")],
    ["snapshot: name", (host, name) => host.snapshot("disk", name)],
    ["clone: source", (host, name) => host.clone(name, "new")],
    ["clone: name", (host, name) => host.clone("disk", name)],
    ["rollback: name", (host, name) => host.rollback(name, "snap")],
    ["rollback: snapshot", (host, name) => host.rollback("disk", name)],
    ["rename: name", (host, name) => host.rename(name, "new")],
    ["rename: to", (host, name) => host.rename("disk", name)],
    ["delete", (host, name) => host.delete(name)],
    ["diff: a", (host, name) => host.diff(name, "disk")],
    ["diff: b", (host, name) => host.diff("disk", name)],
    ["transact snapshot", (host, name) => host.transact((tx) => tx.snapshot("disk", name))],
    ["transact clone", (host, name) => host.transact((tx) => tx.clone(name, "new"))],
    ["transact rename", (host, name) => host.transact((tx) => tx.rename("disk", name))],
    ["transact delete", (host, name) => host.transact((tx) => tx.delete(name))],
  ];

  it.each(takesNames)("%s refuses what is no name", async (_name, call) => {
    const at = await start();
    const before = await picture(at.host);
    for (const [what, name, code] of bad) {
      const error = await refusal(() => call(at.host, any(name)));
      expect({ what, code: error.code }).toEqual({ what, code });
      expect(error.message).toContain("allowed are 1 to 255 bytes of UTF-8");
    }
    expect(await picture(at.host)).toEqual(before);
    await at.host.close();
  });

  it.each([
    "a",
    "n".repeat(255),
    "disk@monday",
    "../x",
    "\u20ac \u{1f600}",
    "a".repeat(252) + "\u20ac",
  ])("takes %j", async (name) => {
    const { store, host } = await start();
    await host.create(name, { size: 5 });
    await host.flush();
    const after = await store.crash(() => 0).open();
    expect(after.get(name).size).toBe(5);
    for (const each of [host, after]) await each.close();
  });

  it.each<[string, (host: Host) => unknown]>([
    ["create", (host) => host.create("snap", { size: B })],
    ["snapshot", (host) => host.snapshot("disk", "snap")],
    ["clone", (host) => host.clone("disk", "disk")],
    ["rename", (host) => host.rename("snap", "disk")],
    ["transact snapshot", (host) => host.transact((tx) => tx.snapshot("disk", "snap"))],
    ["transact rename", (host) => host.transact((tx) => tx.rename("disk", "snap"))],
  ])("%s refuses a name that is taken: EEXIST", async (_name, call) => {
    const at = await start();
    const before = await picture(at.host);
    const error = await refusal(() => call(at.host));
    expect(error.code).toBe("EEXIST");
    expect(error.message).toMatch(/"(disk|snap)"/);
    expect(await picture(at.host)).toEqual(before);
    await at.host.close();
  });

  it.each(
    takesNames.filter(([name]) => !/name|create|rename: to|transact snap|transact ren/.test(name)),
  )("%s refuses a name that nobody has: ENOENT", async (_name, call) => {
    const at = await start();
    const before = await picture(at.host);
    const error = await refusal(() => call(at.host, any("nobody")));
    expect(error).toMatchObject({ code: "ENOENT", subvolume: "nobody" });
    expect(error.message).toContain('"nobody"');
    expect(await picture(at.host)).toEqual(before);
    await at.host.close();
  });
});
