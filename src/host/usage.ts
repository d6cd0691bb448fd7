/** What each subvolume holds: counted at once, or in turns where others wait for the event loop. */
import { UsageCounter } from "../map/usage.ts";
import type { State } from "../replay/state.ts";
import { SingleReferences } from "../space/single-references.ts";

/** What a subvolume holds, in bytes. */
export interface Usage {
  /** Mapped by it, shared or not. */
  referencedBytes: number;
  /** Would come free if it were deleted. */
  exclusiveBytes: number;
}

/** One count of a whole state; `isOver` says when a turn of it is. */
export class UsageCount {
  readonly #state: State;
  readonly #counter: UsageCounter;

  constructor(state: State, isOver?: () => boolean) {
    const single = new SingleReferences(state.segments);
    const exclusive = (pblock: number, count: number): number => single.count(pblock, count);
    this.#state = state;
    this.#counter = new UsageCounter(state.nodes, exclusive, isOver);
  }

  /**
   * Counts on for a turn; by name what each subvolume of this moment holds when that was the last.
   */
  turn(): Map<string, Usage> | undefined {
    const { catalogue, geometry } = this.#state;
    const usage = new Map<string, Usage>();
    for (const { name, root } of catalogue.entries()) {
      const referenced = this.#counter.referenced(root);
      const exclusive = referenced === undefined ? undefined : this.#counter.exclusive(root);
      if (referenced === undefined || exclusive === undefined) return undefined;
      usage.set(name, {
        referencedBytes: referenced * geometry.blockSize,
        exclusiveBytes: exclusive * geometry.blockSize,
      });
    }
    return usage;
  }
}
