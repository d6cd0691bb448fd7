/**
 * The verbs of virtual block address space mapping (D. Chinner, 2018), as an interface. A subvolume
 * is one, and says of each verb what it does and refuses. Offsets and counts are bytes, but for
 * `allocCount`, which counts blocks of `blockSize` bytes.
 */
import type { Cookie } from "../space/cookie.ts";
import type { Iomap } from "./iomap.ts";
import type { CommitMode } from "./staging.ts";
import type { WaitOptions } from "./wait.ts";

export interface BlockSpace {
  reserve(allocCount: number, blockSize: number, options?: WaitOptions): Promise<Cookie>;
  unreserve(cookie: Cookie): void;
  allocate(cookie: Cookie, offset: number, count: number, options?: WaitOptions): Promise<Iomap>;
  submit(iomap: Iomap, data: Uint8Array, options?: WaitOptions): Promise<void>;
  commit(
    cookie: Cookie,
    offset: number,
    count: number,
    mode: CommitMode,
    options?: WaitOptions & { durable?: boolean },
  ): Promise<void>;
  map(offset: number, count?: number): Iomap;
}
