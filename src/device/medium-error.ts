/**
 * How an error of the system becomes a {@link BlockspaceError}: `EIO` with the place and the cause.
 * Only a name that is not there keeps its own code, `ENOENT`, since callers ask for it.
 */
import { BlockspaceError, type ErrorPlace, isBlockspaceError, messageOf } from "../base/errors.ts";

/** `what` failed on a medium: `EIO`, unless the cause is one of our own errors already. */
export function ioError(what: string, place: ErrorPlace, cause: unknown): BlockspaceError {
  if (isBlockspaceError(cause)) return cause;
  return new BlockspaceError("EIO", `${what} failed: ${messageOf(cause)}`, { ...place, cause });
}

/** `what` failed on the entry `path` of a directory: `ENOENT` when it is not there, else `EIO`. */
export function entryError(what: string, path: string, cause: unknown): BlockspaceError {
  if (!isMissing(cause)) return ioError(`${what} of ${path}`, { path }, cause);
  return new BlockspaceError("ENOENT", `${path} is not there`, { path, cause });
}

/** A device that is no longer than it is, and has to be. */
export function tooShortError(path: string, size: number, needed: number): BlockspaceError {
  const what = `${path} has ${size} bytes; the store needs ${needed}`;
  return new BlockspaceError("ENOSPC", what, { path });
}

/** The error of every call after `close`. */
export function closedError(path: string): BlockspaceError {
  return new BlockspaceError("EIO", `${path} is closed`, { path });
}

/** True for the system's word for a name that is not there. */
export function isMissing(error: unknown): boolean {
  return codeOf(error) === "ENOENT";
}

/** The system's words for what this process has no right to. */
const forbidden: ReadonlySet<unknown> = new Set(["EACCES", "EPERM"]);

/** True where this process has no right to what is there: nothing is known of it, good or bad. */
export function isForbidden(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return forbidden.has(codeOf(error)) || isForbidden(error.cause);
}

/** The `code` of a system error, as `ENOENT`. */
export function codeOf(error: unknown): unknown {
  return error instanceof Error && "code" in error ? error.code : undefined;
}
