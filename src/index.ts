/**
 * Blockspace: an embeddable, crash-consistent block store with instant snapshots and clones. This
 * is the public entry point; everything exported here is documented where it is declared.
 */
export {
  BlockspaceError,
  type ErrorCode,
  type ErrorPlace,
  isBlockspaceError,
} from "./base/errors.ts";
export { formatSize, GiB, KiB, MiB, parseSize, TiB } from "./base/units.ts";
export type { BlockSpace } from "./host/block-space.ts";
export { type ByteRange, Host, type SubvolumeInfo } from "./host/host.ts";
export type { CleanerReport } from "./host/cleaner.ts";
export type { Iomap, IomapFlags } from "./host/iomap.ts";
export type { OpenHostOptions } from "./host/options.ts";
export type { CommitMode } from "./host/staging.ts";
export type { Statistics } from "./host/statistics.ts";
export type { Subvolume } from "./host/subvolume.ts";
export type { Transaction } from "./host/transaction.ts";
export type { Usage } from "./host/usage.ts";
export type { WaitOptions } from "./host/wait.ts";
export type { Recovery } from "./replay/replay.ts";
export type { Cookie } from "./space/cookie.ts";
