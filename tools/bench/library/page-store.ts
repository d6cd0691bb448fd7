/**
 * What is compared as a library: a store of numbered pages of 4 KiB in this process. Every subject
 * is this face over the library's own calls, as its documentation would have one write them.
 */

export const PAGE = 4096;
/** Pages in a run of 1 MiB. */
export const RUN = 256;

/** A page is a copy or a view that is good until the next call. */
export type Reading = Uint8Array | Promise<Uint8Array>;

export interface PageStore {
  /** What was opened, for the facts. */
  readonly version: string;
  /** Writes single pages; durable, as one batch, when it returns or resolves. */
  write(pages: readonly number[], contents: readonly Uint8Array[]): void | Promise<void>;
  /** As {@link write}, and all or nothing, where that is another call. */
  writeAtomically?(pages: readonly number[], contents: readonly Uint8Array[]): Promise<void>;
  /** Writes runs of {@link RUN} pages one behind the other; durable when it returns. */
  writeRuns(first: number, runs: readonly Uint8Array[]): void | Promise<void>;
  read(page: number): Reading;
  /** All pages of a run; the first of them, or all in one piece. */
  readRun(first: number): Reading;
  close(): void | Promise<void>;
}

export interface PageStoreOptions {
  /** An empty directory the first time. */
  directory: string;
  pages: number;
  /** Memory for a cache of its own, where the subject has one; the same for all. */
  cacheSize: number;
}

export type OpenPageStore = (options: PageStoreOptions) => Promise<PageStore>;
