/**
 * Decided point 11 and promises I2 and I3: what is visible when, in which order, and what a
 * snapshot holds of calls that nobody has waited for.
 */
import { describe, expect, it } from "vitest";
import type { Host } from "../../src/host/host.ts";
import type { Subvolume } from "../../src/host/subvolume.ts";
import { seededNumbers } from "../device/scratch.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { blocks, expectBytes, refusal, unawaited } from "./refusal.ts";

const B = 512;

async function start(): Promise<{ store: MemoryStore; host: Host; disk: Subvolume }> {
  const store = MemoryStore.create();
  const host = await store.open();
  return { store, host, disk: await host.create("disk", { size: 64 * B }) };
}

describe("point 11: visibility", () => {
  it("a read sees every write submitted before it, awaited or not", async () => {
    const { host, disk } = await start();
    const pending = [disk.write(0, blocks("a", 4)), disk.write(100, Buffer.from("partial"))];
    pending.push(disk.discard(2 * B, B), disk.write(3 * B + 5, Buffer.from("z")));
    const seen = await disk.read(0, 4 * B);
    const expected = blocks("a", 4);
    expected.write("partial", 100);
    expected.fill(0, 2 * B, 3 * B);
    expected.write("z", 3 * B + 5);
    expectBytes(seen, expected);
    await Promise.all(pending);
    await host.close();
  });

  it("a read does not see half of a write that comes after it", async () => {
    const { host, disk } = await start();
    await disk.write(0, blocks("old", 8));
    await host.checkpoint();
    const read = disk.read(0, 8 * B);
    const write = disk.write(0, blocks("new", 8));
    const seen = await read;
    expect([blocks("old", 8), blocks("new", 8)]).toContainEqual(seen);
    await write;
    await host.close();
  });

  /**
   * While an earlier call waited, a read and a change behind it began in the same turn of the
   * microtask queue, and the number of awaits on the way of each decided which came first.
   */
  it("a read that has to wait for calls before it sees nothing of those behind it", async () => {
    const { host, disk } = await start();
    await disk.write(0, blocks("old", 8));
    await host.checkpoint();
    const merged = disk.write(9 * B + 1, Buffer.from("reads a block first"));
    const before = disk.write(0, blocks("mine", 4));
    const target = Buffer.alloc(8 * B);
    const reads = [disk.read(0, 8 * B), disk.readInto(target, 0)];
    const behind = [disk.write(0, blocks("late", 8)), disk.discard(0, 8 * B)];
    await Promise.all([merged, before, ...behind, ...reads]);
    const expected = Buffer.concat([blocks("mine", 4), blocks("old", 8).subarray(4 * B)]);
    expectBytes((await reads[0])!, expected);
    expectBytes(target, expected);
    await host.close();
  });

  it("a change resolves when it is visible, and not durable by that", async () => {
    const { store, host, disk } = await start();
    await host.flush();
    const flushes = store.count("journal", "flush");
    await disk.write(0, blocks("a"));
    await disk.preallocate(8 * B, B);
    await disk.discard(0, B);
    await disk.resize(32 * B);
    expect(store.count("journal", "flush")).toBe(flushes);
    const { durableLsn, lastLsn } = host.statistics();
    expect(lastLsn).toBe(durableLsn + 4);
    await host.close();
  });

  it("what was submitted before close is carried out, however long it has to wait", async () => {
    const { store, host, disk } = await start();
    const waits: Promise<unknown>[] = [];
    for (let i = 0; i < 300; i++) waits.push(disk.write(3 * i, Buffer.from("abc")));
    waits.push(host.snapshot("disk", "snap"), host.create("other", { size: 5 }));
    const read = disk.read(0, 900);
    const closed = host.close();
    expect(await refusal(() => disk.write(0, blocks("late")))).toMatchObject({ code: "ECLOSED" });
    await Promise.all(waits);
    expect((await read).toString()).toBe("abc".repeat(300));
    await closed;
    const after = await store.open();
    expect((await after.get("snap").read(0, 900)).toString()).toBe("abc".repeat(300));
    await after.close();
  });
});

describe("I2: order of submission", () => {
  it("overlapping unaligned writes that nobody waits for end as if done one by one", async () => {
    const next = seededNumbers(7);
    const { store, host, disk } = await start();
    const model = Buffer.alloc(64 * B);
    const waits: Promise<void>[] = [];
    for (let i = 0; i < 500; i++) {
      const at = next(63 * B);
      const data = Buffer.alloc(1 + next(B), 1 + (i % 255));
      waits.push(disk.write(at, data));
      data.copy(model, at);
    }
    await host.flush();
    expectBytes(await disk.read(0, 64 * B), model);
    const after = await store.crash(() => 0).open();
    expectBytes(await after.get("disk").read(0, 64 * B), model);
    await Promise.all(waits);
    for (const each of [host, after]) await each.close();
  });

  it("after any crash a log holds a prefix, all flushed entries at least", async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const next = seededNumbers(seed * 2_654_435_761);
      const { store, host, disk } = await start();
      const other = await host.create("other", { size: 64 * B });
      let durable = 0;
      for (let entry = 0; entry < 30; entry++) {
        const target = entry % 2 === 0 ? disk : other;
        unawaited(target.write(entry * 8, Buffer.from(String(entry).padStart(8))));
        if (next(6) === 0) {
          await host.flush();
          durable = entry + 1;
        }
      }
      if (next(2) === 0) unawaited(host.checkpoint());
      for (let ticks = next(40); ticks > 0; ticks--) await Promise.resolve();
      const after = await store.crash(() => next(1000) / 1000).open();
      const names = after.list().map(({ name }) => name);
      const read = async (entry: number): Promise<string> => {
        const name = entry % 2 === 0 ? "disk" : "other";
        if (!names.includes(name)) return "";
        return (await after.get(name).read(entry * 8, 8)).toString().replaceAll("\0", "");
      };
      let count = 0;
      while (count < 30 && (await read(count)) !== "") count++;
      expect(count).toBeGreaterThanOrEqual(durable);
      for (let entry = 0; entry < 30; entry++) {
        const expected = entry < count ? String(entry).padStart(8) : "";
        expect({ seed, entry, text: await read(entry) }).toEqual({ seed, entry, text: expected });
      }
      await after.close();
      await host.close();
    }
  });
});

describe("I3: snapshots", () => {
  it("holds everything submitted before the call, unawaited, and nothing after it", async () => {
    const { store, host, disk } = await start();
    const waits: Promise<unknown>[] = [];
    for (let i = 0; i < 64; i++) waits.push(disk.write(i * B + 3, Buffer.from(`before ${i}`)));
    const made = host.snapshot("disk", "snap");
    for (let i = 0; i < 64; i++) waits.push(disk.write(i * B + 3, Buffer.from(`AFTER! ${i}`)));
    const snapshot = await made;
    await Promise.all(waits);
    for (const each of [snapshot, host.get("snap")]) {
      for (let i = 0; i < 64; i++) {
        expect((await each.read(i * B + 3, 8)).toString()).toBe(`before ${i}`.slice(0, 8));
      }
    }
    expect((await disk.read(3, 8)).toString()).toBe("AFTER! 0");
    await host.flush();
    const after = await store.crash(() => 0).open();
    expect((await after.get("snap").read(5 * B + 3, 8)).toString()).toBe("before 5");
    for (const each of [host, after]) await each.close();
  });

  it("holds aligned writes submitted in the same turn, and not those behind it", async () => {
    const { host, disk } = await start();
    unawaited(disk.write(0, blocks("before")));
    const made = host.snapshot("disk", "snap");
    unawaited(disk.write(0, blocks("after")));
    const snapshot = await made;
    expectBytes(await snapshot.read(0, B), blocks("before"));
    expectBytes(await disk.read(0, B), blocks("after"));
    await host.close();
  });

  it("never changes, whatever happens to its source", async () => {
    const { store, host, disk } = await start();
    await disk.write(0, blocks("old", 64));
    const snapshot = await host.snapshot("disk", "snap");
    await disk.discard(0, 10 * B);
    await disk.write(20 * B, blocks("new", 10));
    await host.compact();
    await disk.resize(5 * B);
    await host.rename("disk", "renamed");
    await host.delete("renamed");
    await host.checkpoint();
    await host.checkpoint();
    expectBytes(await snapshot.read(0, 64 * B), blocks("old", 64));
    expect(host.list()).toMatchObject([{ name: "snap", readOnly: true, source: null }]);
    const after = await store.crash(() => 0).open();
    expectBytes(await after.get("snap").read(0, 64 * B), blocks("old", 64));
    for (const each of [host, after]) await each.close();
  });

  it("a clone of a snapshot starts with what the snapshot holds, and changes alone", async () => {
    const { host, disk } = await start();
    await disk.write(0, blocks("old", 4));
    const snapshot = await host.snapshot("disk", "snap");
    await disk.write(0, blocks("disk", 1));
    const clone = await host.clone("snap", "clone");
    await clone.write(B, blocks("clone", 1));
    expectBytes(await snapshot.read(0, 4 * B), blocks("old", 4));
    expect((await clone.read(0, B)).subarray(0, 4).toString()).toBe("old0");
    expect((await disk.read(B, B)).subarray(0, 4).toString()).toBe("old1");
    expect(clone.readOnly).toBe(false);
    await host.close();
  });

  it("a rollback takes contents and size back, and a later write starts from there", async () => {
    const { host, disk } = await start();
    await disk.write(0, blocks("old", 8));
    await host.snapshot("disk", "snap");
    await disk.resize(4 * B);
    await disk.write(0, blocks("new", 4));
    await host.rollback("disk", "snap");
    expect(disk.size).toBe(64 * B);
    expectBytes(await disk.read(0, 8 * B), blocks("old", 8));
    await disk.write(0, blocks("x"));
    expectBytes(await host.get("snap").read(0, 8 * B), blocks("old", 8));
    await host.close();
  });

  it("a rollback to what is no snapshot of a relative is EINVAL", async () => {
    const { host, disk } = await start();
    const other = await host.create("other", { size: B });
    await host.snapshot("other", "others");
    await host.clone("disk", "clone");
    for (const [name, to] of [
      ["disk", "others"],
      ["disk", "clone"],
      ["disk", "disk"],
    ] as const) {
      expect(await refusal(() => host.rollback(name, to))).toMatchObject({ code: "EINVAL" });
    }
    await host.snapshot("clone", "clones");
    await host.rollback("disk", "clones");
    expect(await refusal(() => host.rollback("clones", "clones"))).toMatchObject({
      code: "EROFS",
    });
    expect(other.size).toBe(B);
    expect(disk.size).toBe(64 * B);
    await host.close();
  });
});
