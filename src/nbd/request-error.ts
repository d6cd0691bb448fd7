/**
 * Why a request fails, in the few numbers that the protocol knows, and why a connection ends.
 */
import { isBlockspaceError, messageOf } from "../base/errors.ts";
import { command, errno, type Errno } from "./wire.ts";

/** A request that is refused; the connection goes on. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly errno: Errno;

  constructor(error: keyof typeof errno, message: string) {
    super(message);
    this.errno = errno[error];
  }
}

/** Something that no client of the protocol does; the connection ends. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** What the client is told of a request of type `type` that failed. */
export function asRequestError(error: unknown, type: number): RequestError {
  if (error instanceof RequestError) return error;
  return new RequestError(codeOf(error, type), messageOf(error));
}

function codeOf(error: unknown, type: number): keyof typeof errno {
  if (!isBlockspaceError(error)) return "EIO";
  switch (error.code) {
    case "EROFS":
      return "EPERM";
    case "ENOSPC":
      return "ENOSPC";
    case "ECLOSED":
      return "ESHUTDOWN";
    case "ERANGE":
      return beyondEnd(type);
    case "EINVAL":
    case "ENOENT":
    case "E2BIG":
      return "EINVAL";
    default:
      return "EIO";
  }
}

/** What reaching beyond the end is: for want of space, or a mistake. */
export function beyondEnd(type: number): "ENOSPC" | "EINVAL" {
  return type === command.write || type === command.writeZeroes ? "ENOSPC" : "EINVAL";
}
