/**
 * P2: a flipped bit anywhere in the metadata is found, or changes nothing, or looks like a loss of
 * power; never does a check of other contents end with 0, and never does it end in a way that has
 * no exit code.
 *
 * One bit of every third byte, since every single one takes minutes: `BLOCKSPACE_EVERY_BIT=1` does that.
 */
import { describe, expect, it } from "vitest";
import { Image } from "../../src/fsck/image.ts";
import { type CheckReport, type Evidence, examine } from "../../src/fsck/check.ts";
import { kinds } from "../../src/format/checkpoint-values.ts";
import { CLOSING_ID } from "../../src/format/closing-record.ts";
import { isPrefix } from "./support/damage-case.ts";
import type { FsckStore } from "./support/fsck-store.ts";
import { sampleStore } from "./support/sample-store.ts";

const everyBit = process.env["BLOCKSPACE_EVERY_BIT"] === "1";
const SLOT = 4096;

/** The bits to flip of a byte. */
function bitsOf(index: number): number[] {
  if (everyBit) return [0, 1, 2, 3, 4, 5, 6, 7];
  return index % 3 === 0 ? [index % 8] : [];
}

/** What a check makes of a store, as far as a user could be misled. */
function digestOf(evidence: Evidence | undefined): number | undefined {
  const image = evidence?.chosen?.replayed.image.clone() ?? new Image();
  for (const kind of [kinds.state, kinds.busy])
    for (const [id] of image.scan(kind)) image.delete(kind, id);
  return image.digest;
}

class Judge {
  readonly problems: string[] = [];
  flips = 0;
  harmless = 0;
  torn = 0;
  readonly #whole: FsckStore;
  readonly #digest: number | undefined;

  constructor(whole: FsckStore, digest: number | undefined) {
    this.#whole = whole;
    this.#digest = digest;
  }

  async check(store: FsckStore, where: string): Promise<void> {
    this.flips++;
    const { report, evidence } = await examine(store.access);
    const verdict = await this.#verdict(store, report, evidence);
    if (verdict !== undefined) this.problems.push(`${where}: ${verdict}`);
  }

  async #verdict(
    store: FsckStore,
    { exitCode, failure }: CheckReport,
    evidence: Evidence | undefined,
  ): Promise<string | undefined> {
    if (failure)
      return failure.code === "ENOTSUP" ? undefined : `${failure.code} ${failure.message}`;
    if (exitCode !== 0) return undefined;
    if (digestOf(evidence) === this.#digest) {
      this.harmless++;
      return undefined;
    }
    if (!(await isPrefix(this.#whole, store))) return "silently wrong";
    this.torn++;
    return undefined;
  }
}

function flipped(bytes: Uint8Array, index: number, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[index]! ^= 1 << bit;
  return copy;
}

describe("every single bit", { timeout: 3_600_000 }, () => {
  it("of superblock and label", async () => {
    const { whole, judge } = await prepare();
    for (const [file, length] of [
      ["superblock", 2 * SLOT],
      ["data", 512],
    ] as const) {
      const bytes = await whole.read(file);
      for (let at = 0; at < length; at += at % SLOT < 512 || everyBit ? 1 : 61) {
        for (const bit of bitsOf(at)) {
          const store = whole.copy();
          await store.write(file, flipped(bytes, at, bit));
          await judge.check(store, `${file} ${at}.${bit}`);
        }
      }
    }
    expect(judge.problems).toEqual([]);
    expect(judge.flips).toBeGreaterThan(300);
  });

  it("of the journal", async () => {
    const { whole, judge } = await prepare();
    for (const name of await whole.directory.directory("journal").list()) {
      const bytes = await whole.read(`journal/${name}`);
      const last = bytes.findLastIndex((byte) => byte !== 0);
      for (let at = 0; at <= last; at += at % 512 < 200 || everyBit ? 1 : 41) {
        for (const bit of bitsOf(at)) {
          const store = whole.copy();
          await store.write(`journal/${name}`, flipped(bytes, at, bit));
          await judge.check(store, `${name} ${at}.${bit}`);
        }
      }
    }
    expect(judge.problems).toEqual([]);
    expect(judge.torn).toBeGreaterThan(0);
  });

  it("of every value of both checkpoints is found", async () => {
    const { whole, judge } = await prepare();
    for (const name of ["a", "b"] as const) {
      const image = whole.images[name]!;
      const all = [...image.changes()].concat({
        kind: kinds.closing,
        id: CLOSING_ID,
        value: image.closing!,
      });
      for (const { kind, id, value } of all) {
        for (let at = 0; at < value!.length; at++) {
          for (const bit of bitsOf(at)) {
            const store = whole.copy();
            store.images[name]!.set(kind, id, flipped(value!, at, bit));
            await judge.check(store, `${name} ${kind}:${id} ${at}.${bit}`);
          }
        }
      }
    }
    expect(judge.problems).toEqual([]);
    expect(judge.harmless).toBe(0);
  });
});

async function prepare(): Promise<{ whole: FsckStore; judge: Judge }> {
  const whole = await sampleStore(3, 5);
  const { evidence } = await examine(whole.access);
  return { whole, judge: new Judge(whole, digestOf(evidence)) };
}
