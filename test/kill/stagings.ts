/**
 * The two-phase part of the load: extents that are staged and written for a while before they are
 * committed, given back, or lost with the process.
 *
 * A staging that a later operation would make stale is given back before that operation is
 * submitted, so that every commit of the load succeeds.
 */
import type { Cookie, Iomap } from "../../src/index.ts";
import { bytesOf } from "./operations.ts";
import type { Submit, Volume } from "./volume.ts";

const BLOCK = 4096;
const MOST_STAGINGS = 8;

interface Staging {
  volume: Volume;
  cookie: Cookie;
  iomap: Iomap;
  fill: number;
}

export class Stagings {
  readonly #random: (limit: number) => number;
  readonly #submit: Submit;
  #stagings: Staging[] = [];

  constructor(random: (limit: number) => number, submit: Submit) {
    this.#random = random;
    this.#submit = submit;
  }

  /** Reserves, allocates and writes a few blocks; they are in no map yet. */
  async stage(volume: Volume): Promise<void> {
    const blocks = Math.ceil(volume.size / BLOCK);
    const first = this.#random(blocks);
    const count = 1 + this.#random(Math.min(24, blocks - first));
    if (this.#stagings.length >= MOST_STAGINGS) return;
    if (this.#overlapping(volume, first * BLOCK, count * BLOCK).length > 0) return;
    const cookie = await volume.handle.reserve(count, BLOCK);
    const iomap = await volume.handle.allocate(cookie, first * BLOCK, count * BLOCK);
    const fill = this.#random(2 ** 31);
    // Reaches to the end of the last block; what lies beyond the subvolume's own end must not show
    // when it grows.
    await volume.handle.submit(iomap, bytesOf(fill, iomap.length));
    this.#stagings.push({ volume, cookie, iomap, fill });
  }

  /** Maps one staged extent. */
  commitOne(): void {
    const [staging] = this.#stagings.splice(this.#random(this.#stagings.length), 1);
    if (!staging) return;
    const { volume, cookie, iomap, fill } = staging;
    const { offset } = iomap;
    const length = Math.min(iomap.length, volume.size - offset);
    const operation = { type: "write", name: volume.name, offset, length, fill } as const;
    const mode = iomap.type === "unwritten" ? "unwritten" : "cow";
    const durable = this.#random(4) === 0;
    this.#submit(operation, async (acknowledge) => {
      await volume.handle.commit(cookie, offset, iomap.length, mode, { durable });
      if (durable) acknowledge();
      cookie.put();
    });
  }

  /** Gives one staged extent back. */
  putOne(): void {
    const [staging] = this.#stagings.splice(this.#random(this.#stagings.length), 1);
    staging?.cookie.put();
  }

  /** Gives back all of a subvolume. */
  drop(volume: Volume): void {
    this.#putAll(this.#stagings.filter((staging) => staging.volume === volume));
  }

  /** Gives back preallocated blocks that a write is going to map elsewhere. */
  written(volume: Volume, offset: number, length: number): void {
    const overlapping = this.#overlapping(volume, offset, length);
    this.#putAll(overlapping.filter(({ iomap }) => iomap.type === "unwritten"));
  }

  #putAll(stagings: readonly Staging[]): void {
    this.#stagings = this.#stagings.filter((staging) => !stagings.includes(staging));
    for (const { cookie } of stagings) cookie.put();
  }

  #overlapping(volume: Volume, offset: number, length: number): Staging[] {
    const end = Math.ceil((offset + length) / BLOCK) * BLOCK;
    const start = offset - (offset % BLOCK);
    return this.#stagings.filter(
      (staging) =>
        staging.volume === volume &&
        staging.iomap.offset < end &&
        staging.iomap.offset + staging.iomap.length > start,
    );
  }
}
