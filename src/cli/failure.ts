/** What a failure looks like to the user: `CODE: message`, on one line. */
import { isBlockspaceError, messageOf } from "../base/errors.ts";

/** True for the error that an aborted call ends with: it says what the interruption says. */
export function isEcho(error: unknown, signal: AbortSignal): boolean {
  if (!signal.aborted) return false;
  if (isBlockspaceError(error, "ECANCELED") || error === signal.reason) return true;
  return error instanceof Error && error.name === "AbortError";
}

/** Our errors and those of the system begin with their code; any other is a defect of ours. */
export function describeFailure(error: unknown, verbose: boolean): string {
  const known = isBlockspaceError(error) || isSystemError(error);
  if (!known) return `internal error: ${(error instanceof Error && error.stack) || String(error)}`;
  const lines = [messageOf(error)];
  if (verbose) lines.push(...causesOf(error));
  return lines.join("\n  because of ");
}

function* causesOf(error: unknown): Generator<string> {
  for (let at = error; at instanceof Error && at.cause !== undefined; at = at.cause) {
    yield messageOf(at.cause);
  }
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error && "code" in error;
}
