/** What every part of the benchmark is handed: how much to measure, where, and who cleans up. */
import type { CleanUp } from "./clean-up.ts";
import type { Scale } from "./scale.ts";

export interface Bench {
  readonly scale: Scale;
  /** On the file system that is measured; removed at the end. */
  readonly directory: string;
  readonly cleanUp: CleanUp;
}
