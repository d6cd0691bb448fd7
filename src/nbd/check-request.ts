/**
 * What can be said against a request before anything is done for it, from its header alone.
 */
import type { Export } from "./exports.ts";
import { MAX_PAYLOAD } from "./limits.ts";
import { beyondEnd, RequestError } from "./request-error.ts";
import { command, commandFlag, type Request } from "./wire.ts";

const { fua, noHole, df, reqOne, fastZero } = commandFlag;

/** The flags that each command takes; every command takes FUA. */
const flagsOf: ReadonlyMap<number, number> = new Map([
  [command.read, fua | df],
  [command.write, fua],
  [command.flush, fua],
  [command.trim, fua],
  [command.cache, fua],
  [command.writeZeroes, fua | noHole | fastZero],
  [command.blockStatus, fua | reqOne],
]);

const writing: ReadonlySet<number> = new Set([command.write, command.trim, command.writeZeroes]);

/** What the connection has negotiated. */
export interface Negotiated {
  readonly export: Export;
  /** Replies come in chunks. */
  readonly structured: boolean;
  readonly contexts: readonly unknown[];
}

/** Why a request cannot be carried out, or nothing. */
export function refusalOf(request: Request, negotiated: Negotiated): RequestError | undefined {
  const { type, flags, offset, length } = request;
  const allowed = flagsOf.get(type);
  if (allowed === undefined) return new RequestError("EINVAL", `there is no command ${type}`);
  const usable = negotiated.structured ? allowed : allowed & ~df;
  if ((flags & ~usable) !== 0) {
    return new RequestError("EINVAL", `the flags are ${flags}; allowed are bits of ${usable}`);
  }
  if (type === command.flush) {
    if (offset === 0 && length === 0) return undefined;
    return new RequestError("EINVAL", "a flush has no offset and no length");
  }
  return refusalOfRange(request, negotiated);
}

function refusalOfRange(
  { type, offset, length }: Request,
  { export: { readOnly, subvolume, size: sizeThen }, contexts }: Negotiated,
): RequestError | undefined {
  if (readOnly && writing.has(type)) {
    return new RequestError("EPERM", "the export is read-only");
  }
  // A subvolume that was made smaller since is checked again when the request is carried out.
  if (offset + length > sizeThen) {
    const what = `${length} bytes at ${offset} end beyond the export of ${sizeThen} bytes`;
    return new RequestError(beyondEnd(type), what);
  }
  if (type === command.read && length > MAX_PAYLOAD) {
    return new RequestError("EINVAL", `a read is ${length} bytes; allowed are ${MAX_PAYLOAD}`);
  }
  if (type === command.blockStatus) {
    if (length === 0) return new RequestError("EINVAL", "the status of no bytes was asked for");
    if (contexts.length === 0) {
      return new RequestError("EINVAL", `no metadata context of "${subvolume.name}" was selected`);
    }
  }
  return undefined;
}
