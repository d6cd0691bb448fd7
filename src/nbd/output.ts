/**
 * Bytes that leave. What is sent in one turn of the event loop goes to the system in one call, and
 * the sender learns when the system has taken it, so that it can wait.
 */
import type { Duplex } from "node:stream";

export class Output {
  readonly #stream: Duplex;
  #corked = false;

  constructor(stream: Duplex) {
    this.#stream = stream;
  }

  /** Sends parts in order; `taken` is called when the system has all of them, or never will. */
  send(parts: readonly Uint8Array[], taken?: () => void): void {
    if (!this.#corked) {
      this.#corked = true;
      this.#stream.cork();
      setImmediate(this.#uncork);
    }
    const last = parts.length - 1;
    parts.forEach((part, i) => {
      if (i === last && taken) this.#stream.write(part, taken);
      else this.#stream.write(part);
    });
  }

  /** Sends parts and resolves when the system has taken them. */
  async sent(...parts: Uint8Array[]): Promise<void> {
    await new Promise<void>((resolve) => {
      this.send(parts, resolve);
    });
  }

  readonly #uncork = (): void => {
    this.#corked = false;
    this.#stream.uncork();
  };
}
