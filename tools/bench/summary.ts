/** From samples to what is reported: medians, and ratios of what was measured side by side. */
import type { Measured, Ratio, Row } from "./result.ts";

export function median(samples: readonly number[]): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Median, least and most. */
export function spread(samples: readonly number[]): {
  median: number;
  least: number;
  most: number;
} {
  return { median: median(samples), least: Math.min(...samples), most: Math.max(...samples) };
}

/** How the first subject stands against each other one, round by round. */
export function ratiosOf(
  measured: readonly Measured[],
  better: Row["better"],
  targets: Readonly<Record<string, number>> = {},
): Ratio[] {
  const [first, ...peers] = measured;
  if (!first || first.missing !== undefined) return [];
  const ratios: Ratio[] = [];
  for (const { subject, samples, missing } of peers) {
    if (missing !== undefined) continue;
    const each = samples.map((theirs, round) =>
      better === "more" ? first.samples[round]! / theirs : theirs / first.samples[round]!,
    );
    const target = targets[subject];
    ratios.push({ peer: subject, ...spread(each), ...(target === undefined ? {} : { target }) });
  }
  return ratios;
}
