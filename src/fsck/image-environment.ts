/**
 * An image as a checkpoint environment: replay reads it as it reads LMDB, but nothing here can take
 * the process down. A commit puts count and digest right, as every environment does.
 */
import { CommitGuard } from "../checkpoint/commit-guard.ts";
import type { Change, Closing, CommitOptions, Environment } from "../checkpoint/environment.ts";
import { Tally } from "../checkpoint/tally.ts";
import { kinds } from "../format/checkpoint-values.ts";
import { CLOSING_ID, decodeClosing, encodeClosing } from "../format/closing-record.ts";
import type { Image } from "./image.ts";

export class ImageEnvironment implements Environment {
  readonly name: string;
  readonly #image: Image;
  readonly #guard: CommitGuard;

  constructor(name: string, image: Image) {
    this.name = name;
    this.#image = image;
    this.#guard = new CommitGuard(`checkpoint ${name}`);
  }

  closing(): Closing | undefined {
    this.#guard.checkOpen();
    const value = this.#image.closing;
    return value && decodeClosing(value);
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
      const staged = [...tally.over(changes)];
      staged.push(...tally.over((await last?.()) ?? []));
      if (reset) image.clear();
      for (const change of staged) image.apply(change);
      const closing = tally.closing(epoch, lsn);
      image.set(kinds.closing, CLOSING_ID, encodeClosing(closing));
      return closing;
    });
  }

  close(): Promise<void> {
    return this.#guard.close(async () => {});
  }
}
