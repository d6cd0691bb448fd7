/**
 * The loads of one part as groups of bars, a bar for each subject. Every group has a scale of its
 * own, to the longest bar in it: loads are not to be compared with each other.
 */
import type { Measured, Row } from "../result.ts";
import { median } from "../summary.ts";
import { figure } from "./figure.ts";
import { colours, INK, line, picture, rectangle, text } from "./svg.ts";

const WIDTH = 760;
const LEFT = 180;
const RIGHT = 150;
const TOP = 44;
const BAR = 16;
const GAP = 34;

export function barChart(title: string, rows: readonly Row[]): string {
  const shapes = [text(16, 24, title, { size: 15, weight: "bold" })];
  const subjects = [...new Set(rows.flatMap((row) => row.measured.map(({ subject }) => subject)))];
  let top = TOP;
  for (const row of rows) {
    shapes.push(text(16, top + 12, `${row.load} (${row.better} is better)`));
    top += 20;
    const highest = Math.max(...row.measured.map(({ samples }) => most(samples)));
    for (const measured of row.measured) {
      const colour = colours[subjects.indexOf(measured.subject) % colours.length]!;
      shapes.push(...bar(measured, row.unit, highest, top, colour));
      top += BAR + 3;
    }
    top += GAP - 20;
  }
  return picture(WIDTH, top, shapes);
}

function most(samples: readonly number[]): number {
  return samples.length === 0 ? 0 : Math.max(...samples);
}

function bar(
  { subject, samples, missing }: Measured,
  unit: string,
  highest: number,
  top: number,
  colour: string,
): string[] {
  const foot = top + BAR - 4;
  const name = text(LEFT - 8, foot, subject, { anchor: "end" });
  if (missing !== undefined) return [name, text(LEFT, foot, missing, { size: 10 })];
  const place = (value: number): number => LEFT + (value / highest) * (WIDTH - LEFT - RIGHT);
  const middle = median(samples);
  const level = top + BAR / 2;
  return [
    name,
    rectangle(LEFT, top, place(middle) - LEFT, BAR, colour),
    line(place(Math.min(...samples)), level, place(most(samples)), level, INK),
    text(place(most(samples)) + 8, foot, figure(middle, unit)),
  ];
}
