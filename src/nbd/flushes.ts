/**
 * Flushes that have to wait. A flush covers every write that was answered before it, on whatever
 * connection, because they all go through one host (promise I1). A client with a deep queue sends
 * as many flushes as writes; those that wait for the same commits wait for one promise, and to the
 * host they are one caller.
 */
import type { Host } from "../host/host.ts";

/** Told when a flush is durable, or why it will not be. */
export type FlushEnd = (failure?: { cause: unknown }) => void;

export class Flushes {
  readonly #host: Host;
  readonly #broken: (error: unknown) => void;
  /** What the host has promised last, and who waits for it. */
  #promise: Promise<unknown> | undefined;
  #waiting: FlushEnd[] = [];

  /** `broken` is told when an end of {@link add} throws. */
  constructor(host: Host, broken: (error: unknown) => void) {
    this.#host = host;
    this.#broken = broken;
  }

  /** Calls `end` when all that was answered before is durable; throws when the host is closed. */
  add(end: FlushEnd): void {
    const promise = this.#host.flushTogether();
    if (promise === this.#promise) {
      this.#waiting.push(end);
      return;
    }
    const waiting = [end];
    this.#promise = promise;
    this.#waiting = waiting;
    promise
      .then(
        () => waiting.forEach((each) => each()),
        (cause: unknown) => waiting.forEach((each) => each({ cause })),
      )
      .catch(this.#broken);
  }
}
