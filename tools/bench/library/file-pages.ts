/**
 * A plain file as a store of pages: positional writes in place and one fdatasync. No batch of it is
 * all or nothing, no old state can be had again, no damage is noticed: what the file system alone
 * can do, as the line that others are held against.
 */
import {
  closeSync,
  constants,
  fdatasyncSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type OpenPageStore, PAGE, type PageStore, type Reading, RUN } from "./page-store.ts";

class FilePages implements PageStore {
  readonly version = "positional writes";
  readonly #fd: number;
  readonly #page = Buffer.alloc(PAGE);
  readonly #run = Buffer.alloc(RUN * PAGE);

  constructor(fd: number) {
    this.#fd = fd;
  }

  write(pages: readonly number[], contents: readonly Uint8Array[]): void {
    pages.forEach((page, i) => {
      writeSync(this.#fd, contents[i]!, 0, PAGE, page * PAGE);
    });
    fdatasyncSync(this.#fd);
  }

  writeRuns(first: number, runs: readonly Uint8Array[]): void {
    for (const [i, run] of runs.entries()) {
      writeSync(this.#fd, run, 0, run.length, (first + i * RUN) * PAGE);
    }
    fdatasyncSync(this.#fd);
  }

  read(page: number): Reading {
    readSync(this.#fd, this.#page, 0, PAGE, page * PAGE);
    return this.#page;
  }

  readRun(first: number): Reading {
    readSync(this.#fd, this.#run, 0, RUN * PAGE, first * PAGE);
    return this.#run;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

export const openFile: OpenPageStore = async ({ directory, pages }) => {
  const fd = openSync(join(directory, "pages"), constants.O_RDWR | constants.O_CREAT);
  ftruncateSync(fd, pages * PAGE);
  return new FilePages(fd);
};
