/**
 * LMDB, by way of lmdb-js, as a store of pages. A batch is one transaction, which is durable when
 * the call returns: `overlappingSync` is off, since with it, errors of a sync are not seen and
 * some states after a crash are broken. That costs nothing measurable. A read takes a view or a
 * buffer that the next read overwrites, which is the fastest that lmdb-js has.
 */
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Database, open, type RootDatabaseOptionsWithPath } from "lmdb";
import { packageVersion } from "../facts.ts";
import { type OpenPageStore, PAGE, type PageStore, RUN } from "./page-store.ts";

class LmdbPages implements PageStore {
  readonly version: string;
  readonly #db: Database<Uint8Array, Buffer>;
  readonly #key = Buffer.alloc(8);

  constructor(db: Database<Uint8Array, Buffer>, version: string) {
    this.#db = db;
    this.version = version;
  }

  write(pages: readonly number[], contents: readonly Uint8Array[]): void {
    this.#db.transactionSync(() => {
      pages.forEach((page, i) => {
        this.#db.putSync(this.#keyOf(page), contents[i]!);
      });
    });
  }

  writeRuns(first: number, runs: readonly Uint8Array[]): void {
    this.#db.transactionSync(() => {
      for (const [i, run] of runs.entries()) {
        for (let page = 0; page < RUN; page++) {
          const bytes = run.subarray(page * PAGE, (page + 1) * PAGE);
          this.#db.putSync(this.#keyOf(first + i * RUN + page), bytes);
        }
      }
    });
  }

  read(page: number): Uint8Array {
    return this.#db.getBinaryFast(this.#keyOf(page))!;
  }

  readRun(first: number): Uint8Array {
    for (let page = RUN - 1; page > 0; page--) this.read(first + page);
    return this.read(first);
  }

  async close(): Promise<void> {
    await this.#db.close();
  }

  #keyOf(page: number): Buffer {
    this.#key.writeUInt32BE(page, 4);
    return this.#key;
  }
}

export const openLmdb: OpenPageStore = async ({ directory }) => {
  const options: RootDatabaseOptionsWithPath & { noReadAhead: boolean } = {
    path: join(directory, "lmdb"),
    encoding: "binary",
    keyEncoding: "binary",
    overlappingSync: false,
    // Unknown to its types. Without it, a cold read of a page brings the disk's whole read-ahead.
    noReadAhead: true,
    cache: false,
    compression: false,
  };
  const db = open<Uint8Array, Buffer>(options);
  const main = createRequire(import.meta.url).resolve("lmdb");
  return new LmdbPages(db, await packageVersion(join(main, "../../package.json")));
};
