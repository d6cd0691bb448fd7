/**
 * What a benchmark finds: rows, each one load on several subjects that took turns, and curves, each
 * a cost against a size. This is the JSON that a run writes.
 */

/** One subject's figures for one load; `missing` in place of samples when it could not be run. */
export interface Measured {
  subject: string;
  /** One figure for each round. */
  samples: number[];
  missing?: string;
}

/** How the first subject stands against another: above 1 when it is ahead. */
export interface Ratio {
  peer: string;
  /** Of the ratios of the single rounds. */
  median: number;
  least: number;
  most: number;
  /** What is aimed at, where something is. */
  target?: number;
}

export interface Row {
  part: string;
  load: string;
  unit: string;
  better: "more" | "less";
  /** Blockspace comes first. */
  measured: Measured[];
  ratios: Ratio[];
  /** What the first subject's own median is to be held against, where there is no peer. */
  limit?: number;
}

/** A cost against a size, for one subject. */
export interface Curve {
  subject: string;
  points: { size: number; median: number; least: number; most: number }[];
  missing?: string;
}

export interface Chart {
  name: string;
  title: string;
  sizeLabel: string;
  /** What sizes are counted in. */
  sizeUnit: "" | "bytes";
  costUnit: string;
  curves: Curve[];
}

/** What figures come from: the machine, and versions of what was compared. */
export type Facts = Record<string, string | number>;

export interface Findings {
  rows: Row[];
  charts: Chart[];
  facts?: Facts;
}
