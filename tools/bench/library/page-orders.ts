/** What a subject's process is told to do, and what it answers. */
import type { PageLoadName } from "./page-loads.ts";

export type Order =
  | { order: "open" | "fill" | "warm" | "close" }
  | { order: "run"; load: PageLoadName; durationMs: number; seed: number }
  /** Random writes of so many bytes in batches, and the closing. */
  | { order: "write"; batch: number; bytes: number };

export interface Answer {
  version?: string;
  perSecond?: number;
  /** What the process gave to the system to write for it. */
  bytesWritten?: number;
  failure?: string;
}
