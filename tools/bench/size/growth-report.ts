/** From what was measured at each size of a map to rows and charts. */
import type { Chart, Curve, Measured, Row } from "../result.ts";
import { ratiosOf, spread } from "../summary.ts";
import type { MapSizes } from "./map-sizes.ts";
import { MEMORY_LIMIT } from "./memory.ts";

export const XFS = "XFS reflink";
export const BTRFS = "btrfs reflink";
export const SUBVOLUME = "btrfs subvolume";
/** Blocks that differ between the two snapshots that are compared. */
export const CHANGED = 100;
/** The size at which snapshots are held against XFS, and how far ahead they have to be. */
const TARGET_EXTENTS = 1e5;
const TARGET = { [XFS]: 1000 };

/** All figures of one size. */
export interface AtSize {
  extents: number;
  take: Measured[];
  drop: Measured[];
  diff: Measured;
  map: MapSizes;
  /** MiB. */
  memory: number;
}

function named(measured: readonly Measured[], ...names: string[]): Measured[] {
  return names.flatMap((name) => measured.filter(({ subject }) => subject === name));
}

function renamed(measured: readonly Measured[], from: string, to: string): Measured[] {
  return named(measured, from).map((one) => ({ ...one, subject: to }));
}

const taken = ["blockspace snapshot", "blockspace clone", XFS, BTRFS, SUBVOLUME];

export function growthRows(sizes: readonly AtSize[]): Row[] {
  const rows: Row[] = [];
  const held = sizes.find(({ extents }) => extents === TARGET_EXTENTS) ?? sizes.at(-1)!;
  const part = "size";
  const measured = named(held.take, ...taken);
  rows.push({
    part,
    load: `snapshot, durable, ${held.extents} extents`,
    unit: "ms",
    better: "less",
    measured,
    ratios: ratiosOf(measured, "less", held.extents === TARGET_EXTENTS ? TARGET : {}),
  });
  for (const { extents, map, memory } of sizes) {
    const row = { part, better: "less" as const, ratios: [] };
    const each = (load: string, unit: string, samples: number[], limit: number): Row => ({
      ...row,
      load: `${load}, ${extents} extents`,
      unit,
      measured: [{ subject: "blockspace", samples }],
      limit,
    });
    rows.push(each("map on disk, each environment", "B/extent", map.mapBytes, 24));
    rows.push(each("segment records, each environment", "B/block", map.segmentBytes, 16));
    rows.push(each("memory above that of an empty store", "MiB", [memory], MEMORY_LIMIT));
  }
  return rows;
}

export function growthCharts(sizes: readonly AtSize[]): Chart[] {
  const curves = (pick: (size: AtSize) => Measured[]): Curve[] => {
    const names = pick(sizes[0]!).map(({ subject }) => subject);
    return names.map((subject) => curveOf(subject, sizes, pick));
  };
  const chart = (name: string, title: string, pick: (size: AtSize) => Measured[]): Chart => ({
    name,
    title,
    sizeLabel: "extents",
    sizeUnit: "",
    costUnit: "ms",
    curves: curves(pick),
  });
  const peers = [XFS, BTRFS, SUBVOLUME];
  return [
    chart("snapshot", "Snapshot, durable", ({ take }) =>
      named(take, "blockspace snapshot", "blockspace snapshot, return", ...peers),
    ),
    chart("clone", "Clone, durable", ({ take }) => named(take, "blockspace clone", ...peers)),
    chart("delete", "Delete, return", ({ drop }) => [
      ...renamed(drop, "blockspace snapshot, return", "blockspace"),
      ...renamed(drop, "blockspace snapshot", "blockspace, durable"),
      ...named(drop, ...peers),
    ]),
    chart("diff", `Comparing two snapshots, ${CHANGED} blocks changed`, ({ diff }) => [diff]),
  ];
}

function curveOf(
  subject: string,
  sizes: readonly AtSize[],
  pick: (size: AtSize) => Measured[],
): Curve {
  const points: Curve["points"] = [];
  let missing: string | undefined;
  for (const size of sizes) {
    const measured = pick(size).find((one) => one.subject === subject)!;
    if (measured.missing === undefined) {
      points.push({ size: size.extents, ...spread(measured.samples) });
    } else missing = measured.missing;
  }
  return { subject, points, ...(missing === undefined ? {} : { missing }) };
}
