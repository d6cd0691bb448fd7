/**
 * Calls that are refused whatever their numbers are: of the wrong type, to a snapshot, after close
 * or deletion, with a signal that aborted. Each has its code and changes nothing.
 */
import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { MemoryStore } from "../support/memory-store.ts";
import {
  type At,
  B,
  blocks,
  expectBytes,
  expectConserved,
  picture,
  refusal,
  start,
} from "./refusal.ts";

const any = (value: unknown): never => value as never;

describe("calls that are refused", () => {
  it.each<[string, (at: At) => unknown, string]>([
    ["write of text", ({ disk }) => disk.write(0, any("text")), '"text"'],
    ["write of a list", ({ disk }) => disk.write(0, any([1, 2])), "Array"],
    ["write of numbers of 16 bits", ({ disk }) => disk.write(0, any(new Uint16Array(2))), "Uint16"],
    ["write of nothing", ({ disk }) => disk.write(0, any(undefined)), "undefined"],
    ["transact without a function", ({ host }) => host.transact(any("x")), '"x"'],
    [
      "transact write of text",
      ({ host, disk }) => host.transact((tx) => tx.write(disk, 0, any("text"))),
      '"text"',
    ],
    [
      "transact write to a name",
      ({ host }) => host.transact((tx) => tx.write(any("disk"), 0, blocks("y"))),
      '"disk"',
    ],
    ["allocate without a cookie", ({ disk }) => disk.allocate(any({}), 0, B), "Object"],
    ["commit without a cookie", ({ disk }) => disk.commit(any(null), 0, B, "cow"), "null"],
    ["unreserve without a cookie", ({ disk }) => disk.unreserve(any(7)), "7"],
    ["commit in no mode", ({ disk, cookie }) => disk.commit(cookie, 0, B, any("raw")), '"raw"'],
    ["null for options", ({ disk }) => disk.write(0, blocks("y"), any(null)), "null"],
    ["text for options", ({ disk }) => disk.read(0, 1, any("x")), '"x"'],
    ["no signal", ({ host }) => host.flush({ signal: any(5) }), "5"],
    ["diff within no range", ({ host }) => host.diff("disk", "snap", any(Number.NaN)), "NaN"],
    ["create without options", ({ host }) => host.create("new", any(undefined)), "undefined"],
    ["null for options of a snapshot", ({ host }) => host.snapshot("disk", "n", any(null)), "null"],
  ])("%s: EINVAL", async (_name, call, says) => {
    const at = await start();
    const before = await picture(at.host);
    const error = await refusal(() => call(at));
    expect(error.code).toBe("EINVAL");
    expect(error.message).toContain(says);
    expect(await picture(at.host)).toEqual(before);
    await at.host.close();
  });

  it("a subvolume of another host is refused in a transaction: EINVAL", async () => {
    const at = await start();
    const other = await start();
    const { lastLsn } = at.host.statistics();
    const call = (): Promise<void> =>
      at.host.transact((tx) => tx.write(other.disk, 0, blocks("y")));
    expect(await refusal(call)).toMatchObject({ code: "EINVAL" });
    expect(at.host.statistics().lastLsn).toBe(lastLsn);
    for (const each of [at.host, other.host]) await each.close();
  });

  it.each<[string, (at: At) => unknown]>([
    ["write", ({ snapshot }) => snapshot.write(0, blocks("y"))],
    ["discard", ({ snapshot }) => snapshot.discard(0, B)],
    ["writeZeroes", ({ snapshot }) => snapshot.writeZeroes(0, B)],
    ["preallocate", ({ snapshot }) => snapshot.preallocate(0, B)],
    ["resize", ({ snapshot }) => snapshot.resize(B)],
    ["allocate", ({ snapshot, cookie }) => snapshot.allocate(cookie, 0, B)],
    ["commit", ({ snapshot, cookie }) => snapshot.commit(cookie, 0, B, "cow")],
    ["rollback", ({ host }) => host.rollback("snap", "snap")],
    [
      "transact write",
      ({ host, snapshot }) => host.transact((tx) => tx.write(snapshot, 0, blocks("y"))),
    ],
    ["transact discard", ({ host, snapshot }) => host.transact((tx) => tx.discard(snapshot, 0, B))],
  ])("%s on a snapshot: EROFS, and nothing changes", async (_name, call) => {
    const at = await start();
    const before = await picture(at.host);
    expect(await refusal(() => call(at))).toMatchObject({ code: "EROFS", subvolume: "snap" });
    expect(await picture(at.host)).toEqual(before);
    await at.host.close();
  });

  const onDisk: [string, (at: At) => unknown][] = [
    ["read", ({ disk }) => disk.read(0, 1)],
    ["write", ({ disk }) => disk.write(0, blocks("y"))],
    ["discard", ({ disk }) => disk.discard(0, B)],
    ["writeZeroes", ({ disk }) => disk.writeZeroes(0, B)],
    ["preallocate", ({ disk }) => disk.preallocate(0, B)],
    ["resize", ({ disk }) => disk.resize(B)],
    ["flush", ({ disk }) => disk.flush()],
    ["map", ({ disk }) => disk.map(0)],
    ["extents", ({ disk }) => disk.extents()],
    ["name", ({ disk }) => disk.name],
    ["size", ({ disk }) => disk.size],
    ["readOnly", ({ disk }) => disk.readOnly],
    ["reserve", ({ disk }) => disk.reserve(1, B)],
    ["allocate", ({ disk, cookie }) => disk.allocate(cookie, 0, B)],
    ["submit", ({ disk }) => disk.submit({ offset: 0, length: B, addr: 0 } as never, blocks("y"))],
    ["commit", ({ disk, cookie }) => disk.commit(cookie, 0, B, "cow")],
    ["transact write", ({ host, disk }) => host.transact((tx) => tx.write(disk, 0, blocks("y")))],
  ];

  it.each(onDisk)("%s after the subvolume was deleted: ECLOSED", async (_name, call) => {
    const at = await start();
    await at.host.delete("disk");
    const names = at.host.list();
    expect(await refusal(() => call(at))).toMatchObject({ code: "ECLOSED" });
    expect(at.host.list()).toEqual(names);
    await at.host.close();
  });

  it("a name that comes back is another subvolume: the old handle stays closed", async () => {
    const { host, disk } = await start();
    await host.delete("disk");
    const again = await host.create("disk", { size: B });
    expect(again.id).not.toBe(disk.id);
    expect(await refusal(() => disk.write(0, blocks("y")))).toMatchObject({ code: "ECLOSED" });
    expectBytes(await again.read(0, B), Buffer.alloc(B));
    await host.close();
  });

  it.each(
    onDisk.concat([
      ["create", ({ host }) => host.create("new", { size: 1 })],
      ["get", ({ host }) => host.get("disk")],
      ["list", ({ host }) => host.list()],
      ["usage", ({ host }) => host.usage()],
      ["snapshot", ({ host }) => host.snapshot("disk", "new")],
      ["clone", ({ host }) => host.clone("disk", "new")],
      ["rollback", ({ host }) => host.rollback("disk", "snap")],
      ["rename", ({ host }) => host.rename("disk", "new")],
      ["delete", ({ host }) => host.delete("disk")],
      ["transact", ({ host }) => host.transact(() => undefined)],
      ["host flush", ({ host }) => host.flush()],
      ["checkpoint", ({ host }) => host.checkpoint()],
      ["compact", ({ host }) => host.compact()],
      ["diff", ({ host }) => host.diff("disk", "snap")],
      ["statistics", ({ host }) => host.statistics()],
    ]),
  )("%s after close: ECLOSED, and the store stays as it was", async (_name, call) => {
    const at = await start();
    at.cookie.put();
    const before = await picture(at.host);
    await at.host.close();
    expect(await refusal(() => call(at))).toMatchObject({ code: "ECLOSED" });
    await at.host.close();
    const again = await at.store.open();
    expect(await picture(again)).toEqual(before);
    await again.close();
  });

  it("a put after close is no error", async () => {
    const at = await start();
    await at.host.close();
    at.cookie.put();
    expect(at.cookie.released).toBe(true);
  });
});

describe("signals", () => {
  const calls: [string, (at: At, signal: AbortSignal) => unknown][] = [
    ["read", ({ disk }, signal) => disk.read(0, 1, { signal })],
    ["write", ({ disk }, signal) => disk.write(0, blocks("y"), { signal })],
    ["discard", ({ disk }, signal) => disk.discard(0, B, { signal })],
    ["preallocate", ({ disk }, signal) => disk.preallocate(0, B, { signal })],
    ["resize", ({ disk }, signal) => disk.resize(B, { signal })],
    ["flush", ({ disk }, signal) => disk.flush({ signal })],
    ["reserve", ({ disk }, signal) => disk.reserve(1, B, { signal })],
    ["allocate", ({ disk, cookie }, signal) => disk.allocate(cookie, 0, B, { signal })],
    ["commit", ({ disk, cookie }, signal) => disk.commit(cookie, 0, B, "cow", { signal })],
    ["create", ({ host }, signal) => host.create("new", { size: 1, signal })],
    ["snapshot", ({ host }, signal) => host.snapshot("disk", "new", { signal })],
    ["transact", ({ host }, signal) => host.transact(() => undefined, { signal })],
    ["checkpoint", ({ host }, signal) => host.checkpoint({ signal })],
    ["compact", ({ host }, signal) => host.compact({ signal })],
  ];

  it.each(calls)(
    "%s with a signal that aborted: ECANCELED with its reason",
    async (_name, call) => {
      const at = await start();
      const before = await picture(at.host);
      const reason = new Error("enough");
      const error = await refusal(() => call(at, AbortSignal.abort(reason)));
      expect(error).toMatchObject({ code: "ECANCELED", cause: reason });
      expect(await picture(at.host)).toEqual(before);
      await at.host.close();
    },
  );

  // All of these went on to their end, or for ever, whatever the signal said meanwhile.
  it.each<[string, (at: At, signal: AbortSignal) => unknown]>([
    [
      "transact",
      ({ host }, signal) => host.transact(() => new Promise<void>(() => {}), { signal }),
    ],
    [
      "transact that has gathered something",
      ({ host, disk }, signal) =>
        host.transact(
          async (tx) => {
            tx.write(disk, 0, blocks("never"));
            await setImmediate();
          },
          { signal },
        ),
    ],
    ["reserve", ({ disk }, signal) => disk.reserve(1, B, { signal })],
    ["allocate", ({ disk, cookie }, signal) => disk.allocate(cookie, 8 * B, B, { signal })],
    ["flush", ({ disk }, signal) => disk.flush({ signal })],
    ["flush of the host", ({ host }, signal) => host.flush({ signal })],
    ["checkpoint", ({ host }, signal) => host.checkpoint({ signal })],
    ["read", ({ disk }, signal) => disk.read(0, 4 * B, { signal })],
    ["write", ({ disk }, signal) => disk.write(0, blocks("never"), { signal })],
  ])("end the wait of %s, and nothing changes", async (_name, call) => {
    const at = await start();
    const { host, disk } = at;
    const controller = new AbortController();
    const before = host.statistics();
    // It keeps the queue busy.
    const busy = disk.write(15 * B + 3, Buffer.from("x"));
    const ended = refusal(() => call(at, controller.signal));
    const reason = new Error("enough");
    controller.abort(reason);
    expect(await ended).toMatchObject({ code: "ECANCELED", cause: reason });
    await busy;
    await host.flush();
    expectBytes(await disk.read(0, 4 * B), blocks("x", 4));
    const { lastLsn, reserved, staged } = host.statistics();
    expect({ lastLsn, reserved, staged }).toEqual({
      lastLsn: before.lastLsn + 1,
      reserved: before.reserved,
      staged: before.staged,
    });
    await host.close();
  });

  // One that had aborted before the wait began was never heard: the call waited for ever.
  it("end a transaction that aborts it while it gathers", async () => {
    const { host } = await start();
    const controller = new AbortController();
    const { signal } = controller;
    const gather = (): Promise<void> => {
      controller.abort();
      return new Promise(() => {});
    };
    const error = await refusal(() => host.transact(gather, { signal }));
    expect(error).toMatchObject({ code: "ECANCELED" });
    await host.close();
  });

  it("end a write that waits for space, and nothing is written", async () => {
    const store = MemoryStore.create({ capacityBlocks: 64 });
    const host = await store.open();
    const disk = await host.create("disk", { size: 256 * B });
    for (let i = 0; i < 50; i++) await disk.write(i * B, blocks(`x${i}`));
    await disk.discard(0, 40 * B);
    const controller = new AbortController();
    const { signal } = controller;
    const write = refusal(() => disk.write(0, blocks("never", 40), { signal }));
    await Promise.resolve();
    controller.abort();
    expect(await write).toMatchObject({ code: "ECANCELED" });
    expectBytes(await disk.read(0, 40 * B), Buffer.alloc(40 * B));
    expectConserved(host);
    await host.close();
  });

  it("a write that waits its turn is taken back, and those around it are not", async () => {
    const { host, disk } = await start();
    const controller = new AbortController();
    const first = disk.write(1, Buffer.from("first"));
    const { signal } = controller;
    const second = refusal(() => disk.write(1, Buffer.from("SECOND"), { signal }));
    const third = disk.write(3, Buffer.from("third"));
    controller.abort();
    await Promise.all([first, third]);
    expect(await second).toMatchObject({ code: "ECANCELED" });
    expect((await disk.read(1, 7)).toString()).toBe("fithird");
    await host.close();
  });
});
