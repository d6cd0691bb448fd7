/**
 * What the killed process and its judge say to each other: one line for each operation, written
 * before it is submitted, and one for each acknowledgement, written after a flush has resolved.
 */

/** Overwrites or zeroes a range; the bytes of a write follow from the number `fill`. */
export type Step =
  | { type: "write"; name: string; offset: number; length: number; fill: number }
  | { type: "zero"; name: string; offset: number; length: number }
  | { type: "snapshot"; source: string; name: string };

/** Everything that changes what a reader sees; a two-phase commit is a write like any other. */
export type Operation =
  | Step
  | { type: "create"; name: string; size: number }
  | { type: "clone"; source: string; name: string }
  | { type: "rename"; name: string; to: string }
  | { type: "delete"; name: string }
  | { type: "rollback"; name: string; snapshot: string }
  | { type: "resize"; name: string; size: number }
  | { type: "transact"; steps: Step[] };

/** What the process is told to do, as one line on its standard input. */
export interface Order {
  store: string;
  seed: number;
  /** Number of its first operation. */
  first: number;
  options: { journalSize: number; cacheSize: number; maxDirty: number };
}

/** A line that the process wrote. */
export type Line =
  | { type: "operation"; number: number; operation: Operation }
  | { type: "acknowledged"; number: number }
  | { type: "note"; text: string };

export function formatLine(line: Line): string {
  if (line.type === "operation") return `${line.number} ${JSON.stringify(line.operation)}`;
  return line.type === "acknowledged" ? `acknowledged ${line.number}` : line.text;
}

export function parseLine(text: string): Line {
  const operation = /^(\d+) (\{.*\})$/.exec(text);
  if (operation) {
    const number = Number(operation[1]);
    return { type: "operation", number, operation: JSON.parse(operation[2]!) as Operation };
  }
  const acknowledged = /^acknowledged (\d+)$/.exec(text);
  if (acknowledged) return { type: "acknowledged", number: Number(acknowledged[1]) };
  return { type: "note", text };
}

/** Bytes that differ from place to place and from one number to the next, and are never zero. */
export function bytesOf(fill: number, length: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  const base = Math.imul(fill, 0x9e3779b1);
  for (let i = 0; i < words.length; i++) words[i] = Math.imul(base + i, 0x85ebca6b) | 0x01010101;
  return new Uint8Array(words.buffer, 0, length);
}

/** Whole numbers below a limit, the same on every run with the same seed. */
export function seededNumbers(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  };
}
