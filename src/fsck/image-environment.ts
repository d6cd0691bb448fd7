/**
 * An image as a checkpoint environment: replay reads it as it reads LMDB, but nothing here can take
 * the process down. A commit puts count and digest right, as every environment does.
 */
import { CommitGuard } from "../checkpoint/commit-guard.ts";
import type { Change, Closing, CommitOptions, Environment } from "../checkpoint/environment.ts";
import { Tally } from "../checkpoint/tally.ts";
import { kinds } from "../format/checkpoint-values.ts";
import { CLOSING_ID, decodeOwnClosing, encodeClosing } from "../format/closing-record.ts";
import { STORE_ID_BYTES } from "../format/superblock.ts";
import type { Image } from "./image.ts";

export class ImageEnvironment implements Environment {
  readonly name: string;
  readonly #image: Image;
  readonly #storeId: Uint8Array | undefined;
  readonly #guard: CommitGuard;

  /** Without a `storeId` the image may be any store's, and stays so. */
  constructor(name: string, image: Image, storeId?: Uint8Array) {
    this.name = name;
    this.#image = image;
    this.#storeId = storeId;
    this.#guard = new CommitGuard(`checkpoint ${name}`);
  }

  closing(): Closing | undefined {
    this.#guard.checkOpen();
    const value = this.#image.closing;
    return value && decodeOwnClosing(value, this.#owner);
  }

  get(kind: number, id: number): Uint8Array | undefined {
    this.#guard.checkOpen();
    return this.#image.get(kind, id);
  }

  *scan(kind: number): Generator<{ id: number; value: Uint8Array }> {
    this.#guard.checkOpen();
    for (const [id, value] of this.#image.scan(kind)) yield { id, value };
  }

  commit(changes: Iterable<Change>, options: CommitOptions): Promise<Closing> {
    const { epoch, lsn, reset, last } = options;
    return this.#guard.commit(async () => {
      const image = this.#image;
      const tally = reset
        ? new Tally(undefined, () => undefined)
        : new Tally(this.closing(), (kind, id) => image.get(kind, id));
      const storeId = this.#owner;
      const staged = [...tally.over(changes)];
      staged.push(...tally.over((await last?.()) ?? []));
      if (reset) image.clear();
      for (const change of staged) image.apply(change);
      const closing = tally.closing(epoch, lsn);
      image.set(kinds.closing, CLOSING_ID, encodeClosing({ ...closing, storeId }));
      return closing;
    });
  }

  get #owner(): Uint8Array {
    return this.#storeId ?? this.#image.owner ?? new Uint8Array(STORE_ID_BYTES);
  }

  close(): Promise<void> {
    return this.#guard.close(async () => {});
  }
}
