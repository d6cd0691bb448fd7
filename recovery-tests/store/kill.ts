/**
 * `kill -9` on a simulated disk, without a process of its own: from some operation on, nothing that
 * the host does reaches the disk, and nobody hears what it says. What it wrote before is there, and
 * as little of it durable.
 */
import { setImmediate as immediate } from "node:timers/promises";
import { isBlockspaceError } from "blockspace";
import type { SimulatedDisk } from "blockspace/testing";

/** After so many turns of the event loop nothing is under way any more. */
const DYING_TURNS = 8;

/** Who is killed, and when: after so many operations, at the end of its work at the latest. */
export interface Victim {
  after: number;
  isDead(): boolean;
  die(): void;
}

/** Returns when nothing of the victim is left but what it wrote; its locks are gone as well. */
export async function killedAfter(
  disk: SimulatedDisk,
  victim: Victim,
  work: () => Promise<void>,
): Promise<void> {
  const given = disk.onOperation;
  let left = victim.after;
  disk.onOperation = (operation) => {
    if (left-- <= 0) victim.die();
    return victim.isDead() ? { type: "lie" } : given?.(operation);
  };
  try {
    await work();
  } catch (error) {
    if (!victim.isDead() && !isBlockspaceError(error)) throw error;
  } finally {
    victim.die();
    for (let turn = 0; turn < DYING_TURNS; turn++) await immediate();
    disk.onOperation = given;
    disk.locks.clear();
  }
}
