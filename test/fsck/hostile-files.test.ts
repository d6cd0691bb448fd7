/**
 * P3: any bytes in place of any file get a finding or a refusal, and an exit code, in bounded time;
 * nothing is thrown, and nothing ends as a defect of ours.
 */
import { describe, expect, it } from "vitest";
import { examine } from "../../src/fsck/check.ts";
import { repairStore } from "../../src/fsck/repair.ts";
import { byteVerbs } from "../../tools/damage/byte-verbs.ts";
import { below, pick, type Random, randomFrom } from "../../tools/damage/random.ts";
import { FsckStore } from "./support/fsck-store.ts";
import { sampleStore } from "./support/sample-store.ts";

/** Bytes that have no business where they are put. */
const foreign: Readonly<Record<string, (random: Random, own: Uint8Array) => Uint8Array>> = {
  nothing: () => new Uint8Array(),
  "one byte": () => Uint8Array.of(66),
  noise: (random, own) => Uint8Array.from(own, () => below(random, 256)),
  "noise behind a true beginning": (random, own) =>
    Uint8Array.from(own, (byte, i) => (i < 64 ? byte : below(random, 256))),
  ones: (_, own) => new Uint8Array(own.length).fill(0xff),
  text: (_, own) => new TextEncoder().encode("not a store\n".repeat(1 + own.length / 12)),
  "twice itself": (_, own) => Buffer.concat([own, own]),
  "a part": (random, own) => own.slice(0, below(random, own.length)),
  backwards: (_, own) => Uint8Array.from(own).toReversed(),
};

async function names(store: FsckStore): Promise<string[]> {
  const journal = await store.directory.directory("journal").list();
  return ["superblock", "data", ...journal.map((name) => `journal/${name}`)];
}

describe("hostile files", { timeout: 600_000 }, () => {
  it.each(Object.keys(foreign))("%s in place of each file", async (what) => {
    const whole = await sampleStore(4);
    for (const [seed, file] of (await names(whole)).entries()) {
      const store = whole.copy();
      const bytes = foreign[what]!(randomFrom(seed), await whole.read(file));
      await store.write(file, bytes);
      const { report } = await examine(store.access, { data: true });
      expect({ file, failure: report.failure?.code }).not.toMatchObject({ failure: "EINTERNAL" });
      const target = new FsckStore(store.layout);
      const repaired = await repairStore(store.access, target.access);
      expect({ file, failure: repaired.failure?.code }).not.toMatchObject({ failure: "EINTERNAL" });
    }
  });

  it("each file of another store", async () => {
    const [whole, other] = [await sampleStore(4), await sampleStore(5)];
    for (const file of await names(whole)) {
      const store = whole.copy();
      await store.write(file, await other.read(file).catch(() => new Uint8Array(512)));
      const { report } = await examine(store.access);
      expect({ file, failure: report.failure, exit: report.exitCode }).toMatchObject({
        failure: undefined,
      });
    }
  });

  it("several damages at once", async () => {
    const random = randomFrom(7);
    const whole = await sampleStore(6);
    for (let round = 0; round < 300; round++) {
      const store = whole.copy();
      for (let i = 0; i < 4; i++) {
        const file = pick(random, await names(store));
        const verb = pick(random, Object.values(byteVerbs));
        const bytes = await store.read(file);
        if (bytes.length > 0) await store.write(file, verb(bytes, random));
      }
      const { report } = await examine(store.access, { data: true });
      expect({ round, code: report.failure?.code }).not.toMatchObject({ code: "EINTERNAL" });
    }
  });

  it.each(["journal", "checkpoint", "data", "superblock"])(
    "a file where %s should be a directory, or the reverse",
    async (name) => {
      const store = await sampleStore(4);
      const twin = new FsckStore(store.layout);
      for (const file of ["superblock", "data", "lock"]) {
        if (file !== name) await twin.write(file, await store.read(file));
      }
      if (name === "journal" || name === "checkpoint") await twin.write(name, new Uint8Array(512));
      else await twin.directory.directory(name).ensure();
      const { report } = await examine(twin.access);
      expect(report.failure?.code).not.toBe("EINTERNAL");
      expect(report.exitCode).not.toBe(0);
    },
  );
});
