/**
 * What the killed process said it wrote, and what of it must be found afterwards: at each place the
 * last version that was durable, or one that was submitted later; never an older one, and never
 * half of one.
 */
import type { Host } from "blockspace";
import { cloneName, offsetOf, STAMP_LENGTH, STRIDE, versionOf } from "./stamps.ts";

const AT_ONCE = 32;

interface Place {
  clone: number;
  place: number;
  /** Submitted, the newest last; `0` stands for what the image held there. */
  versions: number[];
}

export class Ledger {
  readonly #places = new Map<string, Place>();
  /** The last version that was submitted, and the last that is durable. */
  submitted = 0;
  durable = 0;

  /** Takes up a line that the process printed. */
  note(line: string): void {
    const [verb, version, clone, place] = line.split(" ");
    if (verb === "durable") this.durable = Math.max(this.durable, Number(version));
    if (verb !== "write") return;
    this.submitted = Number(version);
    this.#at(Number(clone), Number(place)).versions.push(this.submitted);
  }

  /** Compares every place ever written with the store; throws at the first that is wrong. */
  async check(host: Host, snapshot: string): Promise<void> {
    const places = [...this.#places.values()];
    for (let i = 0; i < places.length; i += AT_ONCE) {
      const some = places.slice(i, i + AT_ONCE);
      await Promise.all(some.map((place) => this.#checkPlace(host, snapshot, place)));
    }
  }

  /** Nothing differs from the snapshot but what was written. */
  checkDifferences(host: Host, snapshot: string, clone: number): void {
    for (const { offset, length } of host.diff(snapshot, cloneName(clone))) {
      const last = Math.floor((offset + length - 1) / STRIDE);
      for (let place = Math.floor(offset / STRIDE); place <= last; place++) {
        if (this.#places.has(`${clone} ${place}`)) continue;
        throw new Error(`${cloneName(clone)} differs at ${offset}, where nobody wrote`);
      }
    }
  }

  #at(clone: number, place: number): Place {
    const key = `${clone} ${place}`;
    const known = this.#places.get(key) ?? { clone, place, versions: [0] };
    this.#places.set(key, known);
    return known;
  }

  async #checkPlace(host: Host, snapshot: string, written: Place): Promise<void> {
    const { clone, place, versions } = written;
    const bytes = await host.get(cloneName(clone)).read(offsetOf(place), STAMP_LENGTH);
    let found = versionOf(bytes, clone, place);
    if (found === null) {
      const original = await host.get(snapshot).read(offsetOf(place), STAMP_LENGTH);
      if (original.equals(bytes)) found = 0;
    }
    const least = versions.findLast((version) => version <= this.durable) ?? versions[0]!;
    if (found === null || !versions.includes(found) || found < least) {
      throw new Error(
        `${cloneName(clone)} holds version ${found} at ${offsetOf(place)}; ` +
          `version ${least} was acknowledged`,
      );
    }
    // What was lost with the process will not come back; what was found stays.
    written.versions = [found];
  }
}
