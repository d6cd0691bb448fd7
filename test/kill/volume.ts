/** A subvolume as the load knows it, and how a change of one is submitted. */
import type { Subvolume } from "../../src/index.ts";
import type { Operation } from "./operations.ts";

export interface Volume {
  name: string;
  /** Bytes, as of the last operation submitted. */
  size: number;
  readOnly: boolean;
  handle: Subvolume;
}

/**
 * Says what is submitted, then submits it. A change that is durable when it resolves acknowledges
 * itself.
 */
export type Submit = (
  operation: Operation,
  change: (acknowledge: () => void) => Promise<void>,
) => void;
