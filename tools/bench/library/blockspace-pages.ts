/** Blockspace as a store of pages: one subvolume, with the default options but for the cache. */
import { join } from "node:path";
import { Host, type Subvolume } from "blockspace";
import { root } from "../built.ts";
import { packageVersion } from "../facts.ts";
import { type OpenPageStore, PAGE, type PageStore, type Reading, RUN } from "./page-store.ts";

/** Of the working set's size, so that the log comes round and the cleaner has its part. */
const CAPACITY_FACTOR = 4;

const READS_AT_ONCE = 32;

class BlockspacePages implements PageStore {
  readonly version: string;
  readonly #host: Host;
  readonly #disk: Subvolume;
  /** For as many reads as are under way at once. */
  readonly #targets = Array.from({ length: READS_AT_ONCE }, () => Buffer.alloc(PAGE));
  readonly #run = Buffer.alloc(RUN * PAGE);
  #next = 0;

  constructor(host: Host, disk: Subvolume, version: string) {
    this.#host = host;
    this.#disk = disk;
    this.version = version;
  }

  async write(pages: readonly number[], contents: readonly Uint8Array[]): Promise<void> {
    const writes = pages.map((page, i) => this.#disk.write(page * PAGE, contents[i]!));
    await Promise.all([...writes, this.#disk.flush()]);
  }

  async writeAtomically(pages: readonly number[], contents: readonly Uint8Array[]): Promise<void> {
    await this.#host.transact((transaction) => {
      pages.forEach((page, i) => transaction.write(this.#disk, page * PAGE, contents[i]!));
    });
  }

  async writeRuns(first: number, runs: readonly Uint8Array[]): Promise<void> {
    const writes = runs.map((run, i) => this.#disk.write((first + i * RUN) * PAGE, run));
    await Promise.all([...writes, this.#disk.flush()]);
  }

  read(page: number): Reading {
    const target = this.#targets[this.#next++ % this.#targets.length]!;
    if (this.#disk.readNow(target, page * PAGE)) return target;
    return this.#disk.readInto(target, page * PAGE).then(() => target);
  }

  readRun(first: number): Reading {
    return this.#disk.readInto(this.#run, first * PAGE).then(() => this.#run);
  }

  async close(): Promise<void> {
    await this.#host.close();
  }
}

export const openBlockspace: OpenPageStore = async ({ directory, pages, cacheSize }) => {
  const size = pages * PAGE;
  const capacity = CAPACITY_FACTOR * size;
  const host = await Host.open(join(directory, "store"), { create: true, capacity, cacheSize });
  const disk = host.list().length === 0 ? await host.create("disk", { size }) : host.get("disk");
  return new BlockspacePages(host, disk, await packageVersion(join(root, "package.json")));
};
