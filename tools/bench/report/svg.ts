/** The few shapes that the charts are made of, as SVG text. */

/** Told apart by everyone, also in grey (Okabe and Ito); the first is ours. */
export const colours: readonly string[] = [
  "#0072b2",
  "#d55e00",
  "#009e73",
  "#cc79a7",
  "#e69f00",
  "#56b4e9",
];
export const INK = "#222222";
export const FAINT = "#d8d8d8";

interface TextOptions {
  anchor?: "start" | "middle" | "end";
  size?: number;
  weight?: "normal" | "bold";
  colour?: string;
}

export function text(x: number, y: number, words: string, options: TextOptions = {}): string {
  const { anchor = "start", size = 12, weight = "normal", colour = INK } = options;
  const look = `text-anchor="${anchor}" font-size="${size}" font-weight="${weight}"`;
  return `<text x="${at(x)}" y="${at(y)}" ${look} fill="${colour}">${escape(words)}</text>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, colour: string): string {
  const ends = `x1="${at(x1)}" y1="${at(y1)}" x2="${at(x2)}" y2="${at(y2)}"`;
  return `<line ${ends} stroke="${colour}"/>`;
}

export function rectangle(
  x: number,
  y: number,
  width: number,
  height: number,
  colour: string,
): string {
  const box = `x="${at(x)}" y="${at(y)}" width="${at(width)}" height="${at(height)}"`;
  return `<rect ${box} fill="${colour}"/>`;
}

export function dot(x: number, y: number, colour: string): string {
  return `<circle cx="${at(x)}" cy="${at(y)}" r="3" fill="${colour}"/>`;
}

export function path(
  points: readonly (readonly [x: number, y: number])[],
  colour: string,
  width: number,
): string {
  const list = points.map(([x, y]) => `${at(x)},${at(y)}`).join(" ");
  return `<polyline points="${list}" fill="none" stroke="${colour}" stroke-width="${width}"/>`;
}

/** A whole picture on white, so that it can be read on a dark page as well. */
export function picture(width: number, height: number, shapes: readonly string[]): string {
  const size = `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}"`;
  const open = `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif">`;
  return [open, rectangle(0, 0, width, height, "#ffffff"), ...shapes, "</svg>", ""].join("\n");
}

function at(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function escape(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
