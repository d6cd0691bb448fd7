/**
 * Environments of another store in the place of ours, as after a restore that mixed two stores up,
 * on real files. What they hold lies beyond the end of our journal, so that nothing but the store's
 * id speaks against them. The host once believed them, and read zeroes where there was data.
 */
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { check } from "../../src/fsck/check.ts";
import { Host } from "../../src/host/host.ts";
import { pattern, scratchDirectory } from "../device/scratch.ts";
import { expectBytes } from "./refusal.ts";

const MiB = 2 ** 20;
const OPTIONS = { create: true, capacity: 64 * MiB, journalSize: MiB };
const data = pattern(300_000, 1);

/** Ours: data in both checkpoints, and some behind them. */
async function makeOurs(path: string): Promise<number> {
  const host = await Host.open(path, OPTIONS);
  const disk = await host.create("disk", { size: MiB });
  await disk.write(0, data.subarray(0, 100_000));
  await host.checkpoint();
  await disk.write(100_000, data.subarray(100_000));
  await host.close();
  return (await lastLsn(path))!;
}

/** Another one with a disk of the same name and size, and more commits. */
async function makeOther(path: string): Promise<number> {
  const host = await Host.open(path, OPTIONS);
  await host.create("disk", { size: MiB });
  for (let i = 0; i < 12; i++) {
    await host.create(`disk ${i}`, { size: MiB });
    if (i % 4 === 0) await host.checkpoint();
  }
  await host.checkpoint();
  await host.checkpoint();
  await host.close();
  return (await lastLsn(path))!;
}

async function lastLsn(path: string): Promise<number | undefined> {
  return (await check(path)).state?.lsn;
}

describe("checkpoints of another store", () => {
  const scratch = scratchDirectory();

  it.each([[["a"]], [["b"]], [["a", "b"]]])(
    "I6: in the place of %j are not believed, and written anew",
    async (places) => {
      const [store, other] = [join(scratch(), "store"), join(scratch(), "other")];
      expect(await makeOther(other)).toBeGreaterThan(await makeOurs(store));
      for (const name of places) {
        const file = join("checkpoint", name, "data.mdb");
        await cp(join(other, file), join(store, file));
      }

      const reader = await Host.open(store, { readOnly: true });
      expect(reader.recovery.damagedCheckpoint).toContain("belongs to another store");
      expect(reader.list().map(({ name }) => name)).toEqual(["disk"]);
      expectBytes(await reader.get("disk").read(0, data.length), data);
      await reader.close();

      const host = await Host.open(store);
      expectBytes(await host.get("disk").read(0, data.length), data);
      for (const text of ["one", "two"]) {
        await host.get("disk").write(500_000, Buffer.from(text));
        await host.checkpoint();
      }
      await host.close();
      expect((await check(store, { data: true })).findings).toEqual([]);
      const healed = await Host.open(store);
      expect(healed.recovery).not.toHaveProperty("damagedCheckpoint");
      expectBytes(await healed.get("disk").read(0, data.length), data);
      expectBytes(await healed.get("disk").read(500_000, 3), Buffer.from("two"));
      await healed.close();
    },
  );
});
