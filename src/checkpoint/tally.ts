/**
 * Count and digest of a table, followed through the changes of one commit: what the closing record
 * will say.
 *
 * Of a value that is replaced or removed, the checksum is taken as it stands, unverified. Should it
 * be rotten, the digest does not match the table afterwards: the damage still shows.
 */
import { BlockspaceError } from "../base/errors.ts";
import { checkKey } from "../format/checkpoint-key.ts";
import { kinds } from "../format/checkpoint-values.ts";
import { sealOf } from "../format/sealed-value.ts";
import { addDigest, digestOf, subtractDigest } from "./digest.ts";
import type { Change, Closing } from "./environment.ts";

export class Tally {
  readonly #stored: (kind: number, id: number) => Uint8Array | undefined;
  /** By kind and id, the checksum that this commit has put there: a key may be changed twice. */
  readonly #latest: Map<number, number | undefined>[] = [];
  #count: number;
  #digest: number;

  /** `before` and `stored` are the table as it is; nothing and nothing when it is to be emptied. */
  constructor(
    before: Closing | undefined,
    stored: (kind: number, id: number) => Uint8Array | undefined,
  ) {
    this.#count = before?.count ?? 0;
    this.#digest = before?.digest ?? 0;
    this.#stored = stored;
  }

  /** Passes the changes on, each counted. */
  *over(changes: Iterable<Change>): Generator<Change> {
    for (const change of changes) {
      this.#add(change);
      yield change;
    }
  }

  /** The closing record for the table with all changes so far. */
  closing(epoch: number, lsn: number): Closing {
    return { epoch, lsn, count: this.#count, digest: this.#digest };
  }

  #add({ kind, id, value }: Change): void {
    if (kind === kinds.closing) {
      throw new BlockspaceError("EINVAL", "the closing record is not for callers to change");
    }
    checkKey(kind, id);
    const latest = (this.#latest[kind] ??= new Map());
    const before = latest.has(id) ? latest.get(id) : this.#storedSeal(kind, id);
    const after = value === null ? undefined : sealOf(kind, id, value);
    latest.set(id, after);
    if (before !== undefined) {
      this.#count--;
      this.#digest = subtractDigest(this.#digest, digestOf(kind, id, before));
    }
    if (after !== undefined) {
      this.#count++;
      this.#digest = addDigest(this.#digest, digestOf(kind, id, after));
    }
  }

  #storedSeal(kind: number, id: number): number | undefined {
    const value = this.#stored(kind, id);
    return value && sealOf(kind, id, value);
  }
}
