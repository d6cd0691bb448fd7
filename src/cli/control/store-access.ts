/**
 * What commands need of a store, whoever has it open: a host in this process is one as it is, and a
 * store that another process serves is one through that process's control socket.
 */
import type { ByteRange, SubvolumeInfo } from "../../host/host.ts";
import type { CleanerReport } from "../../host/cleaner.ts";
import type { Iomap } from "../../host/iomap.ts";
import type { Statistics } from "../../host/statistics.ts";
import type { Usage } from "../../host/usage.ts";
import type { WaitOptions } from "../../host/wait.ts";
import type { Recovery } from "../../replay/replay.ts";

/** Several, as they come. */
export type Series<T> = Iterable<T> | AsyncIterable<T>;

export interface SubvolumeAccess {
  readonly name: string;
  readonly size: number;
  read(offset: number, length: number): Promise<Buffer>;
  write(offset: number, data: Uint8Array): Promise<void>;
  resize(size: number, options?: WaitOptions): Promise<void>;
  extents(offset?: number, count?: number): Series<Iomap>;
}

export interface StoreAccess {
  readonly path: string;
  readonly uuid: string;
  readonly recovery: Recovery;
  /** The temporary names of imports that others are at work on; nobody can be unless it says so. */
  readonly importsUnderWay?: readonly string[];
  list(): SubvolumeInfo[];
  statistics(): Statistics;
  usage(): Map<string, Usage> | Promise<Map<string, Usage>>;
  get(name: string): SubvolumeAccess;
  diff(a: string, b: string, within?: ByteRange): Series<ByteRange>;
  create(name: string, options: WaitOptions & { size: number }): Promise<SubvolumeAccess>;
  snapshot(source: string, name: string, options?: WaitOptions): Promise<unknown>;
  clone(source: string, name: string, options?: WaitOptions): Promise<unknown>;
  rollback(name: string, snapshot: string, options?: WaitOptions): Promise<void>;
  rename(name: string, to: string, options?: WaitOptions): Promise<void>;
  delete(name: string, options?: WaitOptions): Promise<void>;
  compact(options?: WaitOptions): Promise<CleanerReport>;
  grow(capacity: number, options?: WaitOptions): Promise<void>;
  flush(): Promise<void>;
  close(): Promise<void>;
}
