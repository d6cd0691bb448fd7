/**
 * The process of one subject: opens it, and runs the loads that it is told to. Arguments: the name
 * of the subject, its directory, the number of pages, the size of its cache.
 */
import { readFileSync } from "node:fs";
import { argv } from "node:process";
import { openBlockspace } from "./blockspace-pages.ts";
import { openFile } from "./file-pages.ts";
import { openLmdb } from "./lmdb-pages.ts";
import type { Order, Answer } from "./page-orders.ts";
import { fillPages, pageLoads, warmPages, writeScattered } from "./page-loads.ts";
import type { OpenPageStore, PageStore } from "./page-store.ts";
import { openSqlite } from "./sqlite-pages.ts";

const subjects: Readonly<Record<string, OpenPageStore>> = {
  blockspace: openBlockspace,
  lmdb: openLmdb,
  "better-sqlite3": openSqlite,
  file: openFile,
};

const pages = Number(argv[4]);
const options = { directory: argv[3]!, pages, cacheSize: Number(argv[5]) };
let store: PageStore | undefined;

/**
 * Bytes that this process has given to the system to write. Not `write_bytes`, which counts whole
 * folios of the page cache, a megabyte and more, for a block that is changed in one.
 */
function bytesWritten(): number {
  return Number(/^wchar: (\d+)/m.exec(readFileSync("/proc/self/io", "utf8"))![1]);
}

async function carryOut(order: Order): Promise<Answer> {
  if (order.order === "open") {
    store = await subjects[argv[2]!]!(options);
    return { version: store.version };
  }
  if (!store) throw new Error("it is not open");
  switch (order.order) {
    case "fill":
      await fillPages(store, pages);
      return {};
    case "warm":
      await warmPages(store, pages);
      return {};
    case "run":
      return { perSecond: await pageLoads[order.load](store, { pages, ...order }) };
    case "write":
      await writeScattered(store, pages, order);
      return {};
    case "close":
      await store.close();
      store = undefined;
      return {};
  }
}

process.on("message", (order: Order) => {
  carryOut(order).then(
    (answer) => process.send!({ ...answer, bytesWritten: bytesWritten() }),
    (error: unknown) =>
      process.send!({ failure: error instanceof Error ? error.message : String(error) }),
  );
});
