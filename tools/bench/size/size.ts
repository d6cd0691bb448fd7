/** The part `size`: what operations cost as maps and numbers of snapshots grow. */
import type { Bench } from "../bench.ts";
import type { Findings } from "../result.ts";

export async function benchSize(_bench: Bench): Promise<Findings> {
  return { rows: [], charts: [] };
}
