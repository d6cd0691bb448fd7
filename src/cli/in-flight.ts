/** Several transfers at once, but not more than a few, so that memory stays bounded. */

/** Transfers of one chunk each that are under way at the same time. */
const LIMIT = 4;

export class InFlight {
  readonly #active = new Set<Promise<void>>();
  #failure: { error: unknown } | undefined;
  #bytes = 0;

  /**
   * Starts a transfer, which tells its bytes, as soon as there is room; throws what an earlier one
   * has failed with.
   */
  async add(transfer: () => Promise<number>): Promise<void> {
    while (this.#active.size >= LIMIT) await Promise.race(this.#active);
    this.#check();
    const promise: Promise<void> = this.#run(transfer).finally(() => this.#active.delete(promise));
    this.#active.add(promise);
  }

  /** Resolves when none is under way any more, well or badly. */
  async settled(): Promise<void> {
    await Promise.all(this.#active);
  }

  /** Resolves with the bytes of all when all have ended well. */
  async done(): Promise<number> {
    await this.settled();
    this.#check();
    return this.#bytes;
  }

  async #run(transfer: () => Promise<number>): Promise<void> {
    try {
      const bytes = await transfer();
      this.#bytes += bytes;
    } catch (error) {
      this.#failure ??= { error };
    }
  }

  #check(): void {
    if (this.#failure) throw this.#failure.error;
  }
}
