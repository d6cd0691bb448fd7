/** What a host still does when it is closed: nothing of it may come behind the end of `close`. */
import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/disk.ts";
import type { Operation } from "../../src/testing/operation.ts";
import { openSimulatedHost } from "../../src/testing-store/simulated-host.ts";
import { B, blocks, refusal } from "./refusal.ts";

const isJournal = ({ path }: Operation): boolean => path.includes("/journal");

describe("a host that has failed and is closed", () => {
  // A failure elsewhere did not keep a batch from going on: header and frame were written when the
  // lock had been given back, perhaps while the next host was reading the journal.
  it("writes nothing more to a store that is another's", async () => {
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
