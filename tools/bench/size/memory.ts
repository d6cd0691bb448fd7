/** How much memory a process takes that works on a large map, above one that has an empty store. */
import { rm } from "node:fs/promises";
import { MiB } from "blockspace";
import type { CleanUp } from "../clean-up.ts";
import { answerOf } from "./answering-process.ts";

/** The default `cacheSize` and `maxDirty`, in MiB. */
export const MEMORY_LIMIT: number = 128 + 32;

/** MiB. */
export async function measureMemory(
  cleanUp: CleanUp,
  store: string,
  extents: number,
): Promise<number> {
  const empty = `${store}-empty`;
  await cleanUp.add(() => rm(empty, { recursive: true, force: true }));
  const base = await answerOf<{ peak: number }>(cleanUp, "./memory-process.ts", [empty, 0]);
  const full = await answerOf<{ peak: number }>(cleanUp, "./memory-process.ts", [store, extents]);
  return Math.max(0, full.peak - base.peak) / MiB;
}
