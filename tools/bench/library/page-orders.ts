/** What a subject's process is told to do, and what it answers. */
import type { PageLoadName } from "./page-loads.ts";

export type Order =
  | { order: "open" | "fill" | "warm" | "close" }
  | { order: "run"; load: PageLoadName; durationMs: number; seed: number };

export interface Answer {
  version?: string;
  perSecond?: number;
  failure?: string;
}
