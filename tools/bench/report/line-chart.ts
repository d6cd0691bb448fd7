/**
 * A cost against a size, both in powers of ten, a line for each subject: where the line is level,
 * the size costs nothing. The strokes through the points reach from the least to the most.
 */
import type { Chart, Curve } from "../result.ts";
import { tick } from "./figure.ts";
import { colours, dot, FAINT, line, path, picture, text } from "./svg.ts";

const WIDTH = 760;
const HEIGHT = 380;
const LEFT = 70;
const RIGHT = 230;
const TOP = 50;
const BOTTOM = 50;
const MIN_COST = 1e-3;

/** From powers of ten to a place. */
interface Scale {
  from: number;
  to: number;
  place: (value: number) => number;
}

function scale(values: readonly number[], start: number, end: number): Scale {
  const from = Math.floor(Math.log10(Math.min(...values)));
  const to = Math.max(from + 1, Math.ceil(Math.log10(Math.max(...values))));
  const step = (end - start) / (to - from);
  return { from, to, place: (value) => start + (Math.log10(value) - from) * step };
}

export function lineChart({
  title,
  sizeLabel,
  sizeUnit,
  costUnit,
  curves,
}: Chart): string | undefined {
  const points = curves.flatMap((curve) => curve.points);
  if (points.length === 0) return undefined;
  const sizes = points.map(({ size }) => size);
  const costs = points.flatMap(({ least, most }) => [least, most].map(drawn));
  const x = scale(sizes, LEFT, WIDTH - RIGHT);
  const y = scale(costs, HEIGHT - BOTTOM, TOP);
  const shapes = [text(LEFT, 24, `${title} (${costUnit})`, { size: 15, weight: "bold" })];
  for (let power = y.from; power <= y.to; power++) {
    const level = y.place(10 ** power);
    shapes.push(line(LEFT, level, WIDTH - RIGHT, level, FAINT));
    shapes.push(text(LEFT - 8, level + 4, tick(10 ** power, costUnit), { anchor: "end" }));
  }
  for (const size of new Set(sizes)) {
    const [place, foot] = [x.place(size), HEIGHT - BOTTOM + 18];
    shapes.push(text(place, foot, tick(size, sizeUnit), { anchor: "middle" }));
  }
  shapes.push(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, sizeLabel, { anchor: "middle" }));
  curves.forEach((curve, i) => shapes.push(...curveShapes(curve, i, x, y)));
  return picture(WIDTH, HEIGHT, shapes);
}

function curveShapes({ subject, points, missing }: Curve, i: number, x: Scale, y: Scale): string[] {
  const colour = colours[i % colours.length]!;
  const shapes = points.flatMap(({ size, median, least, most }) => [
    line(x.place(size), y.place(drawn(least)), x.place(size), y.place(drawn(most)), colour),
    dot(x.place(size), y.place(drawn(median)), colour),
  ]);
  const middle = points.map(({ size, median }) => [x.place(size), y.place(drawn(median))] as const);
  shapes.push(path(middle, colour, i === 0 ? 3 : 1.5));
  const [left, top] = [WIDTH - RIGHT + 16, TOP + 12 + 34 * i];
  shapes.push(text(left, top, subject, { colour, weight: i === 0 ? "bold" : "normal" }));
  if (missing !== undefined) shapes.push(text(left, top + 14, missing.slice(0, 40), { size: 9 }));
  return shapes;
}

/** A logarithm needs more than nothing. */
function drawn(cost: number): number {
  return Math.max(MIN_COST, cost);
}
