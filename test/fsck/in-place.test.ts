/**
 * A repair in place is killed before every one of its changes, with and without loss of power, and
 * run again: the result is the same. Undone, at any time, the store is as it was.
 */
import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { examine } from "../../src/fsck/check.ts";
import { repairStore, undoRepair } from "../../src/fsck/repair.ts";
import { type Damage, formatDamage } from "../../tools/damage/inflict.ts";
import { randomFrom } from "../../tools/damage/random.ts";
import { type Picture, pictureOf } from "./support/contents.ts";
import { damaged } from "./support/damage-case.ts";
import { FsckStore } from "./support/fsck-store.ts";

const damages: Damage[] = [
  { verb: "value flip", place: "both", seed: 1 },
  { verb: "flip", place: "frames", seed: 3 },
  { verb: "flip", place: "superblock", seed: 2 },
  { verb: "field subvolume root", place: "both", seed: 3 },
  { verb: "noise", place: "label", seed: 1 },
];

async function storeWith(damage: Damage): Promise<FsckStore> {
  const made = await damaged(damage);
  if (!made) throw new Error(`${formatDamage(damage)} finds no place`);
  return made.store;
}

/** A copy that lets so many changes pass and then dies: every later one fails. */
function mortal(store: FsckStore, changes: number): { store: FsckStore; count: () => number } {
  let count = 0;
  const step = (): void => {
    if (count++ >= changes) throw new Error("killed");
  };
  const copy = store.copy(({ kind }) => {
    if (kind !== "read") step();
  });
  copy.onCommit = step;
  return { store: copy, count: () => count };
}

/** What is left of a store whose process died, with or without its power. */
function remains(store: FsckStore, random: (() => number) | undefined): FsckStore {
  const { a, b } = store.images;
  const directory = random ? store.directory.crash(random) : store.directory.killed();
  return new FsckStore(store.layout, directory, { a: a?.clone(), b: b?.clone() });
}

describe("a repair in place", () => {
  it.each(damages.map((damage) => [formatDamage(damage), damage] as const))(
    "killed before every change, and run again: %s",
    async (_, damage) => {
      const store = await storeWith(damage);
      const whole = mortal(store, Infinity);
      expect((await repairStore(whole.store.access, undefined)).exitCode).toBe(1);
      const expected = textOf(await pictureOf(whole.store));
      const random = randomFrom(damage.seed);
      for (let changes = 0; changes < whole.count(); changes++) {
        for (const power of [undefined, random]) {
          const dying = mortal(store, changes).store;
          await repairStore(dying.access, undefined);
          const left = remains(dying, power);
          const { exitCode, failure } = await repairStore(left.access, undefined);
          const { report } = await examine(left.access);
          const seen = { changes, failure, found: report.findings.map(({ id }) => id) };
          expect(seen).toEqual({ changes, failure: undefined, found: [] });
          expect([0, 1]).toContain(exitCode);
          expect(textOf(await pictureOf(left))).toBe(expected);
        }
      }
    },
  );

  it("undone, also when the undoing is killed, leaves the store as it was", async () => {
    const store = await storeWith(damages[0]!);
    const before = await fingerprint(store);
    const repaired = store.copy();
    await repairStore(repaired.access, undefined);
    const whole = mortal(repaired, Infinity);
    await undoRepair(whole.store.access);
    expect(await fingerprint(whole.store)).toEqual(before);
    for (let changes = 0; changes < whole.count(); changes++) {
      const dying = mortal(repaired, changes).store;
      await undoRepair(dying.access).catch(() => undefined);
      const left = remains(dying, undefined);
      await undoRepair(left.access).catch((error: unknown) => {
        // All was put back already, and at most the undo file was left.
        if (!/ENOENT|EBUSY/.test(String(error))) throw error;
      });
      expect({ changes, left: await fingerprint(left) }).toEqual({ changes, left: before });
    }
  });

  it("cannot be undone once the store was written to", async () => {
    const store = await storeWith(damages[0]!);
    await repairStore(store.access, undefined);
    const host = await store.open();
    await host.create("new", { size: 512 });
    await host.close();
    await expect(undoRepair(store.access)).rejects.toThrow("EBUSY");
  });

  it("I8: leaves a store alone that somebody has open", async () => {
    const store = await storeWith({ verb: "flip", place: "superblock", seed: 2 });
    const host = await store.open();
    const { failure, exitCode } = await repairStore(store.access, undefined);
    expect({ code: failure?.code, exitCode }).toEqual({ code: "ELOCKED", exitCode: 8 });
    const { report } = await examine(store.access);
    expect({ code: report.failure?.code, exitCode: report.exitCode }).toEqual({
      code: "ELOCKED",
      exitCode: 8,
    });
    await host.close();
  });

  it("a store in pieces is found, and opens for nobody", async () => {
    const store = await storeWith(damages[0]!);
    const dying = mortal(store, 8).store;
    await repairStore(dying.access, undefined);
    const left = remains(dying, undefined);
    const { report } = await examine(left.access);
    expect(report.findings.map(({ id }) => id)).toEqual(["I003"]);
    expect(report.exitCode).toBe(4);
    // Both say what to do next.
    for (const option of ["--in-place", "--undo", "--to"]) {
      expect(report.findings[0]?.repair).toContain(option);
    }
    await expect(left.open()).rejects.toThrow(
      /^ECORRUPT: a repair in place .* "blockspace repair" .* --in-place again, .* --undo$/,
    );
  });

  it.each(["gone", "damaged"])(
    "a store in pieces whose undo file is %s goes into a new one, and nowhere else",
    async (how) => {
      const damage = damages[1]!;
      const store = await storeWith(damage);
      const whole = mortal(store, Infinity);
      await repairStore(whole.store.access, undefined);
      const expected = textOf(await pictureOf(whole.store));
      const dying = mortal(store, whole.count() - 3).store;
      await repairStore(dying.access, undefined);
      const left = remains(dying, undefined);
      if (how === "gone") await left.remove("fsck.undo");
      else await left.write("fsck.undo", (await left.read("fsck.undo")).fill(0, 100, 200));
      const { failure } = await repairStore(left.access, undefined);
      expect(failure?.message).toContain("allowed is a repair into a new directory");
      const target = new FsckStore(left.layout);
      const { exitCode, losses } = await repairStore(left.access, target.access);
      expect(exitCode).toBe(1);
      expect(losses.at(-1)?.note).toContain("what followed commit");
      expect(textOf(await pictureOf(target))).toBe(expected);
    },
  );
});

/** Every byte of a store but for the lock and the undo file. */
async function fingerprint(store: FsckStore): Promise<unknown> {
  const journal = store.directory.directory("journal");
  const files: Record<string, string> = {};
  for (const name of ["superblock", "data"]) files[name] = hex(await store.read(name));
  for (const name of await journal.list()) files[name] = hex(await store.read(`journal/${name}`));
  for (const name of ["a", "b"] as const) {
    const bytes = await store.access.saveEnvironment(name);
    files[name] = bytes ? hex(bytes) : "";
  }
  return files;
}

/** A picture as text, which is compared in no time. */
function textOf(picture: Picture): string {
  const parts = [...picture].map(([name, { size, blocks }]) => {
    const data = blocks.map((block) => (block ? hex(block) : "unreadable"));
    return [name, size, ...data].join(" ");
  });
  return createHash("sha256").update(parts.join("\n")).digest("hex");
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
