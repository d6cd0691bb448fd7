/**
 * All values of one checkpoint as they stand, sealed and not yet believed: what a check looks at, a
 * repair mends, a dump shows and a restore makes. The state that the journal leads to has this form
 * as well, so that whatever is checked is checked in the same way.
 */
import { kinds } from "../format/checkpoint-values.ts";
import { addDigest, digestOf } from "../checkpoint/digest.ts";
import type { Change } from "../checkpoint/environment.ts";
import { CLOSING_ID, decodeClosing, encodeClosing } from "../format/closing-record.ts";
import { SEAL_BYTES, sealOf } from "../format/sealed-value.ts";
import { STORE_ID_BYTES } from "../format/superblock.ts";

export class Image {
  readonly #values = new Map<number, Map<number, Uint8Array>>();

  get(kind: number, id: number): Uint8Array | undefined {
    return this.#values.get(kind)?.get(id);
  }

  set(kind: number, id: number, value: Uint8Array): void {
    let values = this.#values.get(kind);
    if (!values) this.#values.set(kind, (values = new Map()));
    values.set(id, value);
  }

  delete(kind: number, id: number): void {
    this.#values.get(kind)?.delete(id);
  }

  clear(): void {
    this.#values.clear();
  }

  count(kind: number): number {
    return this.#values.get(kind)?.size ?? 0;
  }

  /** Values of all kinds but the closing record. */
  get size(): number {
    let size = 0;
    for (const [kind, values] of this.#values) if (kind !== kinds.closing) size += values.size;
    return size;
  }

  /** The kinds of which there are values, in their order. */
  kinds(): number[] {
    const present = [...this.#values].filter(([, values]) => values.size > 0);
    return present.map(([kind]) => kind).toSorted((a, b) => a - b);
  }

  /** The values of one kind by their ids. */
  scan(kind: number): [id: number, value: Uint8Array][] {
    return [...(this.#values.get(kind) ?? [])].toSorted(([a], [b]) => a - b);
  }

  /** All values but the closing record, as what a commit takes. */
  *changes(): Generator<Change> {
    for (const kind of this.kinds()) {
      if (kind === kinds.closing) continue;
      for (const [id, value] of this.scan(kind)) yield { kind, id, value };
    }
  }

  /** Where a twin has the same value, its bytes serve both. */
  apply({ kind, id, value }: Change, twin?: Image): void {
    const same = value && twin?.get(kind, id);
    if (value === null) this.delete(kind, id);
    else this.set(kind, id, same && Buffer.compare(same, value) === 0 ? same : value);
  }

  /** Another image with the same values, which nobody changes in place. */
  clone(): Image {
    const copy = new Image();
    for (const [kind, values] of this.#values) copy.#values.set(kind, new Map(values));
    return copy;
  }

  /** Sum of the digests of all values that have a seal. */
  get digest(): number {
    let digest = 0;
    for (const { kind, id, value } of this.changes()) {
      if (!value || value.length < SEAL_BYTES) continue;
      digest = addDigest(digest, digestOf(kind, id, sealOf(kind, id, value)));
    }
    return digest;
  }

  /** Puts a closing record that fits the values; whose they are stays as it was. */
  close(epoch: number, lsn: number): void {
    const { size: count, digest, owner: storeId = new Uint8Array(STORE_ID_BYTES) } = this;
    this.set(kinds.closing, CLOSING_ID, encodeClosing({ epoch, lsn, count, digest, storeId }));
  }

  /** The id of the store that the closing record names, if one can be read. */
  get owner(): Uint8Array | undefined {
    try {
      return this.closing && decodeClosing(this.closing).storeId;
    } catch {
      return undefined;
    }
  }

  /** It says itself that it is another store's: however sound, nothing in it is to be believed. */
  isForeignTo(storeId: Uint8Array): boolean {
    const { owner } = this;
    return owner !== undefined && Buffer.compare(owner, storeId) !== 0;
  }

  /** The closing record as it stands. */
  get closing(): Uint8Array | undefined {
    return this.get(kinds.closing, CLOSING_ID);
  }
}
