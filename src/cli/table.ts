/** Aligned columns and human units. Widths are those that a terminal shows. */
import { GiB, KiB, MiB, TiB } from "../base/units.ts";

/** How the columns of a table look; a column without a width is as wide as its widest cell. */
export interface Column {
  title: string;
  align?: "left" | "right";
  /** At least this wide, for tables that are printed row by row. */
  width?: number;
}

const zeroWidth = /\p{M}|\p{Cf}/u;
/** Emoji, and the scripts of East Asia with their full-width forms. */
const doubleWidth = new RegExp(
  String.raw`\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff]` +
    String.raw`|[\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]`,
  "u",
);

/** How many columns a terminal needs for a text. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) {
    if (!zeroWidth.test(character)) width += doubleWidth.test(character) ? 2 : 1;
  }
  return width;
}

/** The rows of a table under their titles. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const titles = columns.map(({ title }) => title);
  const all = [titles, ...rows];
  const sized = columns.map((column, i) => ({
    ...column,
    width: all.reduce((width, cells) => Math.max(width, displayWidth(cells[i] ?? "")), 0),
  }));
  return all.map((cells) => row(sized, cells));
}

/** One row of a table whose columns say how wide they are. */
export function row(columns: readonly Column[], cells: readonly string[]): string {
  return columns
    .map(({ align, width = 0 }, i) => {
      const cell = cells[i] ?? "";
      const padding = " ".repeat(Math.max(0, width - displayWidth(cell)));
      return align === "right" ? padding + cell : cell + padding;
    })
    .join("  ")
    .trimEnd();
}

/** Names and values below each other. */
export function pairs(entries: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(...entries.map(([name]) => displayWidth(name)));
  return entries.map(([name, value]) => row([{ title: "", width }, { title: "" }], [name, value]));
}

const exactUnits = [
  ["TiB", TiB],
  ["GiB", GiB],
  ["MiB", MiB],
  ["KiB", KiB],
] as const;

/** Bytes in the largest unit that loses nothing, so that the text can be given back to us. */
export function exactSize(bytes: number): string {
  const found = exactUnits.find(([, size]) => bytes > 0 && bytes % size === 0);
  return found ? `${bytes / found[1]} ${found[0]}` : `${bytes} B`;
}

/** A moment to the second, in UTC. */
export function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, 19).replace("T", " ")}Z`;
}
