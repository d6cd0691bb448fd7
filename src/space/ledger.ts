/**
 * The account of space (promise I5), in blocks: at every step
 *
 *     free + reserved + staged + allocated + busy = capacity
 *
 * Allocated and busy blocks are counted by the state, staged ones by the allocator, what cookies
 * have reserved here; free is the rest. A few blocks are kept back for the host itself, so that a
 * discard that ends within a block, or a truncation, finds a place for the rest of that block on a
 * host that is otherwise full. They count as reserved.
 */
import type { Allocator } from "./allocator.ts";
import type { Segments } from "./segments.ts";

const MOST_KEPT_BACK = 64;

/** The five figures of I5, in blocks. */
export interface SpaceFigures {
  free: number;
  reserved: number;
  staged: number;
  allocated: number;
  busy: number;
}

export class Ledger {
  readonly #segments: Segments;
  readonly #allocator: Allocator;
  /** Blocks that cookies have reserved and not staged yet. */
  reserved = 0;

  constructor(segments: Segments, allocator: Allocator) {
    this.#segments = segments;
    this.#allocator = allocator;
  }

  /** Blocks that nobody has a claim on, those kept back included. */
  get unclaimed(): number {
    const { geometry, allocated, busy } = this.#segments;
    return geometry.capacityBlocks - allocated - busy.count - this.#allocator.held - this.reserved;
  }

  /** Blocks that a write or a reservation may have. */
  get free(): number {
    return Math.max(0, this.unclaimed - this.#keptBack);
  }

  get #keptBack(): number {
    const { capacityBlocks } = this.#segments.geometry;
    return Math.min(MOST_KEPT_BACK, Math.max(2, Math.floor(capacityBlocks / 128)));
  }

  figures(): SpaceFigures {
    const { unclaimed, free } = this;
    return {
      free,
      reserved: this.reserved + (unclaimed - free),
      staged: this.#allocator.held,
      allocated: this.#segments.allocated,
      busy: this.#segments.busy.count,
    };
  }
}
