/**
 * `kill -9` on a simulated disk, without a process of its own: from some operation on, nothing that
 * the host does reaches the disk, and nobody hears what it says. What it wrote before is there, and
 * as little of it durable.
 */
import { setImmediate as immediate } from "node:timers/promises";
import { isBlockspaceError } from "blockspace";
import type { SimulatedDisk } from "blockspace/testing";

/**
 * Who has asked nothing of the disk for so many turns of the event loop has nothing under way any
 * more. A host whose cleaner was at work has much of that: one that was left alone after 8 turns
 * came back, and wrote what it had in mind over what the next host had found (21:2320, 21:3192 and
 * 21:3992, a nightly run's). So did one that was left alone while it waited for a write that came
 * 16 turns late (8:605905735, a search's).
 */
const QUIET_TURNS = 24;
/** Nobody has ever been busy for as long. */
const MOST_TURNS = 10_000;

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
  let asked = 0;
  disk.onOperation = (operation) => {
    if (asked++ >= victim.after) victim.die();
    return victim.isDead() ? { type: "lie" } : given?.(operation);
  };
  try {
    await work();
  } catch (error) {
    if (!victim.isDead() && !isBlockspaceError(error)) throw error;
  } finally {
    victim.die();
    await quietness(() => asked);
    disk.onOperation = given;
    disk.locks.clear();
  }
}

/** Resolves when what `asked` counts has stayed as it is for a while. */
async function quietness(asked: () => number): Promise<void> {
  let quiet = 0;
  for (let turn = 0; quiet < QUIET_TURNS; turn++) {
    if (turn === MOST_TURNS) throw new Error("a killed process goes on and on");
    const before = asked();
    await immediate();
    quiet = asked() === before ? quiet + 1 : 0;
  }
}
