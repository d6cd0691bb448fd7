/**
 * The last argument of every method that can wait.
 */
import { onAbort } from "../base/abort.ts";
import { canceledBy, checkSignal, show } from "../base/arguments.ts";
import { BlockspaceError } from "../base/errors.ts";

/**
 * Every method that can wait takes a signal. When it aborts before the call has taken effect, the
 * call is refused (`ECANCELED`) and nothing changes; what only waits, as a flush does, goes on
 * without its caller.
 */
export interface WaitOptions {
  signal?: AbortSignal | undefined;
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

/** As `work`, unless the signal aborts first; `work` goes on by itself then. */
export function untilAborted<T>(work: PromiseLike<T>, { signal }: WaitOptions): PromiseLike<T> {
  if (!signal) return work;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(canceledBy(signal));
    const end = onAbort(signal, abort);
    work.then(resolve, reject).then(end, end);
    // Whoever aborted before there was somebody to listen is not heard again.
    if (signal.aborted) abort();
  });
}
