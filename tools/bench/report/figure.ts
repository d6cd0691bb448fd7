/** Figures as people read them: three digits, and a letter for the thousands. */
import { formatSize } from "blockspace";

const STEPS = [
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
] as const;

function digits(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 || value === 0 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3);
}

function shortened(value: number): string {
  for (const [step, letter] of STEPS) {
    if (Math.abs(value) >= step) return `${digits(value / step)} ${letter}`;
  }
  return digits(value);
}

/** With its unit: `8.37 k/s`, `1079 MiB/s`, `0.31 ms`, `12.1 s`. */
export function figure(value: number, unit: string): string {
  if (Number.isNaN(value)) return "-";
  if (unit === "/s") return `${shortened(value)}/s`;
  if (unit === "ms" && value >= 1000) return `${digits(value / 1000)} s`;
  return unit === "" ? digits(value) : `${digits(value)} ${unit}`;
}

/** A round number on an axis: `10 k`, `1 TiB`. */
export function tick(value: number, unit: string): string {
  if (unit === "bytes") return formatSize(value);
  const [step, letter] = STEPS.find(([least]) => value >= least) ?? [1, ""];
  const rounded = String(Number((value / step).toPrecision(6)));
  return letter === "" ? rounded : `${rounded} ${letter}`;
}

export function times(ratio: number): string {
  return `${ratio >= 1000 ? shortened(ratio) : digits(ratio)}x`;
}
