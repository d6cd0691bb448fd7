/**
 * What every environment refuses, in memory as on disk: use after `close`, two commits at once, and
 * a commit after one that failed. Nobody knows what a failed commit has left behind until the
 * environment is opened again (promise I7).
 */
import { BlockspaceError } from "../base/errors.ts";

export class CommitGuard {
  /** Names the environment in messages. */
  readonly #what: string;
  #running: Promise<unknown> | undefined;
  #failure: { cause: unknown } | undefined;
  #closing: Promise<void> | undefined;

  constructor(what: string) {
    this.#what = what;
  }

  /** Throws `ECLOSED` from the call of `close` on. */
  checkOpen(): void {
    if (this.#closing) throw new BlockspaceError("ECLOSED", `${this.#what} is closed`);
  }

  async commit<T>(work: () => Promise<T>): Promise<T> {
    this.checkOpen();
    if (this.#running) {
      throw new BlockspaceError("EINVAL", `a commit of ${this.#what} is already running`);
    }
    if (this.#failure) {
      const message = `${this.#what} takes no commit after one that failed: close and reopen it`;
      throw new BlockspaceError("EIO", message, this.#failure);
    }
    try {
      return await (this.#running = work());
    } catch (cause) {
      this.#failure = { cause };
      throw cause;
    } finally {
      this.#running = undefined;
    }
  }

  /** Waits for a running commit, whichever way it ends, then releases what is held; only once. */
  close(release: () => Promise<void>): Promise<void> {
    this.#closing ??= Promise.allSettled([this.#running]).then(release);
    return this.#closing;
  }
}
