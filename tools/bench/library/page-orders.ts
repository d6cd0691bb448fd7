/** What a subject's process is told to do, and what it answers. */
import type { PageLoadName } from "./page-loads.ts";

export type Order =
  | { order: "open" | "fill" | "warm" | "close" }
  | { order: "run"; load: PageLoadName; durationMs: number; seed: number }
  /** Random writes of so many bytes, in durable batches. */
  | { order: "write"; batch: number; bytes: number };

export interface Answer {
  version?: string;
  perSecond?: number;
  /** What the process has given to the system to write so far. */
  bytesWritten?: number;
  failure?: string;
}
