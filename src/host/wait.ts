/**
 * The last argument of every method that can wait.
 */
import { checkSignal, show } from "../base/arguments.ts";
import { BlockspaceError } from "../base/errors.ts";

/** Every method that can wait takes a signal; when it aborts, the call is refused (`ECANCELED`). */
export interface WaitOptions {
  signal?: AbortSignal;
}

/** Refuses options that are none (`EINVAL`), and a signal that has aborted (`ECANCELED`). */
export function checkWait(options: WaitOptions): void {
  if (typeof options !== "object" || options === null) {
    throw new BlockspaceError("EINVAL", `the options are ${show(options)}; allowed is an object`);
  }
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new BlockspaceError("EINVAL", `signal is ${show(signal)}; allowed is an AbortSignal`);
  }
  checkSignal(signal);
}
