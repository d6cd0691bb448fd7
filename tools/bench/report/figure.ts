/** Figures as people read them: three digits, and a letter for the thousands. */

const STEPS = [
  [1e9, "G"],
  [1e6, "M"],
  [1e3, "k"],
] as const;

function digits(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 || value === 0 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : 3);
}

export function figure(value: number): string {
  if (Number.isNaN(value)) return "-";
  for (const [step, letter] of STEPS) {
    if (Math.abs(value) >= step) return `${digits(value / step)} ${letter}`;
  }
  return digits(value);
}

export function times(ratio: number): string {
  return `${ratio >= 1000 ? figure(ratio) : digits(ratio)}x`;
}
