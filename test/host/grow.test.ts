/**
 * A store that is made larger: what it gets can be used at once and after every crash, and whatever
 * cuts it short leaves a store that is as large as before, or as large as it was to be.
 */
import { describe, expect, it } from "vitest";
import type { Operation } from "../../src/testing/operation.ts";
import { decodeSuperblock, SUPERBLOCK_SLOT_SIZE } from "../../src/format/superblock.ts";
import type { Host } from "../../src/host/host.ts";
import type { Subvolume } from "../../src/host/subvolume.ts";
import { audit } from "../../src/testing-store/audit.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { B, blocks, expectBytes, expectConserved, refusal } from "./refusal.ts";

const BEFORE = 100;
const AFTER = 250;

/** Full but for what is kept back, the last segment of 16 blocks a part of one. */
async function full(): Promise<{ store: MemoryStore; host: Host; disk: Subvolume }> {
  const store = MemoryStore.create({ capacityBlocks: BEFORE });
  const host = await store.open();
  const disk = await host.create("disk", { size: 1024 * B });
  await disk.write(0, blocks("old ", host.statistics().free / B));
  return { store, host, disk };
}

/** Recomputes all counts, and compares them. */
function auditOf(store: MemoryStore, host: Host): void {
  audit(store.engineOf(host).state);
  expectConserved(host);
}

/** The capacity in blocks that each slot of the superblock speaks of. */
async function slotsOf(store: MemoryStore): Promise<number[]> {
  const device = await store.directory.open("superblock", "read");
  const bytes = new Uint8Array(2 * SUPERBLOCK_SLOT_SIZE);
  await device.read(bytes, 0);
  return [0, SUPERBLOCK_SLOT_SIZE].map(
    (at) => decodeSuperblock(bytes.slice(at, at + SUPERBLOCK_SLOT_SIZE)).capacityBlocks,
  );
}

describe("grow", () => {
  it("gives a full store room at once, and the figures say so", async () => {
    const { store, host, disk } = await full();
    const { free, allocated } = host.statistics();
    expect(free).toBe(0);
    expect((await refusal(() => disk.write(200 * B, blocks("no")))).code).toBe("ENOSPC");
    await host.grow(AFTER * B);
    expect(host.statistics()).toMatchObject({ capacity: AFTER * B, allocated });
    expectConserved(host);
    const more = host.statistics().free / B;
    expect(more).toBe(AFTER - BEFORE);
    await disk.write(200 * B, blocks("new ", more));
    expect((await refusal(() => disk.write(900 * B, blocks("no")))).code).toBe("ENOSPC");
    auditOf(store, host);
    expectBytes(await disk.read(200 * B, more * B), blocks("new ", more));
    expect(await slotsOf(store)).toEqual([AFTER, AFTER]);
  });

  it("is there in the next opening, closed or killed, with all that was written", async () => {
    const { store, host, disk } = await full();
    await host.checkpoint();
    await host.grow(AFTER * B);
    await disk.write(200 * B, blocks("new ", AFTER - BEFORE));
    await host.flush();
    const killed = store.killed();
    await host.close();
    for (const left of [killed, store]) {
      const again = await left.open();
      expect(again.statistics().capacity).toBe(AFTER * B);
      auditOf(left, again);
      const found = await again.get("disk").read(200 * B, (AFTER - BEFORE) * B);
      expectBytes(found, blocks("new ", AFTER - BEFORE));
      await again.close();
    }
  });

  it("may come again, beside everything else that is under way", async () => {
    const { store, host, disk } = await full();
    const calls: Promise<unknown>[] = [];
    for (let blocksNow = BEFORE; blocksNow <= 400; blocksNow += 37) {
      calls.push(host.grow(blocksNow * B), disk.write(300 * B, blocks(`at ${blocksNow} `, 20)));
      calls.push(host.snapshot("disk", `s${blocksNow}`), host.checkpoint());
    }
    const outcomes = await Promise.allSettled(calls);
    // Only the first one comes before there is room.
    expect(outcomes.map(({ status }) => status).filter((one) => one === "rejected")).toHaveLength(
      1,
    );
    await host.compact();
    auditOf(store, host);
    await host.close();
    const again = await store.open();
    auditOf(store, again);
    expectBytes(await again.get("disk").read(300 * B, 20 * B), blocks("at 396 ", 20));
  });

  it("to what it has is nothing to do", async () => {
    const { store, host } = await full();
    const writes = store.count("other", "write");
    await host.grow(BEFORE * B);
    await host.grow(BEFORE * B + B - 1);
    expect(store.count("other", "write")).toBe(writes);
    expect(host.statistics().capacity).toBe(BEFORE * B);
  });

  it.each([
    ["less than there is", (BEFORE - 1) * B, `allowed are ${BEFORE * B}, which the store has`],
    ["more segments than are counted", 2 ** 42, `to ${4_194_304 * 16 * B}`],
    ["no number", "much" as never, "capacity"],
    ["half a byte", 1e6 + 0.5, "capacity"],
  ])("refuses %s, and nothing is changed", async (_, capacity, why) => {
    const { host, disk } = await full();
    const error = await refusal(() => host.grow(capacity));
    expect(error).toMatchObject({ code: "EINVAL" });
    expect(error.message).toContain(why);
    expect(host.statistics().capacity).toBe(BEFORE * B);
    await disk.discard(0, B);
    await host.close();
  });

  it("is refused by a host that was opened read-only, or is closed", async () => {
    const { store, host } = await full();
    await host.close();
    expect((await refusal(() => host.grow(AFTER * B))).code).toBe("ECLOSED");
    const reader = await store.open({ readOnly: true });
    expect((await refusal(() => reader.grow(AFTER * B))).code).toBe("EROFS");
  });

  it("can be called off until its turn has come", async () => {
    const { host, disk } = await full();
    const controller = new AbortController();
    const write = disk.write(0, blocks("x"));
    const growth = refusal(() => host.grow(AFTER * B, { signal: controller.signal }));
    controller.abort();
    await write.catch(() => undefined);
    expect((await growth).code).toBe("ECANCELED");
    expect(host.statistics().capacity).toBe(BEFORE * B);
  });

  it("leaves an option capacity that asks for less as it is", async () => {
    const { store, host } = await full();
    await host.grow(AFTER * B);
    await host.close();
    const same = await store.open({ capacity: BEFORE * B });
    expect(same.statistics().capacity).toBe(AFTER * B);
    await same.close();
    const error = await refusal(() => store.open({ capacity: (AFTER + 1) * B }));
    expect(error.message).toMatch(/the store has 128000, and grow\(\) makes it larger/);
  });
});

describe("a growth that fails", () => {
  it("for want of room for a longer file leaves the host as it was", async () => {
    const { store, host, disk } = await full();
    store.onOperation = ({ kind }) => {
      if (kind === "resize") throw new Error("EFBIG");
    };
    const error = await refusal(() => host.grow(AFTER * B));
    expect(error).toMatchObject({ code: "EIO", message: expect.stringContaining("EFBIG") });
    store.onOperation = undefined;
    expect(host.statistics().capacity).toBe(BEFORE * B);
    await disk.discard(0, B);
    await host.grow(AFTER * B);
    expect(host.statistics().capacity).toBe(AFTER * B);
  });

  it.each([
    ["the data", "data", "flush"],
    ["the first slot", "superblock", "write"],
    ["the first slot", "superblock", "flush"],
  ])("at %s (%s, %s) is final (promise I7)", async (_, name, failing) => {
    const { store, host, disk } = await full();
    store.onOperation = ({ kind, path }) => {
      if (kind === failing && path.endsWith(name)) throw new Error("broken");
    };
    expect((await refusal(() => host.grow(AFTER * B))).message).toContain("read-only now");
    store.onOperation = undefined;
    expect((await refusal(() => host.grow(AFTER * B))).code).toBe("EIO");
    expect((await refusal(() => disk.write(0, blocks("x")))).code).toBe("EIO");
    await refusal(() => host.close());
    const again = await store.open();
    expect([BEFORE, AFTER]).toContain(again.statistics().capacity / B);
    auditOf(store, again);
  });

  it("is refused where one slot cannot be read: the other would stand alone", async () => {
    const { store, host } = await full();
    let reads = 0;
    store.onOperation = ({ kind, path }) => {
      if (kind === "read" && path.endsWith("superblock") && reads++ === 0) throw new Error("bad");
    };
    const error = await refusal(() => host.grow(AFTER * B));
    expect(error).toMatchObject({ code: "EIO", offset: 0 });
    const device = await store.directory.open("superblock", "write");
    await device.write([blocks("rotten")], 0);
    const damage = await refusal(() => host.grow(AFTER * B));
    expect(damage).toMatchObject({ code: "ECORRUPT", offset: 0 });
    expect(damage.message).toContain("let a repair mend it first");
    await host.close();
    const again = await store.open();
    await again.grow(AFTER * B);
    expect(await slotsOf(store)).toEqual([AFTER, AFTER]);
  });
});

function isWriteOfSlot({ kind, path, offset }: Operation, at: number): boolean {
  return kind === "write" && path.endsWith("/superblock") && offset === at;
}

describe("a growth that is cut short between the slots", () => {
  /** The power goes when one slot is durable. */
  async function cutShort(): Promise<MemoryStore> {
    const { store, host } = await full();
    await host.flush();
    let left: MemoryStore | undefined;
    store.onOperation = (operation) => {
      if (isWriteOfSlot(operation, 0)) left = store.crash(() => 0);
    };
    await host.grow(AFTER * B);
    return left!;
  }

  it("counts, and the next opening completes it before anything is allocated", async () => {
    const store = await cutShort();
    expect(await slotsOf(store)).toEqual([BEFORE, AFTER]);
    const reader = await store.open({ readOnly: true });
    expect(reader.statistics().capacity).toBe(AFTER * B);
    await reader.close();
    expect(await slotsOf(store)).toEqual([BEFORE, AFTER]);
    const host = await store.open();
    expect(await slotsOf(store)).toEqual([AFTER, AFTER]);
    await host.get("disk").write(200 * B, blocks("new ", AFTER - BEFORE));
    await host.close();
    auditOf(store, await store.open());
  });
});

// Row 27, case 451 ("76!,d75:k3072g512"): both slots looked alike, and only one was durable, which
// the next growth wrote over. The power went, that write was torn, and the store was too small.
it("a slot that a killed process has not flushed is made durable before the other goes", async () => {
  const { store, host } = await full();
  await host.flush();
  let killed: MemoryStore | undefined;
  let slotsWritten = 0;
  store.onOperation = ({ kind, path }) => {
    if (kind === "write" && path.endsWith("/superblock")) slotsWritten++;
    if (kind === "flush" && path.endsWith("/superblock") && slotsWritten === 2) {
      killed ??= store.killed();
    }
  };
  await host.grow(AFTER * B);
  expect(await slotsOf(killed!)).toEqual([AFTER, AFTER]);
  expect(await slotsOf(killed!.crash(() => 0))).toEqual([BEFORE, AFTER]);
  const next = await killed!.open();
  let left: MemoryStore | undefined;
  killed!.onOperation = (operation) => {
    if (isWriteOfSlot(operation, SUPERBLOCK_SLOT_SIZE)) left = killed!.crash(() => 0);
  };
  await next.grow(2 * AFTER * B);
  expect(await slotsOf(left!)).toEqual([AFTER, AFTER]);
});

describe("a slot of the superblock that has rotted", () => {
  it.each([0, 1])("is made anew when the store is opened for writing: slot %i", async (slot) => {
    const { store, host } = await full();
    await host.close();
    const device = await store.directory.open("superblock", "write");
    await device.write([blocks("rotten")], slot * SUPERBLOCK_SLOT_SIZE);
    await expect(slotsOf(store)).rejects.toMatchObject({ code: "ECORRUPT" });
    await (await store.open({ readOnly: true })).close();
    await expect(slotsOf(store)).rejects.toMatchObject({ code: "ECORRUPT" });
    await (await store.open()).close();
    expect(await slotsOf(store)).toEqual([BEFORE, BEFORE]);
  });
});
