/** The command that shows the journal, and the library function below it. */
import { open } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { isBlockspaceError } from "../../src/index.ts";
import { FileDirectory } from "../../src/device/file-directory.ts";
import { readJournal } from "../../src/host/journal-dump.ts";
import { type JournalFile, listJournalFiles } from "../../src/journal/files.ts";
import { blockspace, failure, inspect, makeStore, run, scratch } from "./blockspace.ts";

const at = scratch();
const ALIGNMENT = 4096;

/** One commit of each kind, in one session. */
async function history(): Promise<void> {
  await makeStore(at("s"), async (host) => {
    const disk = await host.create("disk", { size: 2 ** 20 });
    await disk.write(0, Buffer.alloc(8192, "a"));
    await host.snapshot("disk", "snap");
    await disk.preallocate(8192, 4096);
    await host.transact((tx) => {
      tx.rename("snap", "disk@monday");
      tx.discard(disk, 0, 4096);
    });
    await disk.resize(4096);
    await host.rollback("disk", "disk@monday");
    await host.clone("disk", "lab");
    await host.delete("lab");
  });
}

/** As many commits as fill a few journal files; the files, in the order of their use. */
async function longHistory(): Promise<JournalFile[]> {
  await makeStore(at("s"), async (host) => {
    const disk = await host.create("disk", { size: 2 ** 20 });
    for (let i = 0; i < 36; i++) {
      await disk.write(i * 4096, Buffer.alloc(4096, "a"));
      await disk.flush();
    }
  });
  const uuid = await inspect(at("s"), (host) => host.uuid);
  const storeId = Buffer.from(uuid.replaceAll("-", ""), "hex").subarray(0, 8);
  const directory = new FileDirectory(at("s/journal"));
  const files = await listJournalFiles(directory, { storeId, alignment: ALIGNMENT });
  return files.filter(({ header }) => header);
}

/** Overwrites bytes of a journal file. */
async function damage({ name }: JournalFile, position: number, length: number): Promise<void> {
  const file = await open(at(`s/journal/${name}`), "r+");
  await file.write(Buffer.alloc(length, 0xff), 0, length, position);
  await file.close();
}

async function records(...options: string[]): Promise<Record<string, unknown>[]> {
  const lines = (await blockspace("journal", at("s"), "--json", ...options)).trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("journal", () => {
  it("prints one decoded record on each line, also those behind a checkpoint", async () => {
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

  it("begins with the oldest file", async () => {
    await longHistory();
    const lsns = (await records()).map(({ lsn }) => lsn);
    expect(lsns).toEqual(Array.from({ length: 37 }, (_, i) => i + 1));
  });

  it("shows what it can before damage, and then says where that is", async () => {
    const last = (await longHistory()).at(-1)!;
    await damage(last, ALIGNMENT + 4, 8);
    const { code, stdout, stderr } = await run(["journal", at("s"), "--json"]);
    const { firstLsn } = last.header!;
    expect(stdout.trimEnd().split("\n")).toHaveLength(firstLsn - 1);
    const message = `blockspace: ECORRUPT: the journal frame at commit ${firstLsn} `;
    expect(stderr.startsWith(message)).toBe(true);
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
    const files = await longHistory();
    await damage(files.at(-2)!, 0, ALIGNMENT);
    const first = await readJournal(at("s")).next();
    expect(first.done ? undefined : first.value.lsn).toBe(files.at(-1)!.header!.firstLsn);
  });

  it("refuses what is no path", async () => {
    const attempt = readJournal("").next();
    await expect(attempt).rejects.toSatisfy((error) => isBlockspaceError(error, "EINVAL"));
  });
});
