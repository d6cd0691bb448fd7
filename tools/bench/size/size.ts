/**
 * The part `size`: what operations cost as maps, numbers of snapshots and virtual sizes grow, and
 * what is written and kept for it.
 */
import type { Bench } from "../bench.ts";
import type { Findings } from "../result.ts";
import { measureAmplification } from "./amplification.ts";
import { measureGrowth } from "./growth.ts";
import { measureOpening } from "./opening.ts";
import { measureSnapshots } from "./snapshots.ts";

export async function benchSize(bench: Bench): Promise<Findings> {
  const found: Findings = { rows: [], charts: [] };
  for (const measure of [measureGrowth, measureSnapshots, measureOpening, measureAmplification]) {
    const { rows, charts } = await measure(bench);
    found.rows.push(...rows);
    found.charts.push(...charts);
  }
  return found;
}
