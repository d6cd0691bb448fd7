/**
 * Checks of the arguments that callers hand in. Each throws a typed error that says what was given
 * and what is allowed, before anything has changed.
 */
import { BlockspaceError, type ErrorPlace } from "./errors.ts";

/** In UTF-8; a journal record has one byte for the length. */
export const MAX_NAME_BYTES = 255;

/** A short, safe picture of any value for an error message. */
export function show(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value.slice(0, 80));
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "object" && value !== null) return value.constructor?.name ?? "object";
  return String(value);
}

/** A whole number from `min` to 2^53 - 1, or `EINVAL`. */
export function checkWhole(what: string, value: unknown, min = 0, place?: ErrorPlace): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min) {
    throw new BlockspaceError(
      "EINVAL",
      `${what} is ${show(value)}; allowed are whole numbers from ${min} to 2^53 - 1`,
      place,
    );
  }
  return value;
}

/**
 * A byte range that ends at or before `size`: wrong numbers are `EINVAL`, a range beyond `ERANGE`.
 */
export function checkRange(
  offset: unknown,
  length: unknown,
  size: number,
  subvolume: string,
): void {
  const from = checkWhole("offset", offset, 0, { subvolume });
  const count = checkWhole("length", length, 0, { subvolume });
  if (count > size - from) {
    throw new BlockspaceError(
      "ERANGE",
      `${count} bytes at offset ${from} end beyond subvolume "${subvolume}" of ${size} bytes`,
      { subvolume, offset: from, length: count },
    );
  }
}

/** A multiple of `blockSize`, or `EINVAL`. */
export function checkAligned(what: string, value: number, blockSize: number): void {
  if (value % blockSize !== 0) {
    throw new BlockspaceError(
      "EINVAL",
      `${what} is ${value}; allowed are multiples of the block size of ${blockSize} bytes`,
    );
  }
}

/** Bytes: a `Uint8Array` (a `Buffer` is one), or `EINVAL`. */
export function checkBytes(what: string, value: unknown): Uint8Array {
  if (!(value instanceof Uint8Array)) {
    throw new BlockspaceError("EINVAL", `${what} is ${show(value)}; allowed is a Uint8Array`);
  }
  return value;
}

/** Bytes whose memory was neither transferred nor resized since the call was made, or `EINVAL`. */
export function checkLength(what: string, bytes: Uint8Array, length: number): void {
  if (bytes.length === length) return;
  throw new BlockspaceError(
    "EINVAL",
    `${what} had ${length} bytes when the call was made and has ${bytes.length} now; ` +
      "allowed is memory that stays as it is until the call has ended",
  );
}

/** A subvolume name: 1 to 255 bytes of UTF-8 without control characters. */
export function checkName(value: unknown): string {
  const allowed = "allowed are 1 to 255 bytes of UTF-8 without control characters";
  if (typeof value !== "string" || value === "" || !value.isWellFormed()) {
    throw new BlockspaceError("EINVAL", `the name is ${show(value)}; ${allowed}`);
  }
  const bytes = Buffer.byteLength(value);
  if (bytes > MAX_NAME_BYTES) {
    throw new BlockspaceError("ENAMETOOLONG", `the name has ${bytes} bytes; ${allowed}`);
  }
  if (/\p{Cc}/u.test(value)) {
    throw new BlockspaceError("EINVAL", `the name is ${show(value)}; ${allowed}`);
  }
  return value;
}

/** Refuses when the caller's signal has aborted. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw canceledBy(signal);
}

/** What a call is refused with when its signal aborts, whose reason becomes the cause. */
export function canceledBy({ reason }: AbortSignal): BlockspaceError {
  return new BlockspaceError("ECANCELED", "the caller's signal aborted", { cause: reason });
}
