/**
 * Reads under way. A read looks its blocks up and then waits for the device; blocks that were freed
 * meanwhile must not be given to anyone else before it has ended.
 */
export class Readers {
  readonly #active = new Set<Promise<unknown>>();

  /** Runs a read that others may have to wait for. */
  async run<T>(read: () => Promise<T>): Promise<T> {
    const promise = read();
    this.#active.add(promise);
    try {
      return await promise;
    } finally {
      this.#active.delete(promise);
    }
  }

  /** Resolves when every read that is under way now has ended, well or badly. */
  async drained(): Promise<void> {
    await Promise.allSettled(this.#active);
  }
}
