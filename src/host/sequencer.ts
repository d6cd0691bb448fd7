/**
 * The order of submission: tasks run one after the other in the order in which they were handed in,
 * whatever each has to wait for. Promise I2 speaks of this order; it is also the order of the
 * journal and the order in which changes become visible.
 *
 * A task that waits for nothing ends in the turn of the event loop in which it began, and so may
 * the one behind it: of many the loop turns now and then.
 */
import type { Turns } from "./turns.ts";

export class Sequencer {
  readonly #turns: Turns;
  #tail: Promise<unknown> = Promise.resolve();
  #running = 0;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** True when nothing runs or waits, so that a change may be made on the spot. */
  get idle(): boolean {
    return this.#running === 0;
  }

  /** Runs a task behind all those handed in before it. */
  async run<T>(task: () => T | Promise<T>): Promise<T> {
    const before = this.#tail;
    this.#running++;
    const result = before.then(task);
    const end = (): Promise<void> | undefined => {
      this.#running--;
      return this.#turns.after(0);
    };
    this.#tail = result.then(end, end);
    return result;
  }

  /** Calls `look` when every task handed in before has ended, and none behind has begun. */
  async after<T>(look: () => T | Promise<T>): Promise<T> {
    this.#running++;
    return this.#tail.then(() => {
      this.#running--;
      return look();
    });
  }

  /** Resolves when every task handed in before has ended. */
  async settled(): Promise<void> {
    await this.#tail;
  }
}
