/**
 * SQLite, by way of better-sqlite3, as a store of pages: one table with a blob for each. The log is
 * written ahead (`WAL`) and synced at every commit (`FULL`). better-sqlite3 is no dependency of
 * this repository, since it compiles where its prebuilt file cannot be had: `npm install --no-save
 * better-sqlite3` brings it.
 */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { packageVersion } from "../facts.ts";
import { type OpenPageStore, PAGE, type PageStore, type Reading, RUN } from "./page-store.ts";

/** As much of better-sqlite3 as is used here; it brings no types. */
interface Statement {
  run(...values: unknown[]): unknown;
  get(...values: unknown[]): unknown;
  all(...values: unknown[]): unknown[];
  pluck(): this;
}

interface Database {
  pragma(text: string): unknown;
  exec(text: string): unknown;
  prepare(text: string): Statement;
  transaction(work: () => void): () => void;
  close(): void;
}

class SqlitePages implements PageStore {
  readonly version: string;
  readonly #db: Database;
  readonly #put: Statement;
  readonly #get: Statement;
  readonly #range: Statement;

  constructor(db: Database, version: string) {
    this.#db = db;
    this.version = version;
    this.#put = db.prepare("INSERT OR REPLACE INTO pages (id, data) VALUES (?, ?)");
    this.#get = db.prepare("SELECT data FROM pages WHERE id = ?").pluck();
    this.#range = db.prepare("SELECT data FROM pages WHERE id >= ? AND id < ?").pluck();
  }

  write(pages: readonly number[], contents: readonly Uint8Array[]): void {
    this.#db.transaction(() => {
      pages.forEach((page, i) => {
        this.#put.run(page, contents[i]);
      });
    })();
  }

  writeRuns(first: number, runs: readonly Uint8Array[]): void {
    this.#db.transaction(() => {
      for (const [i, run] of runs.entries()) {
        for (let page = 0; page < RUN; page++) {
          this.#put.run(first + i * RUN + page, run.subarray(page * PAGE, (page + 1) * PAGE));
        }
      }
    })();
  }

  read(page: number): Reading {
    return this.#get.get(page) as Uint8Array;
  }

  readRun(first: number): Reading {
    return this.#range.all(first, first + RUN)[0] as Uint8Array;
  }

  close(): void {
    this.#db.close();
  }
}

function resolveSqlite(require: NodeJS.Require): string {
  try {
    return require.resolve("better-sqlite3");
  } catch {
    throw new Error("not installed: npm install --no-save better-sqlite3");
  }
}

export const openSqlite: OpenPageStore = async ({ directory, cacheSize }) => {
  const require = createRequire(import.meta.url);
  const main = resolveSqlite(require);
  const Sqlite = require(main) as new (path: string) => Database;
  const db = new Sqlite(join(directory, "pages.sqlite"));
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.pragma(`cache_size = ${-Math.floor(cacheSize / 1024)}`);
  db.exec("CREATE TABLE IF NOT EXISTS pages (id INTEGER PRIMARY KEY, data BLOB NOT NULL)");
  return new SqlitePages(db, await packageVersion(join(dirname(main), "../package.json")));
};
