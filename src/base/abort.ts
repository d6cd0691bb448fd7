/**
 * Waiting for a signal to abort, with one listener on it however many wait: a signal for all that a
 * program does may have thousands, and Node.js warns of a leak from the eleventh listener on.
 */

/** Everybody who waits for one signal. */
class Waiters {
  readonly #signal: AbortSignal;
  readonly #calls = new Set<() => void>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", this.#abort, { once: true });
  }

  add(call: () => void): void {
    this.#calls.add(call);
  }

  /** The last one takes the listener away: the signal may live for longer than all of them. */
  delete(call: () => void): void {
    this.#calls.delete(call);
    if (this.#calls.size > 0 || waiters.get(this.#signal) !== this) return;
    waiters.delete(this.#signal);
    this.#signal.removeEventListener("abort", this.#abort);
  }

  readonly #abort = (): void => {
    waiters.delete(this.#signal);
    for (const call of this.#calls) call();
  };
}

const waiters = new WeakMap<AbortSignal, Waiters>();

/** Calls `call` when the signal aborts, unless what is returned has been called before. */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  let all = waiters.get(signal);
  if (!all) waiters.set(signal, (all = new Waiters(signal)));
  const own = all;
  own.add(call);
  return () => own.delete(call);
}
