/** What a host still does when it is closed: nothing of it may come behind the end of `close`. */
import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { CleanerReport } from "../../src/host/cleaner.ts";
import type { Host } from "../../src/host/host.ts";
import { SimulatedDisk } from "../../src/testing/disk.ts";
import type { Operation } from "../../src/testing/operation.ts";
import { engineOf, openSimulatedHost } from "../../src/testing-store/simulated-host.ts";
import { B, blocks, expectBytes, refusal, unawaited } from "./refusal.ts";

const isJournal = ({ path }: Operation): boolean => path.includes("/journal");

describe("a host that has failed and is closed", () => {
  // A failure elsewhere did not keep a batch from going on: header and frame were written when the
  // lock had been given back, perhaps while the next host was reading the journal.
  it("I8: writes nothing more to a store that is another's", async () => {
    const disk = new SimulatedDisk();
    const host = await openSimulatedHost(disk, { create: true, blockSize: B, capacity: 2 ** 20 });
    const volume = await host.create("volume", { size: 64 * B });
    const cookie = await volume.reserve(1, B);
    const iomap = await volume.allocate(cookie, 0, B);
    const isMaking = new Promise<void>((resolve) => {
      disk.onOperation = (operation) => {
        if (operation.path.endsWith("/data")) return { type: "fail", code: "EIO" };
        if (operation.kind !== "create" || !isJournal(operation)) return undefined;
        resolve();
        return { type: "delay", turns: 200 };
      };
    });
    const flush = refusal(() => volume.flush());
    await isMaking;
    expect(await refusal(() => volume.submit(iomap, blocks("x")))).toMatchObject({ code: "EIO" });
    await refusal(() => host.close());
    const late: Operation[] = [];
    disk.onOperation = (operation) => void late.push(operation);
    expect(await flush).toMatchObject({ code: "EIO" });
    for (let turn = 0; turn < 200; turn++) await setImmediate();
    expect(late).toEqual([]);
  });
});

/** Until it has begun to give warm space back. */
async function compactUntilGivingBack(host: Host): Promise<{ compacting: Promise<CleanerReport> }> {
  const { releaser } = engineOf(host);
  const giveBack = releaser.giveBack.bind(releaser);
  let compacting!: Promise<CleanerReport>;
  await new Promise<void>((resolve) => {
    releaser.giveBack = () => {
      resolve();
      return giveBack();
    };
    compacting = host.compact();
  });
  return { compacting };
}

describe("a host that is closed while it compacts", () => {
  // The next hole was punched in a device that was closed, and that was told as a failure of it.
  it("gives the rest of its space back, and has not failed", async () => {
    const disk = new SimulatedDisk();
    const geometry = { segmentBlocks: 16 };
    const options = { create: true, blockSize: B, capacity: 2 ** 20, geometry };
    const host = await openSimulatedHost(disk, options);
    const volume = await host.create("volume", { size: 64 * B });
    const other = await host.create("other", { size: 512 * B });
    await other.write(0, blocks("other", 512));
    await host.checkpoint();
    await other.discard(0, 512 * B);
    for (let i = 0; i < 3; i++) {
      await volume.write(0, blocks("volume", 64));
      await host.checkpoint();
    }
    // Who goes on writing has some space kept warm.
    disk.onOperation = ({ kind }) => {
      if (kind === "commit") unawaited(volume.write(0, blocks("volume", 16)));
    };
    const { compacting } = await compactUntilGivingBack(host);
    let discards = 0;
    disk.onOperation = ({ kind }) => {
      if (kind !== "discard") return undefined;
      discards++;
      return discards === 1 ? { type: "delay", turns: 300 } : undefined;
    };
    while (discards === 0) await setImmediate();
    await host.close();
    expect(await compacting).toMatchObject({ problems: [] });
    expect(discards).toBeGreaterThan(1);
    const again = await openSimulatedHost(disk);
    expectBytes(await again.get("volume").read(0, 64 * B), blocks("volume", 64));
    await again.close();
  });
});
