/** The table that the demo prints as it goes: what was done, how long it took, how much space. */
import { formatSize } from "blockspace";

const WHAT = 58;
const TIME = 10;
const SPACE = 12;

function printRow(what: string, time: string, space: string): void {
  console.log(`${what.padEnd(WHAT)}${time.padStart(TIME)}${space.padStart(SPACE)}`);
}

export function printHeader(): void {
  printRow("what", "how long", "data stored");
  console.log("-".repeat(WHAT + TIME + SPACE));
}

function formatTime(milliseconds: number): string {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** What a step did, and the bytes of data that the store holds after it, where it changed that. */
export interface Outcome {
  what: string;
  stored?: number;
}

/** Does a step and prints its row. */
export async function step(work: () => Promise<Outcome>): Promise<void> {
  const began = performance.now();
  const { what, stored } = await work();
  const time = formatTime(performance.now() - began);
  printRow(what, time, stored === undefined ? "" : formatSize(stored));
}
