/**
 * Sizes for people: the binary units, how a size is read (`10GiB`, `512M`, `4096`) and how one is
 * shown. Everywhere else a size is a number of bytes.
 */
import { BlockspaceError } from "./errors.ts";

export const KiB = 1024;
export const MiB: number = 1024 * KiB;
export const GiB: number = 1024 * MiB;
export const TiB: number = 1024 * GiB;

const steps = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** Bytes in human units with at most one decimal: `formatSize(1536)` is `1.5 KiB`. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let step = 0;
  while (value >= 1024 && step < steps.length - 1) {
    value /= 1024;
    step++;
  }
  const shown = Number.isInteger(value) ? String(value) : value.toFixed(1);
  return `${shown} ${steps[step]}`;
}

/**
 * Bytes from `4096`, `512M`, `10GiB`, `1.5T`. A bare letter is the binary unit, as qemu-img reads
 * it; the result must be a whole number of bytes below 2^53, or `EINVAL` is thrown.
 */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(?:([kmgtp])(?:i?b)?|b)?$/i.exec(text.trim());
  if (match) {
    const power = match[2] ? "kmgtp".indexOf(match[2].toLowerCase()) + 1 : 0;
    const bytes = Number(match[1]) * 1024 ** power;
    if (Number.isSafeInteger(bytes)) return bytes;
  }
  throw new BlockspaceError(
    "EINVAL",
    `"${text}" is not a size; allowed are whole bytes below 2^53, as 4096, 512M or 10GiB`,
  );
}
