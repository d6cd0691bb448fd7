/** The command that shows the journal, and the library function below it. */
import { open } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { isBlockspaceError } from "../../src/index.ts";
import { readJournal } from "../../src/host/journal-dump.ts";
import { blockspace, failure, inspect, makeStore, run, scratch } from "./blockspace.ts";

const at = scratch();

/** Three sessions, each with a journal file of its own (2, 3, 4) and a checkpoint behind it. */
async function history(): Promise<void> {
  await makeStore(at("s"), async (host) => {
    await (await host.create("disk", { size: 2 ** 20 })).write(0, Buffer.alloc(8192, "a"));
  });
  await makeStore(at("s"), (host) => host.snapshot("disk", "snap"));
  await makeStore(at("s"), async (host) => {
    await host.get("disk").preallocate(8192, 4096);
    await host.transact((tx) => {
      tx.rename("snap", "disk@monday");
      tx.discard(host.get("disk"), 0, 4096);
    });
    await host.get("disk").resize(4096);
    await host.rollback("disk", "disk@monday");
    await host.clone("disk", "lab");
    await host.delete("lab");
  });
}

async function records(...options: string[]): Promise<Record<string, unknown>[]> {
  const lines = (await blockspace("journal", at("s"), "--json", ...options)).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("journal", () => {
  it("prints one decoded record on each line, from the oldest file on", async () => {
    await history();
    const time = expect.stringMatching(/^\d{4}-.*Z$/) as string;
    const number = expect.any(Number) as number;
    const found = await records();
    expect(found.slice(0, 9)).toEqual([
      { lsn: 1, type: "create", subvolume: 1, size: 2 ** 20, created: time, name: "disk" },
      { lsn: 2, type: "remap", subvolume: 1, vblock: 0, pblock: number, count: 2, checksums: 2 },
      { lsn: 3, type: "snapshot", source: 1, subvolume: 2, created: time, name: "snap" },
      { lsn: 4, type: "remap", subvolume: 1, vblock: 2, pblock: number, count: 1, checksums: null },
      { lsn: 5, type: "rename", subvolume: 2, name: "disk@monday" },
      { lsn: 5, type: "unmap", subvolume: 1, vblock: 0, count: 1 },
      { lsn: 6, type: "resize", subvolume: 1, size: 4096 },
      { lsn: 7, type: "rollback", subvolume: 1, source: 2 },
      { lsn: 8, type: "clone", source: 1, subvolume: 3, created: time, name: "lab" },
    ]);
    const lastLsn = await inspect(at("s"), (host) => host.statistics().lastLsn);
    expect(found.at(-1)).toMatchObject({ lsn: lastLsn });
  });

  it("prints each checksum when asked to", async () => {
    await history();
    const [, remap] = await records("--checksums");
    expect(remap!["checksums"]).toEqual([expect.any(Number), expect.any(Number)]);
    const [one, other] = remap!["checksums"] as number[];
    expect(one).toBe(other);
  });

  it("shows aligned columns", async () => {
    await history();
    const lines = (await blockspace("journal", at("s"))).split("\n");
    expect(lines[0]).toBe("       LSN  RECORD    FIELDS");
    expect(lines[2]).toMatch(
      /^ {9}2 {2}remap {5}subvolume=1 vblock=0 pblock=\d+ count=2 checksums=2$/,
    );
    expect(lines[5]).toBe('         5  rename    subvolume=2 name="disk@monday"');
  });

  it("shows what it can before damage, and then says where that is", async () => {
    await history();
    const file = await open(`${at("s")}/journal/00000003`, "r+");
    await file.write(Buffer.alloc(8, 0xff), 0, 8, 4096 + 4);
    await file.close();
    const { code, stdout, stderr } = await run(["journal", at("s"), "--json"]);
    expect(stdout.trimEnd().split("\n")).toHaveLength(2);
    expect(stderr).toMatch(/^blockspace: ECORRUPT: the journal frame at commit 3 .*\n$/);
    expect(code).toBe(1);
  });

  it("needs a store", async () => {
    const { code, says } = await failure("journal", at("s"));
    expect([code, says]).toEqual([1, `blockspace: ENOENT: there is no store in ${at("s")}\n`]);
  });
});

describe("readJournal", () => {
  it("lets go of the store when nobody wants the rest", async () => {
    await history();
    for await (const commit of readJournal(at("s"))) {
      expect(commit.lsn).toBe(1);
      break;
    }
    await makeStore(at("s"), (host) => host.delete("disk@monday"));
  });

  it("begins behind a gap", async () => {
    await history();
    const file = await open(`${at("s")}/journal/00000003`, "r+");
    await file.write(Buffer.alloc(4096), 0, 4096, 0);
    await file.close();
    const first = await readJournal(at("s")).next();
    expect(first.done ? undefined : first.value.lsn).toBe(4);
  });

  it("refuses what is no path", async () => {
    const attempt = readJournal("").next();
    await expect(attempt).rejects.toSatisfy((error) => isBlockspaceError(error, "EINVAL"));
  });
});
