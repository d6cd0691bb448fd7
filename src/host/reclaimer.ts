/**
 * Takes the map nodes of deleted maps apart, a bounded number in each `reclaim` record, in the
 * background or for a task that needs their space. The event loop turns behind every step: a step
 * waits for nothing, and a large map takes thousands.
 */
import type { JournalRecord } from "../format/records.ts";
import type { State } from "../replay/state.ts";
import type { Health } from "./health.ts";
import type { Plan } from "./plan.ts";
import type { Sequencer } from "./sequencer.ts";

/**
 * So many nodes make a step that nobody notices: of a map that was written at random each of their
 * extents, some hundreds in a node, lies in a segment of its own.
 */
const RECLAIM: JournalRecord = { type: "reclaim", nodes: 8 };

/** What the engine brings. */
export interface ReclaimerParts {
  readonly state: State;
  readonly readOnly: boolean;
  readonly sequencer: Sequencer;
  readonly health: Health;
  readonly isClosing: boolean;
  /** Waits for room for a change, if there is none. */
  room(): Promise<void>;
  commitNow(plan: Plan): number;
}

export class Reclaimer {
  readonly #parts: ReclaimerParts;
  /** What goes on in the background, while it does. */
  #running: Promise<void> | undefined;

  constructor(parts: ReclaimerParts) {
    this.#parts = parts;
  }

  /** Takes dead nodes apart in the background, between other commits. */
  start(): void {
    if (this.#running || this.#parts.readOnly || this.#isDone || !this.#mayGoOn) return;
    this.#running = this.#run().catch(() => undefined);
  }

  /** Resolves when nothing is taken apart in the background any more. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** For a task that has its turn: until no node is dead, or there is `enough` space. */
  async reclaim(enough: () => boolean = () => false): Promise<void> {
    while (!this.#isDone && !enough()) {
      await this.#step();
      await new Promise(setImmediate);
    }
  }

  get #isDone(): boolean {
    return this.#parts.state.nodes.dead.length === 0;
  }

  async #run(): Promise<void> {
    const { sequencer } = this.#parts;
    try {
      while (!this.#isDone && this.#mayGoOn) {
        await sequencer.run(async () => {
          if (this.#mayGoOn) await this.#step();
        });
        await new Promise(setImmediate);
      }
    } finally {
      this.#running = undefined;
    }
  }

  get #mayGoOn(): boolean {
    return !this.#parts.isClosing && !this.#parts.health.failure;
  }

  async #step(): Promise<void> {
    await this.#parts.room();
    if (!this.#isDone) this.#parts.commitNow({ changes: [{ type: "record", record: RECLAIM }] });
  }
}
