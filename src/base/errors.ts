/**
 * The one error class of the library, with the stable codes that programs may switch on.
 *
 * A code says what kind of trouble it is; the fields beside it say where; `cause` keeps the error
 * underneath, if there was one. Codes are never renamed.
 */

/** Every code a {@link BlockspaceError} can carry, with what it means. */
export const errorCodes = {
  EINVAL: "an argument has the wrong type, sign, alignment or is not a whole number",
  ERANGE: "a range ends beyond the subvolume, or a number beyond what is allowed",
  ENAMETOOLONG: "a subvolume name is longer than 255 bytes",
  ENOENT: "no store or no subvolume of that name",
  EEXIST: "the name, or the store, is already there",
  EROFS: "a write to a snapshot, or to a host that was opened read-only",
  ENOSPC: "no space left in the host, or in the cookie; or no subvolume id",
  EBUSY: "the range is staged by another cookie",
  ESTALE: "the staged range was discarded, or its mapping changed, before its commit",
  ECANCELED: "the cookie was cancelled, or the caller's signal aborted",
  ECLOSED: "the host is closed, or the subvolume deleted",
  ELOCKED: "another process (or host) has the store open",
  E2BIG: "one commit holds more than fits into a journal file",
  EIO: "the device failed; after a failed write or sync nothing more is acknowledged",
  EBADSUM: "the data of a block does not match its checksum",
  ECORRUPT: "metadata is damaged: refuse, and let fsck look",
  ENOTSUP: "an unknown format version or required feature",
} as const;

export type ErrorCode = keyof typeof errorCodes;

/** Where an error happened, as far as it is known; offsets and lengths in bytes. */
export interface ErrorPlace {
  /** The path of the store, or of the file in it. */
  path?: string;
  /** The name of the subvolume. */
  subvolume?: string;
  /** Byte offset in the subvolume, or in the file when there is no subvolume. */
  offset?: number;
  /** Byte length of the range. */
  length?: number;
  /** Byte address on the data device. */
  address?: number;
  /** The commit that could not be read or applied. */
  lsn?: number;
}

/** The error of every failed call: a stable `code`, the place, and the `cause` below it. */
export class BlockspaceError extends Error {
  override readonly name = "BlockspaceError";
  readonly code: ErrorCode;
  declare readonly path?: string;
  declare readonly subvolume?: string;
  declare readonly offset?: number;
  declare readonly length?: number;
  declare readonly address?: number;
  declare readonly lsn?: number;

  constructor(code: ErrorCode, message: string, place: ErrorPlace & { cause?: unknown } = {}) {
    const { cause, ...where } = place;
    super(`${code}: ${message}`, cause === undefined ? undefined : { cause });
    this.code = code;
    Object.assign(this, where);
  }
}

/** True for a {@link BlockspaceError}, with this code where one is named. */
export function isBlockspaceError(error: unknown, code?: ErrorCode): error is BlockspaceError {
  return error instanceof BlockspaceError && (code === undefined || error.code === code);
}

/** What an error says behind its code. */
export function reasonIn(error: BlockspaceError): string {
  return error.message.slice(error.code.length + ": ".length);
}

/** Where an error happened, to be said of another one. */
export function placeOf(error: BlockspaceError): ErrorPlace {
  const { path, subvolume, offset, length, address, lsn } = error;
  const place: Record<string, unknown> = { path, subvolume, offset, length, address, lsn };
  for (const key of Object.keys(place)) if (place[key] === undefined) delete place[key];
  return place;
}

/** What an unknown thrown thing says, for use inside another message. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
