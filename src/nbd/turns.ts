/**
 * Work that keeps the event loop for a while, and of which a client may ask much at once: one piece
 * in each of its turns, in the order in which they were handed in, so that others are answered in
 * between.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  async run<T>(work: () => T): Promise<T> {
    const mine = this.#last.then(() => new Promise(setImmediate)).then(work);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
