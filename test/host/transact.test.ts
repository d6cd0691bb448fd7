/**
 * Transactions: calls over several subvolumes as one commit, durable when it resolves, or nothing.
 */
import { setImmediate } from "node:timers/promises";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import type { Host } from "../../src/host/host.ts";
import { MAX_COMMIT_BYTES } from "../../src/journal/journal.ts";
import type { Subvolume } from "../../src/host/subvolume.ts";
import type { Transaction } from "../../src/host/transaction.ts";
import { seededNumbers } from "../device/scratch.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { blocks, expectBytes, expectConserved, picture, refusal } from "./refusal.ts";

const B = 512;

interface At {
  store: MemoryStore;
  host: Host;
  disk: Subvolume;
  log: Subvolume;
}

async function start(): Promise<At> {
  const store = MemoryStore.create();
  const host = await store.open();
  const disk = await host.create("disk", { size: 16 * B + 100 });
  const log = await host.create("log", { size: 16 * B });
  await disk.write(0, blocks("old", 16));
  await host.flush();
  return { store, host, disk, log };
}

describe("a transaction", () => {
  it("writes several subvolumes as one commit, durable when it resolves", async () => {
    const { store, host, disk, log } = await start();
    const { commits, lastLsn } = host.statistics();
    await host.transact((tx) => {
      tx.write(disk, 0, blocks("page"));
      tx.write(log, 100, Buffer.from("entry"));
      tx.writeZeroes(disk, 2 * B, 3 * B);
    });
    expect(host.statistics()).toMatchObject({ commits: commits + 1, lastLsn: lastLsn + 1 });
    expect(host.statistics().durableLsn).toBe(lastLsn + 1);
    const after = await store.crash(() => 0).open();
    for (const each of [host, after]) {
      expectBytes(await each.get("disk").read(0, B), blocks("page"));
      expect((await each.get("log").read(100, 5)).toString()).toBe("entry");
      expectBytes(await each.get("disk").read(2 * B, 3 * B), Buffer.alloc(3 * B));
      await each.close();
    }
  });

  it("is all there or not at all, wherever the crash comes", async () => {
    for (const fate of [0, 0.2, 0.5, 0.8, 0.999]) {
      const { store, host, disk, log } = await start();
      const crashes: MemoryStore[] = [];
      store.onOperation = ({ kind }) => {
        if (kind !== "read") crashes.push(store.crash(() => fate));
      };
      await host.transact((tx) => {
        tx.write(disk, 0, blocks("new", 16));
        tx.write(log, 0, blocks("new", 16));
        tx.snapshot("log", "log@new");
      });
      store.onOperation = undefined;
      crashes.push(store.crash(() => fate));
      for (const crash of crashes) {
        const after = await crash.open();
        const isNew = after.list().length === 3;
        expectBytes(await after.get("disk").read(0, 16 * B), blocks(isNew ? "new" : "old", 16));
        expectBytes(
          await after.get("log").read(0, 16 * B),
          isNew ? blocks("new", 16) : Buffer.alloc(16 * B),
        );
        await after.close();
      }
      await host.close();
    }
  });

  it("each call sees what the calls before it did: overlapping parts of blocks", async () => {
    const next = seededNumbers(11);
    const { host, disk, log } = await start();
    for (let round = 0; round < 60; round++) {
      const models = await Promise.all([disk, log].map((each) => each.read(0, each.size)));
      await host.transact((tx) => {
        for (let i = 0; i < 1 + next(8); i++) {
          const which = next(2);
          const [subvolume, model] = [[disk, log][which]!, models[which]!];
          const at = next(subvolume.size);
          const length = next(Math.min(3 * B, subvolume.size - at) + 1);
          if (next(3) === 0) {
            tx.discard(subvolume, at, length);
            model.fill(0, at, at + length);
          } else {
            const data = Buffer.alloc(length, 1 + next(255));
            tx.write(subvolume, at, data);
            data.copy(model, at);
          }
        }
      });
      for (const [i, each] of [disk, log].entries()) {
        expectBytes(await each.read(0, each.size), models[i]!, `round ${round}`);
      }
    }
    expectConserved(host);
    await host.close();
  });

  it("write, discard, write again within one block", async () => {
    const { host, disk } = await start();
    await host.transact((tx) => {
      tx.write(disk, 10, Buffer.from("aaaaaaaaaa"));
      tx.discard(disk, 12, 5);
      tx.write(disk, 14, Buffer.from("b"));
      tx.discard(disk, 0, B);
      tx.write(disk, 3, Buffer.from("c"));
    });
    const expected = Buffer.alloc(B);
    expected.write("c", 3);
    expectBytes(await disk.read(0, B), expected);
    await host.close();
  });

  it("a snapshot inside holds what the calls before it wrote, and not those after it", async () => {
    const { store, host, disk } = await start();
    await host.transact((tx) => {
      tx.write(disk, 0, blocks("before"));
      tx.snapshot("disk", "inside");
      tx.write(disk, 0, blocks("after"));
      tx.clone("inside", "copy");
    });
    const after = await store.crash(() => 0).open();
    for (const each of [host, after]) {
      expectBytes(await each.get("inside").read(0, B), blocks("before"));
      expectBytes(await each.get("copy").read(0, B), blocks("before"));
      expectBytes(await each.get("disk").read(0, B), blocks("after"));
      expect(each.get("inside").readOnly).toBe(true);
      expect(each.get("copy").readOnly).toBe(false);
      await each.close();
    }
  });

  it("names given in it can be used in it", async () => {
    const { host } = await start();
    await host.transact((tx) => {
      tx.snapshot("disk", "a");
      tx.rename("a", "b");
      tx.clone("b", "a");
      tx.delete("b");
      tx.rename("log", "b");
      tx.rename("disk", "log");
    });
    expect(host.list().map(({ name }) => name)).toEqual(["log", "b", "a"]);
    await host.close();
  });

  it("without a call is no commit; it flushes all the same", async () => {
    const { host, disk } = await start();
    await disk.write(0, blocks("x"));
    const { lastLsn } = host.statistics();
    await host.transact(() => undefined);
    expect(host.statistics()).toMatchObject({ lastLsn, durableLsn: lastLsn });
    await host.close();
  });

  it("copies the data, and waits for a gathering that waits", async () => {
    const { host, disk } = await start();
    const page = blocks("page");
    await host.transact(async (tx) => {
      tx.write(disk, 0, page);
      page.fill("!");
      await setImmediate();
      tx.write(disk, B, blocks("late"));
    });
    expectBytes(await disk.read(0, B), blocks("page"));
    expectBytes(await disk.read(B, B), blocks("late"));
    await host.close();
  });

  // One of another realm, or of a library, was not waited for: half of it was committed.
  it("waits for a promise of another realm", async () => {
    const { host, disk, log } = await start();
    const whenDone = runInNewContext("async (wait, call) => { await wait; call(); }") as (
      wait: Promise<void>,
      call: () => void,
    ) => Promise<void>;
    await host.transact((tx) => {
      tx.write(disk, 0, blocks("table"));
      const later = whenDone(setImmediate(), () => tx.write(log, 0, blocks("log")));
      expect(later).not.toBeInstanceOf(Promise);
      return later;
    });
    expectBytes(await disk.read(0, B), blocks("table"));
    expectBytes(await log.read(0, B), blocks("log"));
    await host.close();
  });

  it("is ordered by its end: writes submitted while it gathers come before it", async () => {
    const { host, disk } = await start();
    await host.transact(async (tx) => {
      tx.write(disk, 0, blocks("transaction"));
      await disk.write(0, blocks("write"));
      await disk.write(B, blocks("write"));
    });
    expectBytes(await disk.read(0, B), blocks("transaction"));
    expectBytes(await disk.read(B, B), blocks("write"));
    await host.close();
  });
});

describe("the order of a transaction", () => {
  it("that gathers at once is that of its call", async () => {
    const { host, disk } = await start();
    const transaction = host.transact((tx) => tx.write(disk, 3, Buffer.from("transaction")));
    const snapshot = host.snapshot("disk", "after");
    const write = disk.write(3, Buffer.from("WRITE"));
    await Promise.all([transaction, snapshot, write]);
    expect((await host.get("after").read(3, 11)).toString()).toBe("transaction");
    expect((await disk.read(3, 11)).toString()).toBe("WRITEaction");
    await host.close();
  });

  it("is that of submission for writes called before it, awaited or not", async () => {
    const { host, disk } = await start();
    const write = disk.write(3, Buffer.from("write"));
    await host.transact((tx) => tx.write(disk, 3, Buffer.from("T")));
    await write;
    expect((await disk.read(3, 5)).toString()).toBe("Trite");
    await host.close();
  });
});

describe("a transaction that is refused changes nothing", () => {
  const cases: [string, string, (tx: Transaction, at: At) => unknown][] = [
    [
      "a range beyond the end",
      "ERANGE",
      (tx, { disk }) => tx.write(disk, 16 * B + 99, blocks("x")),
    ],
    ["a discard beyond the end", "ERANGE", (tx, { log }) => tx.discard(log, 0, 17 * B)],
    ["a name that is taken", "EEXIST", (tx) => tx.snapshot("disk", "log")],
    [
      "a name given twice in it",
      "EEXIST",
      (tx) => {
        tx.snapshot("disk", "new");
        tx.clone("disk", "new");
      },
    ],
    ["a rename onto a name", "EEXIST", (tx) => tx.rename("disk", "log")],
    ["a name that nobody has", "ENOENT", (tx) => tx.delete("nobody")],
    [
      "a name that was renamed away in it",
      "ENOENT",
      (tx) => {
        tx.rename("disk", "new");
        tx.snapshot("disk", "snap");
      },
    ],
    [
      "a write to what it deleted",
      "ECLOSED",
      (tx, { disk }) => {
        tx.delete("disk");
        tx.write(disk, 0, blocks("x"));
      },
    ],
    [
      "a snapshot of what it deleted",
      "ENOENT",
      (tx) => {
        tx.delete("disk");
        tx.snapshot("disk", "snap");
      },
    ],
    [
      "a second deletion",
      "ENOENT",
      (tx) => {
        tx.delete("disk");
        tx.delete("disk");
      },
    ],
    [
      "more than there is space for",
      "ENOSPC",
      (tx, { disk }) => {
        for (let i = 0; i < 70; i++) tx.write(disk, (i % 2) * B, blocks("x", 15));
      },
    ],
  ];

  // The names were not counted: the host had changed its state when the frame was refused, and died.
  it("more names than a commit may hold: E2BIG", async () => {
    const { host, disk } = await start();
    const name = (i: number): string => `${i % 2}`.repeat(255);
    const renames = 1 + Math.ceil(MAX_COMMIT_BYTES / 255);
    const before = await picture(host);
    await host.rename("log", name(0));
    const error = await refusal(() =>
      host.transact((tx) => {
        for (let i = 0; i < renames; i++) tx.rename(name(i), name(i + 1));
      }),
    );
    expect(error.code).toBe("E2BIG");
    await host.rename(name(0), "log");
    const { lastLsn, ...after } = (await picture(host)) as { lastLsn: number };
    expect({ ...after, lastLsn: lastLsn - 2 }).toEqual(before);
    await disk.write(0, blocks("alive"));
    await host.flush();
    await host.close();
  });

  it.each(cases)("%s: %s", async (_name, code, gather) => {
    const at = await start();
    const { host, disk, log } = at;
    const before = await picture(host);
    const error = await refusal(() =>
      host.transact((tx) => {
        tx.write(log, 0, blocks("first"));
        tx.snapshot("log", "first");
        gather(tx, at);
      }),
    );
    expect(error.code).toBe(code);
    expect(await picture(host)).toEqual(before);
    await disk.write(0, blocks("alive"));
    await host.close();
    const again = await at.store.open();
    expectBytes(await again.get("disk").read(0, B), blocks("alive"));
    await again.close();
  });

  it.each(["at once", "later"])("what the caller throws is thrown on (%s)", async (when) => {
    const { host, disk } = await start();
    const before = await picture(host);
    const mine = new Error("changed my mind");
    const call = host.transact(async (tx) => {
      tx.write(disk, 0, blocks("x"));
      if (when === "later") await Promise.resolve();
      throw mine;
    });
    await expect(call).rejects.toBe(mine);
    expect(await picture(host)).toEqual(before);
    await host.close();
  });

  it("calls after its end are refused: EINVAL", async () => {
    const { host, disk } = await start();
    let kept: Transaction | undefined;
    await host.transact((tx) => void (kept = tx));
    expect(await refusal(() => kept!.write(disk, 0, blocks("x")))).toMatchObject({
      code: "EINVAL",
    });
    const failed = host.transact((tx) => {
      kept = tx;
      throw new Error("no");
    });
    await expect(failed).rejects.toThrow("no");
    expect(await refusal(() => kept!.delete("disk"))).toMatchObject({ code: "EINVAL" });
    await host.close();
  });

  it("a host closed while it gathers refuses it: ECLOSED", async () => {
    const { store, host, disk } = await start();
    const error = await refusal(() =>
      host.transact(async (tx) => {
        tx.write(disk, 0, blocks("x"));
        await host.close();
      }),
    );
    expect(error.code).toBe("ECLOSED");
    const again = await store.open();
    expectBytes(await again.get("disk").read(0, 16 * B), blocks("old", 16));
    await again.close();
  });
});
