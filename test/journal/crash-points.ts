/** Stops a piece of work at any one of its operations, as a loss of power or a kill does. */
import type { SimulatedTree } from "../support/simulated-tree.ts";

/** Keeps nothing that is not durable. */
export const keepNothing = (): number => 0;
/** Keeps everything that was written. */
export const keepEverything = (): number => 0.999;

/** Keeps the first three unflushed writes as the bits of `mask` say, and all further ones. */
export function keepMasked(mask: number): () => number {
  let draws = 0;
  return () => (((mask | ~7) >> Math.min(draws++, 3)) & 1 ? 0.999 : 0);
}

/**
 * Does `work` on a copy of the tree, up to its operation number `at` (from 0, reads not counted),
 * which no longer happens. Returns the copy as it is then, and whether the work was stopped.
 */
export async function stopAt(
  tree: SimulatedTree,
  at: number,
  work: (tree: SimulatedTree) => Promise<void>,
): Promise<{ tree: SimulatedTree; stopped: boolean }> {
  let count = 0;
  let stopped = false;
  const copy = tree.killed({
    onOperation: ({ kind }) => {
      if (kind === "read") return;
      stopped ||= count++ === at;
      if (stopped) throw new Error("stopped");
    },
  });
  try {
    await work(copy);
  } catch (error) {
    if (!stopped) throw error;
  }
  return { tree: copy, stopped };
}
