/**
 * Damaged LMDB files, read by a child process: whatever becomes of the child, the caller lives, is
 * told, and believes no value that is not what was written.
 *
 * 60 files, since each takes a process; `BLOCKSPACE_LMDB_FILES=1400` runs as many as were measured
 * when lmdb itself was the one that died (304 times).
 */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { dumpEnvironment } from "../../src/checkpoint/lmdb-dump.ts";
import { lmdbEnvironments } from "../../src/checkpoint/lmdb-environment.ts";
import { check } from "../../src/fsck/check.ts";
import { repair } from "../../src/fsck/repair.ts";
import { seal } from "../../src/format/sealed-value.ts";
import { Host } from "../../src/index.ts";
import { byteVerbs } from "../../tools/damage/byte-verbs.ts";
import { below, type Random, randomFrom } from "../../tools/damage/random.ts";

const files = Number(process.env["BLOCKSPACE_LMDB_FILES"] ?? 60);
const PAGE = 4096;
const VALUES = 4000;
let scratch = "";
let original = "";

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), "blockspace-fsck-"));
  original = join(scratch, "original");
  const environment = await lmdbEnvironments(original, { storeId: new Uint8Array(8) })("a");
  const changes = Array.from({ length: VALUES }, (_, id) => ({
    kind: 3,
    id,
    value: seal(3, id, new Uint8Array(40 + (id % 700)).fill(id)),
  }));
  await environment.commit(changes, { epoch: 1, lsn: 1, reset: true });
  await environment.close();
});

afterAll(() => rm(scratch, { recursive: true }));

/** The kinds of damage that were measured: bits, pages zeroed, random, misdirected, cut, meta. */
function damage(bytes: Uint8Array, random: Random): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const page = below(random, copy.length / PAGE) * PAGE;
  switch (below(random, 6)) {
    case 0:
      return byteVerbs["flip"]!(copy, random);
    case 1:
      return copy.fill(0, page, page + PAGE);
    case 2:
      return byteVerbs["noise"]!(copy, random);
    case 3:
      copy.copyWithin(page, below(random, copy.length / PAGE) * PAGE, PAGE);
      return copy;
    case 4:
      return byteVerbs["truncate"]!(copy, random);
    default:
      copy[below(random, 2 * PAGE)]! ^= 1 << below(random, 8);
      return copy;
  }
}

describe("damaged LMDB files", { timeout: 1_200_000 }, () => {
  it(`P3: ${files} of them, and the caller lives`, async () => {
    const bytes = await readFile(join(original, "a", "data.mdb"));
    const outcomes = { whole: 0, told: 0 };
    let next = 0;
    const lane = async (number: number): Promise<void> => {
      const path = join(scratch, `lane ${number}`);
      await mkdir(path);
      while (next < files) {
        const seed = next++;
        await writeFile(join(path, "data.mdb"), damage(bytes, randomFrom(seed)));
        const end = await dumpEnvironment(path, () => undefined, { idleTimeoutMs: 20_000 });
        expect(end.present).toBe(true);
        outcomes[end.failure === undefined ? "whole" : "told"]++;
      }
    };
    await Promise.all([lane(1), lane(2)]);
    expect(outcomes.whole + outcomes.told).toBe(files);
    expect(outcomes.told).toBeGreaterThan(0);
    console.log(`${files} files: ${outcomes.whole} read to their end, ${outcomes.told} told of`);
  });

  it("a child that says nothing is killed, and told of", async () => {
    const path = join(original, "a");
    const reading = dumpEnvironment(path, () => undefined, { idleTimeoutMs: 1 });
    await expect(reading).rejects.toThrow(
      /EIO: the process .* was ended by SIGKILL before it began/,
    );
  });

  it("a caller that gives up ends the child", async () => {
    const signal = AbortSignal.abort();
    await expect(dumpEnvironment(join(original, "a"), () => undefined, { signal })).rejects.toThrow(
      "aborted",
    );
  });

  it("a whole store on disk is checked and repaired", async () => {
    const path = join(scratch, "store");
    const host = await Host.open(path, { create: true, capacity: 2 ** 26, journalSize: 2 ** 20 });
    const disk = await host.create("disk", { size: 2 ** 20 });
    await disk.write(0, Buffer.alloc(2 ** 18, "here"));
    await host.checkpoint();
    await host.snapshot("disk", "disk@1");
    await host.checkpoint();
    await host.close();
    expect((await check(path, { data: true })).findings).toEqual([]);
    const hurt = async (name: string, from: number, to: number): Promise<void> => {
      const file = join(path, "checkpoint", name, "data.mdb");
      await writeFile(file, (await readFile(file)).fill(0x5a, from, to));
    };
    await hurt("a", 2 * PAGE, 3 * PAGE);
    await hurt("b", 3 * PAGE - 60, 3 * PAGE - 50);
    const { exitCode, failure } = await check(path);
    expect({ exitCode, failure }).toEqual({ exitCode: 4, failure: undefined });
    const damaged = join(scratch, "damaged");
    await cp(path, damaged, { recursive: true });
    const to = join(scratch, "repaired");
    for (const report of [await repair(path, { to }), await repair(damaged, { inPlace: true })]) {
      expect(report.failure).toBeUndefined();
      expect(report.exitCode).toBe(1);
      const mended = await Host.open(report.target!);
      const bytes = await mended.get("disk@1").read(0, 2 ** 18);
      expect(Buffer.from(bytes).equals(Buffer.alloc(2 ** 18, "here"))).toBe(true);
      await mended.close();
    }
  });
});
